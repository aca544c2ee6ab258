"""The prompts of a job: texts, entries and files become :class:`Prompt` values."""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from batchgen.errors import JobError, Problem, UsageError
from batchgen.job.axes import (
    MAX_TEXT,
    AxisError,
    Values,
    read_values,
    refuse,
    several,
    too_long,
    unknown_parameter,
)
from batchgen.job.canonical import digest
from batchgen.job.document import MAX_PROBLEMS, Document
from batchgen.job.files import Place
from batchgen.job.models import Model
from batchgen.job.promptfiles import read_rows
from batchgen.job.shape import PromptEntry, PromptFile
from batchgen.job.wording import describe

_WORD = re.compile("[a-z0-9]+")
_NOTHING: Mapping[str, Values] = MappingProxyType({})  # one for all prompts without values
_FEW = 100_000  # prompts that are read in any case, so that their number can be said
MAX_ID_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One entry under ``prompts``: its id, its text, and the parameters set on it alone."""

    id: str
    text: str
    values: Mapping[str, Values]
    place: Place


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """A prompt as written: its fields, and where each of them stands."""

    fields: Mapping[str, object]
    place: Callable[[str, bool], Place]
    """The place of a field's value, or of its key."""


@dataclass(kw_only=True)
class PromptReader:
    """Reads the prompts of one job file and collects what is wrong with them."""

    document: Document
    model: Model
    folder: Path
    most: int
    """Variants that the job may have; every prompt makes one at the least."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _wrong_columns: set[tuple[str, str]] = field(default_factory=set)

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

    def _raw(self, items: Iterable[str | PromptEntry | PromptFile]) -> Iterator[_Raw]:
        for index, item in enumerate(items):
            path = ("prompts", index)

            def place(name: str, of_key: bool, path: tuple[str | int, ...] = path) -> Place:
                return self.document.place((*path, name), of_key=of_key)

            if isinstance(item, str):
                yield _Raw(fields={"text": item}, place=place)
            elif isinstance(item, PromptEntry):
                yield _Raw(fields=item.model_dump(exclude_unset=True), place=place)
            else:
                yield from self._rows(item, place)

    def _rows(self, item: PromptFile, place: Callable[[str, bool], Place]) -> Iterator[_Raw]:
        """The rows of a prompt file; parameters beside ``file`` hold for each row without them."""
        shared = item.model_extra or {}
        for name in sorted({"id", "text", "prompt"} & set(shared)):
            self._refuse(place(name, True), f"expected either file or {name}, got both")
            return
        path = self.folder / item.file
        try:
            for row_place, fields in read_rows(path):

                def where(
                    name: str, of_key: bool, row: Place = row_place, own: Container[str] = fields
                ) -> Place:
                    beside = name in shared and name not in own
                    return place(name, of_key) if beside else row

                yield _Raw(fields={**shared, **fields}, place=where)
        except JobError as error:
            self.problems.extend(error.problems)
        except UsageError as error:
            self._refuse(place("file", False), str(error))

    def _prompt(self, raw: _Raw) -> Prompt | None:
        before = len(self.problems)
        fields = dict(raw.fields)
        # A CSV of prompts calls the column "prompt" as often as "text".
        name = "text" if "text" in fields or "prompt" not in fields else "prompt"
        text, given_id = fields.pop(name, None), fields.pop("id", None)
        parameter = self.model.parameter("prompt")
        wrong = parameter.refuse(text) if parameter else None
        if wrong or not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
            if isinstance(text, str) and len(text) > MAX_TEXT:
                wrong = too_long(text)
            wrong = wrong or f"expected a text that is not empty, got {describe(text)}"
            self._refuse(raw.place(name, False), wrong)
        values = {key: self._values(key, value, raw) for key, value in fields.items()}
        if wrong := _refuse_id(given_id):
            self._refuse(raw.place("id", False), wrong)
        if len(self.problems) > before:
            return None
        checked = {key: value for key, value in values.items() if value is not None} or _NOTHING
        prompt_id = given_id if isinstance(given_id, str) else _made_id(str(text), checked)
        return Prompt(id=prompt_id, text=str(text), values=checked, place=raw.place(name, False))

    def _values(self, name: str, raw_value: object, raw: _Raw) -> Values | None:
        unknown = unknown_parameter(name, self.model)
        if unknown or name == "prompt":
            place = raw.place(name, True)
            # Rows of one file share their columns: once is enough.
            if place.file == self.document.file or (place.file, name) not in self._wrong_columns:
                self._refuse(place, unknown or "expected either text or prompt, got both")
            self._wrong_columns.add((place.file, name))
            return None
        try:
            if several(raw_value, name=name, model=self.model):
                values, warnings = read_values(raw_value, name=name, model=self.model)
                self.warnings.extend(raw.place(name, False).problem(w) for w in warnings)
                return values
            refuse(raw_value, name=name, model=self.model)
        except AxisError as error:
            self._refuse(raw.place(name, False), str(error))
            return None
        return Values((raw_value,))

    def _refuse(self, place: Place, message: str) -> None:
        self.problems.append(place.problem(message))


def _refuse_id(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return f"expected an id as a text, got {describe(value)}"
    if not value or len(value) > MAX_ID_CHARACTERS:
        return f"expected an id of 1 to {MAX_ID_CHARACTERS} characters, got {len(value)}"
    return None if value.isprintable() else "expected an id of visible characters"


def _made_id(text: str, values: Mapping[str, Values]) -> str:
    """An id for a prompt without one: its first words and a hash of all of it."""
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word.group() for word in islice(_WORD.finditer(plain.lower()), 6)]
    content = {"text": text, "values": {name: list(v) for name, v in values.items()}}
    return "-".join([*words, digest(content)[:6]])[-60:].strip("-")
