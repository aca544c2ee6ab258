"""What holds for some variants alone: ``exclude``, ``set`` and the names they may use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice

from batchgen.errors import Problem
from batchgen.job.grammar.shape import JobFile
from batchgen.job.source.document import Keys, Source
from batchgen.job.source.layers import read_option
from batchgen.job.source.wording import describe, did_you_mean
from batchgen.job.texts.prompt import Prompt
from batchgen.job.values.axes import AxisError, Values
from batchgen.job.values.canonical import canonical
from batchgen.job.values.known import Known, read_models
from batchgen.job.values.sweep import MODEL, Axis, Link, Rule, Sweep

_NAMED = 8  # names that a message lists
MAX_LISTED = 100_000  # values of a range that is added to others, or is searched for a near one


@dataclass(kw_only=True)
class RuleReader:
    """Reads the rules of a job file and collects what is wrong with them."""

    document: Source
    known: Known
    sweep: Sweep
    prompts: Sequence[Prompt]
    """All of them; one that ``add`` names has the id of another."""
    problems: list[Problem] = field(default_factory=list)

    def read(self, shape: JobFile) -> tuple[Rule, ...]:
        """The rules in the order in which they are applied: what is left out, then what is set."""
        rules: list[Rule] = []
        for index, where in enumerate(shape.exclude):
            path: Keys = ("exclude", index)
            found = self._where(path, where)
            rules.append(Rule(where=found, then=None, place=self.document.place(path)))
        for index, item in enumerate(shape.set):
            path = ("set", index)
            found = self._where((*path, "when"), item.when)
            then = self._then((*path, "then"), item.then, self.known.only(item.when))
            rules.append(Rule(where=found, then=then, place=self.document.place((*path, "then"))))
        return tuple(rules)

    def only(self, options: Sequence[str]) -> tuple[Rule, ...]:
        """The rule that leaves out all but what the *options* ``name=value`` say, if there are any.

        Several values of one name add up. Raises UsageError for a text that is no option.
        """
        where: dict[str, Values] = {}
        for text in options:
            name, document = read_option(text, "--only")
            reader = replace(self, document=document, problems=self.problems)
            found = reader._where((), {name: document.value}).get(name)  # noqa: SLF001  # our own
            if found is not None and name in where:
                if len(where[name]) + len(found) > MAX_LISTED:
                    most = f"expected at most {MAX_LISTED:,} values of {name} from several --only"
                    reader._refuse((), f"{most}; one range may have more")  # noqa: SLF001  # our own
                    continue
                both = (*where[name], *found)
                found = Values(tuple({canonical(value): value for value in both}.values()))
            where |= {} if found is None else {name: found}
        if not options:
            return ()
        place = read_option(options[-1], "--only")[1].place(())
        return (Rule(where=where, then=None, place=place, only=True),)

    def _where(self, path: Keys, where: Mapping[str, object]) -> dict[str, Values]:
        if not where:
            self._refuse(path, "expected at least one name and its value, got none")
        found: dict[str, Values] = {}
        for name, raw in where.items():
            if wrong := self._unknown(name):
                self._refuse((*path, name), wrong, of_key=True)
                continue
            try:
                found[name] = self._values(name, raw)
            except AxisError as error:
                at = (*path, name) if error.index is None else (*path, name, error.index)
                self._refuse(at, str(error))
        return found

    def _values(self, name: str, raw: object) -> Values:
        """The values of *name* in *raw*, one or several. Raises AxisError."""
        if name == MODEL:
            return read_models(raw)
        if named := self._named(name):
            return _among(raw, name, named)
        if self.known.several(raw, name=name):
            return self.known.read(raw, name=name)[0]
        self.known.refuse(raw, name=name)
        return Values((raw,))

    def _named(self, name: str) -> list[Values]:
        """What *name* may be, when that is one of names: prompts, points or words of an axis."""
        if name == "prompt":
            return [self._ids]
        for axis in self.sweep.axes:
            if axis.name != name or self.sweep.sends(name):
                continue
            own = axis.values if isinstance(axis, Axis) else Values([p.name for p in axis.points])
            brought = [p.values[name] for p in self.prompts if name in p.values]
            return [own, *brought]
        return []

    @cached_property
    def _ids(self) -> Values:
        return Values(tuple(dict.fromkeys(prompt.id for prompt in self.prompts)))

    def _then(self, path: Keys, then: Mapping[str, object], known: Known) -> dict[str, object]:
        if not then:
            self._refuse(path, "expected at least one name and its value, got none")
        fixed = {"prompt", MODEL, *(a.name for a in self.sweep.axes if isinstance(a, Link))}
        found: dict[str, object] = {}
        for name, value in then.items():
            place = (*path, name)
            wrong = known.unknown(name) if self.sweep.sends(name) else None
            if name in fixed:
                wrong = f"{name} cannot be set here; write other variants under add"
            if wrong:
                self._refuse(place, wrong, of_key=True)
                continue
            try:
                known.refuse(value, name=name)
            except AxisError as error:
                several = "; several values go under matrix" if isinstance(value, list) else ""
                self._refuse(place, f"{error}{several}")
            found[name] = value
        return found

    def _unknown(self, name: str) -> str | None:
        """Say that no variant has a *name*."""
        names = {"prompt", MODEL, *self._given()}
        if name in names:
            return None
        near = did_you_mean(name, names) or f"; there are {', '.join(sorted(names))}"
        return f"no variant has a {name!r}{near}"

    def _given(self) -> Iterator[str]:
        """The names that the job gives values to."""
        yield from (*self.sweep.params, *self.sweep.words)
        for axis in self.sweep.axes:
            yield axis.name or MODEL
            if isinstance(axis, Link):
                yield from (name for point in axis.points for name in point.values)
        for name in {name for prompt in self.prompts for name in prompt.values}:
            # Others are mistakes, which are told elsewhere.
            if not self.sweep.sends(name) or not self.known.unknown(name):
                yield name
        if any(model.takes_seed() for model in self.known.models):
            yield "seed"

    def _refuse(self, path: Keys, message: str, *, of_key: bool = False) -> None:
        self.problems.append(self.document.place(path, of_key=of_key).problem(message))


def _among(raw: object, name: str, named: list[Values]) -> Values:
    """The values in *raw*, each one of those *named*. Raises AxisError."""
    items = raw if isinstance(raw, list) else [raw]
    for index, value in enumerate(items):
        if not any(value in values for values in named):
            # A range may have more values than can be listed.
            some = list(dict.fromkeys(islice(chain.from_iterable(named), MAX_LISTED)))
            near = did_you_mean(str(value), map(str, some))
            more = ", ".join(map(str, some[:_NAMED])) + (", ..." if len(some) > _NAMED else "")
            at = index if isinstance(raw, list) else None
            raise AxisError(f"no {name} is {describe(value)}{near or f'; it may be {more}'}", at)
    return Values(tuple(items))
