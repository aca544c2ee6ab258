"""The prompts of a job: texts, entries and files become :class:`Prompt` values."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from batchgen.errors import JobError, Problem, UsageError
from batchgen.job.grammar.shape import PromptEntry, PromptFile
from batchgen.job.source.document import MAX_PROBLEMS, Source
from batchgen.job.source.files import Place, folder_of
from batchgen.job.source.wording import describe, did_you_mean
from batchgen.job.texts.prompt import Prompt, made_id, refuse_id
from batchgen.job.texts.promptfiles import STDIN, read_rows
from batchgen.job.texts.wildcards import WildcardError, parse
from batchgen.job.texts.wordlists import WordLists
from batchgen.job.values.axes import MAX_TEXT, AxisError, Values, too_long
from batchgen.job.values.known import Known, read_models
from batchgen.job.values.templates import Template

_NOTHING: Mapping[str, Values] = MappingProxyType({})  # one for all prompts without values
_LOOKED_AT = 100  # texts of a prompt with wildcards that are searched for placeholders
_FEW = 100_000  # prompts that are read in any case, so that their number can be said


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """A prompt as written: its fields, and where each of them stands."""

    fields: Mapping[str, object]
    place: Callable[[str, bool], Place]
    """The place of a field's value, or of its key."""
    home: Place
    """In the job file that has it, or that names the file it is in: word lists are beside that."""


