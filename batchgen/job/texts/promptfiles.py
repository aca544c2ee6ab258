"""Prompt files: the rows of .txt, .csv, .tsv, .jsonl and .parquet files, each with its place."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from batchgen.errors import JobError, UsageError
from batchgen.job.source.files import Place, decode_text, read_regular_file
from batchgen.job.source.scalars import MAX_DIGITS, resolve
from batchgen.job.source.wording import describe
from batchgen.job.texts.parquetfiles import parquet_rows

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_COLUMNS = 1_000
ENDINGS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
STDIN = ("-", *(f"-{ending}" for ending in ENDINGS))
"""Names for standard input: lines of text, unless an ending says otherwise."""


def read_rows(path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    """The prompts of a file with their places: ``text`` from .txt, all columns from the others.

    ``-``, or ``-.csv`` and the like, is standard input. Raises UsageError for a file that is not
    there or of another kind, JobError for a bad row.
    """
    stdin = path.name in STDIN
    ending = path.name[1:] or ".txt" if stdin else path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"expected a prompt file ending in {', '.join(ENDINGS)}, got {path}")
    if stdin:
        path, raw = Path("standard input"), _standard_input()
    else:
        raw = read_regular_file(path, max_bytes=MAX_FILE_BYTES, what="a prompt file")
    if ending == ".parquet":
        yield from parquet_rows(raw, path)
        return
    text = decode_text(raw, file=str(path))
    del raw  # it may be as large as the text
    if "\0" in text:
        raise UsageError(f"expected a prompt file of text at {path}, got a zero byte in it")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    match ending:
        case ".txt":
            yield from _text_rows(text, path)
        case ".jsonl":
            yield from _jsonl_rows(text, path)
        case suffix:
            yield from _table_rows(text, path, delimiter="\t" if suffix == ".tsv" else ",")


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("expected prompts on standard input, got a terminal; send a file there")
    raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"expected at most {MAX_FILE_BYTES >> 20} MiB on standard input")
    return raw


def _text_rows(text: str, path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        prompt = line.strip()
        if prompt and not prompt.startswith("#"):
            yield Place(file=str(path), line=number, column=1, source=line[:200]), {"text": prompt}


def _jsonl_rows(text: str, path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    # Not splitlines(): a prompt may hold U+2028 or U+0085.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = Place(file=str(path), line=number, column=1, source=line[:200])
        try:
            row = json.loads(line, parse_int=_whole, object_pairs_hook=_object)
            # What cannot be written back cannot be sent: NaN, 1e999, half a surrogate pair.
            json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise JobError([place.problem(f"expected valid JSON: {_fault(error)}")]) from None
        if not isinstance(row, dict):
            raise JobError([place.problem(f"expected a JSON object, got {describe(row)}")])
        _check_columns(len(row), place)
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


def _check_columns(number: int, place: Place) -> None:
    if number > MAX_COLUMNS:
        raise JobError([place.problem(f"expected at most {MAX_COLUMNS:,} columns, got {number:,}")])


def _check_header(header: list[str], place: Place) -> None:
    _check_columns(len(header), place)
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


class _ValueError(ValueError):
    """Valid JSON that is refused all the same."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _ValueError("a key was given twice")
    return found


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise _ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _fault(error: Exception) -> str:
    if isinstance(error, _ValueError):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeEncodeError):
        return "half of a surrogate pair in a text"
    if isinstance(error, RecursionError):
        return "too deeply nested"
    return "NaN, or a number that is too large"
