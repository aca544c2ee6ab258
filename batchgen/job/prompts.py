"""The prompts of a job: texts, entries and files become :class:`Prompt` values."""

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.errors import JobError, Problem, UsageError
from batchgen.job.axes import AxisError, Values, read_values, refuse, several, unknown_parameter
from batchgen.job.canonical import digest
from batchgen.job.document import Document, resolve
from batchgen.job.files import Place, decode_text, read_regular_file
from batchgen.job.models import Model
from batchgen.job.shape import PromptEntry, PromptFile
from batchgen.job.wording import describe

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_FILE_PROBLEMS = 20  # one wrong column of a million rows is one mistake, not a million
MAX_ID_CHARACTERS = 100
ENDINGS = (".txt", ".csv", ".tsv", ".jsonl")


@dataclass(frozen=True, kw_only=True)
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
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _wrong_columns: set[tuple[str, str]] = field(default_factory=set)

    def read(self, items: Iterable[str | PromptEntry | PromptFile]) -> tuple[Prompt, ...]:
        """All prompts in the order of the job; those with problems are left out."""
        found: dict[str, Prompt] = {}
        prompts: list[Prompt] = []
        for raw in self._raw(items):
            prompt = self._prompt(raw)
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
        before = len(self.problems)
        try:
            for row_place, fields in read_rows(path):
                if len(self.problems) >= before + MAX_FILE_PROBLEMS:
                    self._refuse(row_place, "too many mistakes; the file was not read further")
                    return

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
        if wrong or not isinstance(text, str) or not text.strip():
            wrong = wrong or f"expected a text that is not empty, got {describe(text)}"
            self._refuse(raw.place(name, False), wrong)
        values = {key: self._values(key, value, raw) for key, value in fields.items()}
        if wrong := _refuse_id(given_id):
            self._refuse(raw.place("id", False), wrong)
        if len(self.problems) > before:
            return None
        checked = {key: value for key, value in values.items() if value is not None}
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


def read_rows(path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    """The prompts of a file with their places: ``text`` from .txt, all columns from the others.

    Raises UsageError for a file that is not there or of another kind, JobError for a bad row.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"expected a prompt file ending in {', '.join(ENDINGS)}, got {path}")
    raw = read_regular_file(path, max_bytes=MAX_FILE_BYTES, what="a prompt file")
    text = decode_text(raw, file=str(path)).replace("\r\n", "\n").replace("\r", "\n")
    match path.suffix.lower():
        case ".txt":
            yield from _text_rows(text, path)
        case ".jsonl":
            yield from _jsonl_rows(text, path)
        case suffix:
            yield from _table_rows(text, path, delimiter="\t" if suffix == ".tsv" else ",")


def _text_rows(text: str, path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        prompt = line.strip()
        if prompt and not prompt.startswith("#"):
            yield Place(file=str(path), line=number, column=1, source=line), {"text": prompt}


def _jsonl_rows(text: str, path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    # Not splitlines(): a prompt may hold U+2028 or U+0085.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = Place(file=str(path), line=number, column=1, source=line)
        try:
            row = json.loads(line)
            # What cannot be written back cannot be sent: NaN, 1e999, half a surrogate pair.
            json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise JobError([place.problem(f"expected valid JSON: {_fault(error)}")]) from None
        if not isinstance(row, dict):
            raise JobError([place.problem(f"expected a JSON object, got {describe(row)}")])
        if type(row.get("id")) is int:
            row["id"] = str(row["id"])
        yield place, {key: value for key, value in row.items() if value is not None}


def _table_rows(
    text: str, path: Path, *, delimiter: str
) -> Iterator[tuple[Place, dict[str, object]]]:
    # The module's default of 131,072 characters would refuse a long prompt.
    csv.field_size_limit(MAX_FILE_BYTES)
    lines = text.split("\n")
    # With the line ends: a quoted cell may hold some.
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    try:
        for row in reader:
            place = Place(file=str(path), line=line, column=1, source=delimiter.join(row)[:200])
            line = reader.line_num + 1
            if not header:
                header = [name.strip() for name in row]
                _check_header(header, place)
            elif row:
                yield place, _table_fields(header, row, place, delimiter=delimiter)
    except csv.Error as error:
        place = Place(file=str(path), line=line, column=1, source=lines[line - 1][:200])
        unclosed = "unexpected end of data" in str(error)
        wrong = "a quote in this row is never closed" if unclosed else str(error)
        raise JobError([place.problem(f"expected a table: {wrong}")]) from None


def _check_header(header: list[str], place: Place) -> None:
    if not {"text", "prompt"} & set(header):
        raise JobError([place.problem("expected a first line with a column called text or prompt")])
    if len(set(header)) < len(header):
        raise JobError([place.problem("expected every column to have a name of its own")])


def _table_fields(
    header: list[str], row: list[str], place: Place, *, delimiter: str
) -> dict[str, object]:
    if len(row) > len(header):
        columns = "1 column" if len(header) == 1 else f"{len(header)} columns"
        what = "tab" if delimiter == "\t" else "comma"
        message = f"expected {columns}, got {len(row)}; a text with a {what} needs quotes"
        raise JobError([place.problem(message)])
    texts = {"text", "prompt", "id", "negative_prompt"}
    cells = zip(header, row, strict=False)  # an empty cell, or a missing one, is not set
    return {n: cell if n in texts else resolve(cell) for n, cell in cells if cell != ""}


def _fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeEncodeError):
        return "half of a surrogate pair in a text"
    if isinstance(error, RecursionError):
        return "too deeply nested"
    return "NaN, or a number that is too large"


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
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)[:6]
    content = {"text": text, "values": {name: list(v) for name, v in values.items()}}
    return "-".join([*words, digest(content)[:6]])[-60:].strip("-")
