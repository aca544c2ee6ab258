"""What stands beside the prompts of a job file: ``matrix``, ``zip``, ``params`` and ``vars``."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from batchgen.errors import Problem
from batchgen.job.grammar.shape import JobFile, PromptEntry, PromptFile
from batchgen.job.source.document import Keys, Source
from batchgen.job.source.files import Place
from batchgen.job.source.wording import describe
from batchgen.job.values.axes import AxisError, spread
from batchgen.job.values.known import Known, read_models
from batchgen.job.values.sweep import MODEL, Axis, Link, Point
from batchgen.job.values.templates import NAME

MAX_POINTS = 100_000  # of linked values, which are listed and never counted through
_RESERVED = {
    "prompt": "prompts go under the key prompts",
    "repeat": "repeats go under the key repeat",
    "include": "more variants go under add, other values for some of them under set",
    "exclude": "exclude stands beside matrix, not in it",
    **dict.fromkeys(
        ("id", "text", "file", "sample", "name", "params", "prompt_id", "key", "index"),
        "an axis cannot have this name; choose another one",
    ),
}


@dataclass(kw_only=True)
class MatrixReader:
    """Reads all that multiplies or is fixed, and collects what is wrong with it."""

    document: Source
    shape: JobFile
    known: Known = field(init=False)
    """Of the models that the axes are for."""
    base: Known = field(init=False)
    """Of the model that a variant without an axis has."""
    every: Known = field(init=False)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    undecided: dict[str, list[Place]] = field(default_factory=dict)
    """Names that are no known parameters, each with its places: words, if a text uses them."""
    _set_by: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the models of the job, by which everything else is checked."""
        ids = list(_named_models(self.shape))
        if not self._swept_models():
            ids.insert(0, self.shape.model)
        self.known = Known.of(ids)
        self.base = Known.of([self.shape.model])
        added = [item.get(MODEL, self.shape.model) for item in self.shape.add]
        self.every = Known.of([*ids, *(name for name in added if isinstance(name, str))])
        unlike = f"by {self.shape.model}, which is not among the models of matrix"
        for index, item in enumerate(self.shape.add):
            if MODEL not in item and self.shape.model not in ids:
                told = f"this variant is made {unlike}; give it a model of its own"
                self.warnings.append(self.document.place(("add", index)).problem(told))

    def _swept_models(self) -> bool:
        """Whether every variant has its model from an axis."""
        parts = [self.shape.matrix, *groups(self.shape)]
        lists = [raw for raw in self.shape.matrix.values() if isinstance(raw, list)]
        return any(MODEL in part for part in parts) or any(
            raw and all(isinstance(item, dict) and MODEL in item for item in raw) for raw in lists
        )

    def axes(self) -> tuple[Axis | Link, ...]:
        """The axes under ``matrix``, then those under ``zip``."""
        found: list[Axis | Link | None] = []
        for name, raw in self.shape.matrix.items():
            path = ("matrix", name)
            if isinstance(raw, list) and any(isinstance(item, dict) for item in raw):
                found.append(self._link(path, raw))
            elif self._may_have(path):
                found.append(self._axis(path, raw))
        raw = self.shape.zip
        for index, group in enumerate(raw if isinstance(raw, list) else [raw]):
            where: Keys = ("zip", index) if isinstance(raw, list) else ("zip",)
            if isinstance(group, dict) and group:
                found.append(self._zip(where, group))
            elif group and not isinstance(group, dict):
                wrong = "expected a mapping of lists of one length"
                self._refuse(where, f"{wrong}, got {describe(group)}")
        return tuple(axis for axis in found if axis is not None)

    def params(self) -> Mapping[str, object]:
        """The fixed parameters."""
        for name, value in self.shape.params.items():
            path = ("params", name)
            if name == MODEL:
                self._refuse(path, "the model goes under the key model", of_key=True)
            elif self._may_have(path, fixed=True, known=self.every) and self.every.has(name):
                several = "; several values go under matrix"
                self._checked(path, name, value, known=self.every, hint=several)
        return self.shape.params

    def words(self) -> Mapping[str, object]:
        """The fixed values of placeholders."""
        for name, value in self.shape.vars.items():
            path = ("vars", name)
            if name == MODEL:
                self._refuse(path, "the model goes under the key model", of_key=True)
            elif not re.fullmatch(NAME, name):
                wrong = (
                    "expected a name of lower-case letters, digits and '_', which a text can use"
                )
                self._refuse(path, f"{wrong} as {{name}}", of_key=True)
            elif self.known.has(name):
                self._refuse(path, f"{name} is a parameter; it goes under params", of_key=True)
            elif isinstance(value, list | dict | None):
                wrong = f"expected a text, a number, true or false, got {describe(value)}"
                several = "; several values go under matrix" if isinstance(value, list) else ""
                self._refuse(path, wrong + several)
        return self.shape.vars

    def _axis(self, path: Keys, raw: object) -> Axis | None:
        name = str(path[-1])
        try:
            if name == MODEL:
                values, warnings = read_models(raw), list[str]()
            else:
                values, warnings = self.known.read(raw, name=name)
        except AxisError as error:
            self._refuse(path if error.index is None else (*path, error.index), str(error))
            return None
        self.warnings += [self.document.place(path).problem(warning) for warning in warnings]
        self._claim(name, path)
        return Axis(name=name, values=values, place=self.document.place(path, of_key=True))

    def _link(self, path: Keys, items: Sequence[object]) -> Link | None:
        name = str(path[-1])
        if name == MODEL or self.known.has(name):
            what = "the axis of models" if name == MODEL else "a parameter"
            self._refuse(path, f"{name} is {what}: expected plain values, got mappings")
            return None
        if self._reserved(path):
            return None
        before = len(self.problems)
        points = [self._point((*path, index), item) for index, item in enumerate(items)]
        names = [point.name for point in points if point]
        seen: set[str | None] = set()
        for index, own in enumerate(names):
            if own in seen and len(self.problems) == before:
                self._refuse((*path, index, "name"), f"the name {own!r} was given before")
            seen.add(own)
        if len(self.problems) > before:
            return None
        for used in dict.fromkeys([name, *(n for p in points if p for n in p.values)]):
            self._claim(used, path)
        return Link(name=name, points=tuple(p for p in points if p))

    def _point(self, path: Keys, item: object) -> Point | None:
        if not isinstance(item, dict) or "name" not in item:
            got = "one without" if isinstance(item, dict) else describe(item)
            self._refuse(path, f"expected a mapping with a name, such as {{name: ink}}, got {got}")
            return None
        if not isinstance(item["name"], str):
            got = describe(item["name"])
            self._refuse((*path, "name"), f"expected a name as text, got {got}")
            return None
        params = item.get("params", {})
        if not isinstance(params, dict):
            self._refuse((*path, "params"), f"expected a mapping, got {describe(params)}")
            return None
        values: dict[str, object] = {}
        known = self.known.only(item)
        words = {n: v for n, v in item.items() if n not in ("name", "params")}
        for where, own in ((path, words), ((*path, "params"), params)):
            for name, value in own.items():
                if name in values:
                    self._refuse((*where, name), f"{name} is set twice here", of_key=True)
                elif self._may_have((*where, name), fixed=where != path, known=known):
                    self._checked((*where, name), name, value, known=known)
                    values[name] = value
        return Point(name=str(item["name"]), values=values, place=self.document.place(path))

    def _zip(self, path: Keys, group: Mapping[str, object]) -> Link | None:
        columns: dict[str, Sequence[object]] = {}
        before = len(self.problems)
        for name, raw in group.items():
            where = (*path, name)
            if not self._may_have(where):
                continue
            try:
                columns[name] = spread(raw)
            except AxisError as error:
                self._refuse(where, str(error))
                continue
            if len(columns[name]) > MAX_POINTS:
                got = f"got {len(columns[name]):,}"
                self._refuse(where, f"expected at most {MAX_POINTS:,} linked values, {got}")
                return None
            for index, value in enumerate(columns[name]):
                self._checked((*where, index), name, value)
            self._claim(name, where)
        if len({len(values) for values in columns.values()}) > 1:
            got = ", ".join(f"{len(values):,} of {name}" for name, values in columns.items())
            self._refuse(path, f"expected lists of the same length under zip, got {got}")
        if len(self.problems) > before:
            return None
        place = self.document.place(path, of_key=True)
        rows = zip(*columns.values(), strict=True)
        points = (dict(zip(columns, row, strict=True)) for row in rows)
        return Link(
            name=None,
            points=tuple(Point(name=None, values=values, place=place) for values in points),
        )

    def _may_have(self, path: Keys, *, fixed: bool = False, known: Known | None = None) -> bool:
        """Whether the job may set the name at the end of *path*; *fixed* is never a word."""
        name = str(path[-1])
        known = known or self.known
        if name == MODEL:
            return True
        if self._reserved(path):
            return False
        if (known.has(name) or fixed) and (wrong := known.unknown(name)):
            self._refuse(path, wrong, of_key=True)
            return False
        if not known.has(name) and not fixed:
            self.undecided.setdefault(name, []).append(self.document.place(path, of_key=True))
        return True

    def _reserved(self, path: Keys) -> bool:
        wrong = _RESERVED.get(str(path[-1]))
        if wrong:
            self._refuse(path, wrong, of_key=True)
        return wrong is not None

    def _checked(
        self, path: Keys, name: str, value: object, *, known: Known | None = None, hint: str = ""
    ) -> None:
        try:
            if name == MODEL:
                read_models(value)
            else:
                (known or self.known).refuse(value, name=name)
        except AxisError as error:
            self._refuse(path, f"{error}{hint if isinstance(value, list) else ''}")

    def _claim(self, name: str, path: Keys) -> None:
        """One name has one axis."""
        where = ".".join(map(str, path))
        other = self._set_by.setdefault(name, where)
        if other != where:
            self._refuse(path, f"{name} has values under {other} already", of_key=True)

    def _refuse(self, path: Keys, message: str, *, of_key: bool = False) -> None:
        self.problems.append(self.document.place(path, of_key=of_key).problem(message))


def groups(shape: JobFile) -> list[dict[str, object]]:
    """The mappings under ``zip``."""
    listed = shape.zip if isinstance(shape.zip, list) else [shape.zip]
    return [group for group in listed if isinstance(group, dict)]


def _named_models(shape: JobFile) -> Iterator[str]:
    """The ids of all models that the job file names beside its own."""
    lists = [shape.matrix.get(MODEL), *(group.get(MODEL) for group in groups(shape))]
    items = [item for raw in shape.matrix.values() if isinstance(raw, list) for item in raw]
    lists += [item.get(MODEL) for item in items if isinstance(item, dict)]
    for prompt in shape.prompts:
        if isinstance(prompt, PromptEntry | PromptFile):
            lists.append((prompt.model_extra or {}).get(MODEL))
    for raw in lists:
        yield from (v for v in (raw if isinstance(raw, list) else [raw]) if isinstance(v, str))
