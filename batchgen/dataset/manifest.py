"""The manifest: one row per image, streamed to ``manifest.jsonl`` and ``manifest.csv``.

It is a view of the ledger. When a run starts, both files are cut back to the rows the ledger
vouches for and completed from it, so there is never a torn, doubled or missing row.
"""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Self

from batchgen.dataset.folder import DatasetFolder, json_line, storage_error
from batchgen.errors import StorageError

Row = Mapping[str, object]

# Spreadsheets take a text that begins with one of these for a formula, and would run it; the last
# four are the full-width forms of the first.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_FIRST = ("file_name", "prompt_id", "prompt", "negative_prompt", "seed", "aspect_ratio")
_LAST = (
    "image_index", "nsfw", "width", "height", "bytes", "sha256", "media_type", "model",
    "prediction_id", "variant_key", "created_at", "submitted_at", "completed_at", "saved_at",
    "queue_ms", "inference_ms", "total_ms", "polls", "attempts", "cost_usd",
)  # fmt: skip


def columns(axes: Iterable[str] = ()) -> tuple[str, ...]:
    """The columns of a manifest whose job varies *axes*, in their fixed order."""
    more = [axis for axis in axes if axis not in _FIRST and axis not in _LAST]
    return (*_FIRST, *more, *_LAST)


@dataclass(kw_only=True)
class Manifest:
    """Both files, open for appending."""

    folder: DatasetFolder
    columns: Sequence[str]
    csv_safe: bool
    """Whether a text in the CSV that a spreadsheet would run gets an apostrophe before it."""
    _jsonl: BinaryIO
    _csv: BinaryIO

    @classmethod
    def open(
        cls,
        folder: DatasetFolder,
        columns: Sequence[str],
        rows: Callable[[], Iterable[Row]],
        *,
        csv_safe: bool = True,
    ) -> Self:
        """Open the manifest so that it holds exactly the rows that *rows* gives.

        It is called once for each of the two files. Raises StorageError.
        """
        path = folder.manifest_jsonl
        try:
            with ExitStack() as stack:
                jsonl = stack.enter_context(_open(path))
                _mend(jsonl, _jsonl_lines(columns, rows()))
                path = folder.manifest_csv
                table = stack.enter_context(_open(path))
                _mend(table, _csv_lines(columns, rows(), safe=csv_safe))
                stack.pop_all()
        except OSError as error:
            raise storage_error(error, path) from None
        return cls(folder=folder, columns=columns, csv_safe=csv_safe, _jsonl=jsonl, _csv=table)

    def append(self, rows: Iterable[Row]) -> None:
        """Add the rows of one variant to both files. Raises StorageError."""
        ordered = [_ordered(self.columns, row) for row in rows]
        try:
            self._jsonl.write(b"".join(json_line(row).encode() for row in ordered))
            lines = (_csv_line(row.values(), safe=self.csv_safe) for row in ordered)
            self._csv.write(b"".join(lines))
            # With the system at once: a killed run loses no row, and readers see them land.
            self._jsonl.flush()
            self._csv.flush()
        except OSError as error:
            raise storage_error(error, self.folder.manifest_jsonl) from None

    def close(self) -> None:
        """Make both files durable and close them. Raises StorageError."""
        failed: StorageError | None = None
        for file in (self._jsonl, self._csv):
            try:
                with file:
                    os.fsync(file.fileno())
            except OSError as error:
                failed = storage_error(error, self.folder.manifest_jsonl)
        if failed:
            raise failed


def is_exact(
    folder: DatasetFolder,
    columns: Sequence[str],
    rows: Callable[[], Iterable[Row]],
    *,
    csv_safe: bool = True,
) -> bool:
    """Whether both files hold exactly the rows that *rows* gives; nothing is changed."""
    return _holds(folder.manifest_jsonl, _jsonl_lines(columns, rows())) and _holds(
        folder.manifest_csv, _csv_lines(columns, rows(), safe=csv_safe)
    )


def _holds(path: Path, lines: Iterator[bytes]) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return all(file.read(len(line)) == line for line in lines) and not file.read(1)


def _open(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o664), "r+b")


def _mend(file: BinaryIO, lines: Iterator[bytes]) -> None:
    """Leave *file* at the end of *lines*: what differs is cut off, what is missing is written."""
    kept = 0
    missing: Iterator[bytes] = iter(())
    for line in lines:
        if file.read(len(line)) != line:
            missing = chain((line,), lines)
            break
        kept += len(line)
    file.seek(kept)
    file.truncate()
    for line in missing:
        file.write(line)
    file.flush()


def _jsonl_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    return (json_line(_ordered(columns, row)).encode() for row in rows)


def _csv_lines(columns: Sequence[str], rows: Iterable[Row], *, safe: bool) -> Iterator[bytes]:
    yield _csv_line(columns, safe=safe)
    for row in rows:
        yield _csv_line(_ordered(columns, row).values(), safe=safe)


def _csv_line(cells: Iterable[object], *, safe: bool) -> bytes:
    text = io.StringIO()
    # The writer quotes what holds a character of its own line end, so that has to be "\r\n".
    csv.writer(text).writerow(_cell(cell, safe=safe) for cell in cells)
    return text.getvalue().removesuffix("\r\n").encode() + b"\n"


def _cell(value: object, *, safe: bool) -> object:
    if value is None:
        return ""
    if safe and isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else value


def _ordered(columns: Sequence[str], row: Row) -> dict[str, object]:
    return {name: row.get(name) for name in columns}