@dataclass(kw_only=True)
class PromptReader:
    """Reads the prompts of one job file and collects what is wrong with them."""

    document: Source
    known: Known
    most: int
    """Variants that the job may have; every prompt makes one at the least."""
    links: Mapping[str, frozenset[str]]
    """The names of the points of each axis of mappings."""
    lists: Callable[[Path], WordLists]
    """Those of a folder."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    placeholders: set[str] = field(default_factory=set)
    """The names that stand in texts."""
    undecided: dict[str, list[Place]] = field(default_factory=dict)
    """Names that are set on prompts and are no known parameters, each with its places."""

    def read(self, items: Iterable[str | PromptEntry | PromptFile]) -> tuple[Prompt, ...]:
        """All prompts in the order of the job; those with problems are left out."""
        found: dict[str, Prompt] = {}
        prompts: list[Prompt] = []
        for raw in self._raw(items):
            prompt = self._prompt(raw)
            # One wrong column of a million rows is one mistake, not a million.
            if len(self.problems) >= MAX_PROBLEMS:
                self._refuse(raw.place("text", False), "too many mistakes; nothing more was read")
                break
            if len(prompts) >= max(self.most, _FEW):
                wrong = f"expected at most {self.most:,} variants, got more than {len(prompts):,}"
                place = self.document.place(("prompts",))
                self._refuse(place, f"{wrong} prompts; raise run.max_variants if you want them all")
                break
            if prompt is None:
                continue
            earlier = found.setdefault(prompt.id, prompt)
            if earlier is not prompt and "id" in raw.fields:
                line = f"{earlier.place.file}:{earlier.place.line}"
                self._refuse(
                    raw.place("id", False), f"the id {prompt.id!r} was given before, at {line}"
                )
            prompts.append(prompt)
        return tuple(prompts)

    def added(
        self, items: Sequence[Mapping[str, object]], prompts: Sequence[Prompt]
    ) -> tuple[Prompt, ...]:
        """The entries under ``add``: each with a text, or with the id of one of *prompts*.

        They are for models of their own, which ``known`` tells.
        """
        known = {prompt.id: prompt for prompt in prompts}
        taken = {*known}
        found: list[Prompt | None] = []
        for index, item in enumerate(items):
            path = ("add", index)

            def place(name: str, of_key: bool, path: tuple[str | int, ...] = path) -> Place:
                return self.document.place((*path, name), of_key=of_key)

            named = item.get("prompt")
            if "text" in item:
                found.append(self._prompt(_Raw(fields=item, place=place, home=place("", False))))
                if isinstance(given := item.get("id"), str):
                    if given in taken:
                        name_it = "; name it as prompt" if given in known else ""
                        wrong = f"the id {given!r} was given before{name_it}"
                        self._refuse(place("id", False), wrong)
                    taken.add(given)
            elif isinstance(named, str) and named in known:
                found.append(self._again(known[named], item, place))
            elif "prompt" in item:
                near = did_you_mean(str(named), known) or f"; it may be {', '.join([*known][:8])}"
                wrong = f"expected the id of a prompt, got {describe(named)}{near}"
                self._refuse(place("prompt", False), wrong)
            else:
                got = f"got {', '.join(item) or 'none'}"
                self._refuse(place("", True), f"expected the key prompt or text, {got}")
        return tuple(prompt for prompt in found if prompt is not None)

    def _again(
        self, prompt: Prompt, item: Mapping[str, object], place: Callable[[str, bool], Place]
    ) -> Prompt | None:
        """*prompt* with other values."""
        fields = {name: value for name, value in item.items() if name != "prompt"}
        for key in sorted({"id", "sample"} & set(fields)):
            self._refuse(place(key, True), f"expected either prompt or {key}, got both")
            return None
        fields |= {"id": prompt.id, "text": "x"}
        own = self._prompt(_Raw(fields=fields, place=place, home=place("", False)))
        if own is None:
            return None
        values = {**prompt.values, **own.values}
        return replace(prompt, values=values or _NOTHING, again=place("", False))

    def _raw(self, items: Iterable[str | PromptEntry | PromptFile]) -> Iterator[_Raw]:
        for index, item in enumerate(items):
            path = ("prompts", index)

            def place(name: str, of_key: bool, path: tuple[str | int, ...] = path) -> Place:
                return self.document.place((*path, name), of_key=of_key)

            if isinstance(item, str):
                yield _Raw(fields={"text": item}, place=place, home=place("", False))
            elif isinstance(item, PromptEntry):
                fields = item.model_dump(exclude_unset=True)
                yield _Raw(fields=fields, place=place, home=place("", False))
            else:
                yield from self._rows(item, place)

    def _rows(self, item: PromptFile, place: Callable[[str, bool], Place]) -> Iterator[_Raw]:
        """The rows of a prompt file; parameters beside ``file`` hold for each row without them."""
        shared = item.model_extra or {}
        for name in sorted({"id", "text", "prompt"} & set(shared)):
            self._refuse(place(name, True), f"expected either file or {name}, got both")
            return
        path, home = Path(item.file), place("file", False)
        if item.file not in STDIN:
            path = folder_of(home) / item.file
        try:
            for row_place, fields in read_rows(path):

                def where(
                    name: str, of_key: bool, row: Place = row_place, own: Container[str] = fields
                ) -> Place:
                    beside = name in shared and name not in own
                    return place(name, of_key) if beside else row

                yield _Raw(fields={**shared, **fields}, place=where, home=home)
        except JobError as error:
            self.problems.extend(error.problems)
        except UsageError as error:
            self._refuse(home, str(error))

    def _prompt(self, raw: _Raw) -> Prompt | None:
        before = len(self.problems)
        fields = dict(raw.fields)
        # A CSV of prompts calls the column "prompt" as often as "text".
        name = "text" if "text" in fields or "prompt" not in fields else "prompt"
        text, given_id = fields.pop(name, None), fields.pop("id", None)
        sample = fields.pop("sample", None)
        known = self.known.only(fields)
        if wrong := _refuse_text(text, known):
            self._refuse(raw.place(name, False), wrong)
        values = {key: self._values(key, value, raw, known) for key, value in fields.items()}
        if wrong := refuse_id(given_id):
            self._refuse(raw.place("id", False), wrong)
        if len(self.problems) > before:
            return None
        checked = {key: value for key, value in values.items() if value is not None} or _NOTHING
        prompt_id = given_id if isinstance(given_id, str) else made_id(str(text), checked)
        prompt = Prompt(id=prompt_id, text=str(text), values=checked, place=raw.place(name, False))
        if sample is not None:
            return self._wild(prompt, sample, raw)
        if "{" in prompt.text:
            self.placeholders |= Template(prompt.text).names
        return prompt

    def _wild(self, prompt: Prompt, sample: object, raw: _Raw) -> Prompt | None:
        """*prompt* with its wildcards read; ``sample`` asks for them."""
        place = raw.place("sample", False)
        if sample != "all" and (type(sample) is not int or sample < 1):
            self._refuse(place, f"expected a number of texts or all, got {describe(sample)}")
            return None
        try:
            tree = parse(prompt.text, self.lists(folder_of(raw.home)).find)
        except WildcardError as error:
            self._refuse(prompt.place.within(prompt.text, error.offset), error.message)
            return None
        number = sample if isinstance(sample, int) else None
        wild = replace(prompt, wild=tree, sample=number)
        if wild.count() > self.most:
            asked = "more texts" if wild.count() > 10**12 else f"{wild.count():,} texts"
            self._refuse(place, f"expected at most {self.most:,} variants, got {asked}; draw fewer")
            return None
        if wild.count() > tree.count():
            most = f"expected at most {tree.count():,}, which is all there are"
            self._refuse(place, f"{most}, got {wild.count():,}; write sample: all")
            return None
        for template in islice(wild.templates(0), _LOOKED_AT):
            self.placeholders |= template.names
        self.placeholders |= Template(prompt.text).names
        return wild

    def _values(self, name: str, given: object, raw: _Raw, known: Known) -> Values | None:
        wrong = known.unknown(name) if known.has(name) else None
        if name == "prompt":
            wrong = "expected either text or prompt, got both"
        if wrong:
            self._refuse(raw.place(name, True), wrong)
            return None
        try:
            if name == "model":
                return read_models(given)
            if name in self.links:
                return _points(given, name, self.links[name])
            if not known.has(name):
                self._undecided(name, raw)
            return self._parameter(name, given, raw, known)
        except AxisError as error:
            self._refuse(raw.place(name, False), str(error))
            return None

    def _parameter(self, name: str, given: object, raw: _Raw, known: Known) -> Values:
        """The one value of a parameter or a word, or several. Raises AxisError."""
        if not known.several(given, name=name):
            known.refuse(given, name=name)
            return Values((given,))
        values, warnings = known.read(given, name=name)
        self.warnings.extend(raw.place(name, False).problem(w) for w in warnings)
        return values

    def _undecided(self, name: str, raw: _Raw) -> None:
        places = self.undecided.setdefault(name, [])
        place = raw.place(name, True)
        # Rows of one file share their columns: once is enough.
        if place.file == self.document.file or all(place.file != p.file for p in places):
            places.append(place)

    def _refuse(self, place: Place, message: str) -> None:
        self.problems.append(place.problem(message))


def _refuse_text(text: object, known: Known) -> str | None:
    if isinstance(text, str) and len(text) > MAX_TEXT:
        return too_long(text)
    try:
        known.refuse(text, name="prompt")
    except AxisError as error:
        return str(error)
    empty = not isinstance(text, str) or not text.strip()
    return f"expected a text that is not empty, got {describe(text)}" if empty else None


def _points(given: object, axis: str, names: frozenset[str]) -> Values:
    """The names of points of *axis* that a prompt has instead of all. Raises AxisError."""
    wanted = given if isinstance(given, list) else [given]
    for index, name in enumerate(wanted):
        if name not in names:
            near = did_you_mean(str(name), names) or f"; it has {', '.join(sorted(names))}"
            where = index if isinstance(given, list) else None
            raise AxisError(f"the axis {axis} has no {describe(name)}{near}", where)
    return Values(tuple(dict.fromkeys(wanted)))
