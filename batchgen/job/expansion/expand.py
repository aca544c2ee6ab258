"""Every prompt spans boxes: the product of its axes, its texts filled in, the rules applied.

Values that vary independently stay one box, however many. What changes a text, and what is linked,
makes a box for each of its values.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import prod
from types import MappingProxyType

from batchgen.job.expansion.boxes import REPEAT, Box, Grid
from batchgen.job.expansion.distinct import DRAWN
from batchgen.job.expansion.excluding import Exclusions
from batchgen.job.models import find_model
from batchgen.job.source.files import Place
from batchgen.job.source.wording import did_you_mean
from batchgen.job.texts.prompt import Prompt
from batchgen.job.values.axes import AxisError, Values
from batchgen.job.values.known import Known
from batchgen.job.values.sweep import MODEL, Axis, Link, Point, Sweep
from batchgen.job.values.templates import Template

MAX_BOXES = 2_000_000  # of some 900 bytes each
TOO_MANY = (
    f"expected at most {MAX_BOXES:,} different texts and linked values, got more; make it several "
    "jobs, or let fewer values stand in texts"
)

_NONE: Mapping[str, object] = MappingProxyType({})  # one for most boxes
Refuse = Callable[[Place, str], None]
Part = tuple[Mapping[str, object], Mapping[str, object], Place | None]
"""Labels, values and place of one choice among linked ones; none where its axis has the place."""


class TooManyError(Exception):
    """More boxes than fit into memory."""


@dataclass(kw_only=True)
class Expander:
    """Makes the boxes of one prompt after the other; those without own values share their grids."""

    sweep: Sweep
    refuse: Refuse
    columns: frozenset[str] = frozenset()
    """The names of all that varies: words among them label the variants whose text uses them."""
    every_axis: bool = True
    """Whether a prompt that says nothing of an axis has all its points."""
    made: int = 0
    texts: int = 0
    touched: set[int] = field(default_factory=set)
    """The numbers of the rules that changed something."""
    short: list[tuple[Place, str]] = field(default_factory=list)
    """The prompts of which fewer texts were drawn than asked for."""
    _shared: dict[tuple[frozenset[int], frozenset[str]], list[Grid]] = field(default_factory=dict)
    _split: dict[tuple[int, frozenset[str]], tuple[Grid, list[Grid]]] = field(default_factory=dict)

    def boxes(self, prompt: Prompt) -> Iterator[Box]:
        """The boxes of *prompt*. Raises TooManyError."""
        own = _NONE
        if prompt.values and not self._own(prompt):
            own = {name: values[0] for name, values in prompt.values.items()}
        drawn = 0
        for template in prompt.templates(self.sweep.job_seed):
            drawn += 1
            self.texts += 1
            grids = self._grids(prompt, self._used(template, prompt))
            wrong = _misfit(grids, prompt) or self._missing(template, prompt, grids, own)
            if wrong:
                self.refuse(*wrong)
                return
            label = {n: v for n, v in own.items() if n in template.names} or _NONE
            for grid in grids:
                for part in self._parts(grid, template.names, prompt):
                    self.made += 1
                    if self.made > MAX_BOXES:
                        raise TooManyError
                    text = template.fill(_known(part, own) if template.names else own)
                    yield Box(prompt=prompt, text=text, grid=part, entry=self.texts, own=label)
        if drawn < prompt.count():
            few = f"only {drawn:,} of {prompt.count():,} different texts were drawn"
            self.short.append((prompt.place, f"{few}: the weights leave little chance to others"))

    def size(self, prompt: Prompt) -> int:
        """How many variants *prompt* has before any rule, by multiplication."""
        own, used = prompt.values, self._used(Template(prompt.text), prompt)
        size = self.sweep.repeat * prompt.count()
        for axis in (*self.sweep.axes, *self._more(own)):
            if isinstance(axis, Link):
                size *= len(axis.chosen(own)) if self.every_axis or axis.name in own else 1
            elif prompt.wild or self._multiplies(axis, used):
                size *= len(own.get(axis.name, axis.values))
        return size

    def _used(self, template: Template, prompt: Prompt) -> frozenset[str]:
        """The words that make a difference for a text: it uses them, or a rule asks for them."""
        edits = (rule for rule in self.sweep.rules if not rule.only and rule.touches(prompt.id))
        names = template.names.union(*(rule.where for rule in edits))
        return frozenset(name for name in names if not self.sweep.sends(name))

    def _multiplies(self, axis: Axis, used: frozenset[str]) -> bool:
        """Whether the values of *axis* make different variants of a text that uses those words."""
        return self.sweep.sends(axis.name) or axis.name == MODEL or axis.name in used

    def _grids(self, prompt: Prompt, used: frozenset[str]) -> list[Grid]:
        every = enumerate(self.sweep.rules)
        rules = frozenset(i for i, rule in every if rule.touches(prompt.id))
        if any(rule.only and i not in rules for i, rule in enumerate(self.sweep.rules)):
            return []
        if self._own(prompt):
            return self._ruled(self._spread(prompt.values, used), rules, used)
        kept = self._shared.get((rules, used))
        if kept is None:
            kept = self._ruled(self._spread({}, used), rules, used)
            self._shared[rules, used] = kept
        return kept

    def _own(self, prompt: Prompt) -> bool:
        """Whether anything but single words of its own sets *prompt* apart from others."""
        return any(
            len(values) > 1 or name in self._named or name == MODEL or self.sweep.sends(name)
            for name, values in prompt.values.items()
        )

    @cached_property
    def _named(self) -> frozenset[str]:
        """What axes and rules speak of."""
        rules = (name for rule in self.sweep.rules for name in (*rule.where, *(rule.then or ())))
        return frozenset([*(axis.name or "" for axis in self.sweep.axes), *rules])

    def _spread(self, own: Mapping[str, Values], used: frozenset[str]) -> list[Grid]:
        """The product of all axes: one grid for each choice of what is not independent."""
        plain: dict[str, Values] = {}
        choices: list[list[Part]] = []
        for axis in (*self.sweep.axes, *self._more(own)):
            if isinstance(axis, Link):
                if self.every_axis or axis.name in own:
                    points = axis.chosen(own)
                    _refuse_too_many((*map(len, choices), len(points)))
                    choices.append([self._linked(axis, p, own) for p in points])
                continue
            values = own.get(axis.name, axis.values)
            if self.sweep.sends(axis.name):
                plain[axis.name] = values
            elif self._multiplies(axis, used):
                _refuse_too_many((*map(len, choices), len(values)))
                choices.append([(_NONE, {axis.name: value}, None) for value in values])
        return [self._grid(plain, parts, used) for parts in product(*choices)]

    def _linked(self, axis: Link, point: Point, own: Mapping[str, Values]) -> Part:
        """What *point* says that the prompt does not say itself."""
        values = {n: v for n, v in point.values.items() if n not in own}
        label: dict[str, object] = {axis.name: point.name} if axis.name else {}
        return label, {**values, **label}, point.place

    def _more(self, own: Mapping[str, Values]) -> Iterator[Axis]:
        """The values of a prompt's own that take no axis' place."""
        named = {axis.name for axis in self.sweep.axes}
        here = Place(file="", line=0, column=0)
        for name, values in own.items():
            if name not in named:
                yield Axis(name=name, values=values, place=here)

    def _grid(
        self, plain: Mapping[str, Values], parts: Iterable[Part], used: frozenset[str]
    ) -> Grid:
        sweep = self.sweep
        labels: dict[str, object] = {}
        linked: dict[str, object] = {}
        places = sweep.places
        for label, values, place in parts:
            labels |= label
            linked |= values
            if place is not None:
                places = {**places, **dict.fromkeys(values, place)}
        words = {**sweep.words, **{n: v for n, v in linked.items() if not sweep.sends(n)}}
        model = str(words.pop(MODEL, sweep.model))
        fixed = {**sweep.params, **{n: v for n, v in linked.items() if sweep.sends(n)}}
        single = {n: Values((v,)) for n, v in fixed.items() if n not in plain}
        given = {**plain, **single}
        labels |= {n: v for n, v in words.items() if n in used and n in self.columns}
        if find_model(model).takes_seed():
            given.setdefault("seed", DRAWN)
        if sweep.repeat > 1:
            given = {REPEAT: Values(range(sweep.repeat)), **given}
        return Grid(model=model, values=given, labels=labels, words=words, places=places)

    def _ruled(self, grids: list[Grid], rules: frozenset[int], used: frozenset[str]) -> list[Grid]:
        every = [(number, self.sweep.rules[number]) for number in sorted(rules)]
        out = Exclusions(rules=[own for own in every if own[1].excludes], touched=self.touched)
        grids = [piece for grid in grids for piece in out.left_of(grid)]
        for number, _ in every[len(out.rules) :]:  # what is left out stands first
            grids = [piece for grid in grids for piece in self._under(number, grid, used)]
        return grids

    def _under(self, number: int, grid: Grid, used: frozenset[str]) -> Iterator[Grid]:
        """The pieces of *grid* after that rule."""
        rule = self.sweep.rules[number]
        if (touched := grid.within(rule.where)) is None:
            yield from () if rule.only else (grid,)
            return
        self.touched.add(number)
        if rule.only:
            yield touched
            return
        yield from grid.minus(touched)
        then = rule.then or _NONE
        sent = {n: Values((v,)) for n, v in then.items() if self.sweep.sends(n)}
        words = {n: v for n, v in then.items() if n not in sent}
        places = {**touched.places, **dict.fromkeys(then, rule.place)}
        yield replace(
            touched.with_values(sent),
            labels={**touched.labels, **{n: v for n, v in words.items() if n in used}},
            words={**touched.words, **words},
            places=places,
        )

    def _parts(self, grid: Grid, names: frozenset[str], prompt: Prompt) -> list[Grid]:
        """*grid* cut so that the values of all *names* are fixed."""
        several = frozenset(n for n in names if len(grid.values.get(n, ())) > 1)
        if not several:
            return [grid]
        kept = self._split.get((id(grid), several))
        if kept is None:
            order = [name for name in grid.values if name in several]
            _refuse_too_many(len(grid.values[name]) for name in order)
            points = product(*(grid.values[name] for name in order))
            parts = [
                grid.with_values({n: Values((v,)) for n, v in zip(order, point, strict=True)})
                for point in points
            ]
            kept = grid, parts
            if not self._own(prompt):
                self._split[id(grid), several] = kept
        return kept[1]

    def _missing(
        self,
        template: Template,
        prompt: Prompt,
        grids: list[Grid],
        own: Mapping[str, object],
    ) -> tuple[Place, str] | None:
        """What a placeholder of *template* has no value for."""
        if not template.names:
            return None
        for grid in grids:
            known = {**_known(grid, own), **dict.fromkeys(grid.values)}
            if grid.values.get("seed") is DRAWN:
                known.pop("seed", None)
            for name, _ in template.missing(known):
                braces = f"{{{name}}}"
                if not self.every_axis and name in self.columns:
                    wrong = f"expected a value for {braces} here, as {name}: ..., got none; "
                    wrong += "matrix does not reach what is under add"
                    return prompt.again or prompt.place.within(braces, 0), wrong
                return prompt.place.within(braces, 0), no_value(name, known, grid.labels)
        return None


def _refuse_too_many(sizes: Iterable[int]) -> None:
    """Raise TooManyError for a product of *sizes* that is too large to be listed."""
    if prod(sizes) > MAX_BOXES:
        raise TooManyError


def _misfit(grids: Iterable[Grid], prompt: Prompt) -> tuple[Place, str] | None:
    """What the model that *prompt* names does not accept of the values that others have given."""
    for grid in grids if MODEL in prompt.values else ():
        known = Known.of([grid.model])
        for name, values in grid.values.items():
            wrong = None if name == REPEAT else known.unknown(name)
            ends = values if not isinstance(values.items, range) else (values[0], values[-1])
            try:
                for value in () if wrong or name == REPEAT else ends:
                    known.refuse(value, name=name)
            except AxisError as error:
                wrong = f"{name}: {error}"
            if wrong:
                return prompt.place, f"{wrong}; {grid.model} is the model of this prompt"
    return None


def _known(grid: Grid, own: Mapping[str, object]) -> dict[str, object]:
    """What placeholders can stand for, of what is fixed in *grid*, and a prompt's *own* words."""
    fixed = {name: values[0] for name, values in grid.values.items() if len(values) == 1}
    return {**fixed, **grid.words, **grid.labels, MODEL: grid.model, **own}


def no_value(name: str, known: Iterable[str], labels: Mapping[str, object] = _NONE) -> str:
    """Say that a text uses *name*, and nothing gives it a value where *labels* hold."""
    if name == "seed":
        return "expected seeds under matrix for {seed}: one that is drawn cannot stand in a text"
    when = "".join(f" when {n} is {v}" for n, v in list(labels.items())[:1])
    near = did_you_mean(name, known, cutoff=0.75)
    near = near or f"; for braces in the text write {{{{{name}}}}}"
    return f"expected a value for {{{name}}} in vars, matrix or the prompt{when}, got none{near}"
