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
from pathlib import Path
from typing import BinaryIO, Self

from batchgen.dataset.folder import DatasetFolder, json_line, storage_error
from batchgen.errors import StorageError

Row = Mapping[str, object]

# Spreadsheets take a text that begins with one of these for a formula, and would run it; the last
# four are the full-width forms of the first.
_FORMULA = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")

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
    rows: int = 0
    """How many it has."""
    _failed: StorageError | None = None

    @classmethod
    def open(
        cls,
        folder: DatasetFolder,
        columns: Sequence[str],
        rows: Callable[[], Iterable[Row]],
        *,
        csv_safe: bool = True,
        mark: object = None,
    ) -> Self:
        """Open the manifest so that it holds exactly the rows that *rows* gives.

        *mark* is what :meth:`close` returned, if *rows* gives what it would have given then: files
        that nobody touched since are not read. Raises StorageError.
        """
        path = folder.manifest_jsonl
        try:
            with ExitStack() as stack:
                jsonl = stack.enter_context(open_view(path))
                path = folder.manifest_csv
                table = stack.enter_context(open_view(path))
                made = cls(
                    folder=folder, columns=columns, csv_safe=csv_safe, _jsonl=jsonl, _csv=table
                )
                made._begin(rows, mark)
                stack.pop_all()
        except OSError as error:
            raise storage_error(error, path) from None
        return made

    def _begin(self, rows: Callable[[], Iterable[Row]], mark: object) -> None:
        number = mark.get("rows") if isinstance(mark, dict) else None
        if isinstance(number, int) and mark == self._marked(number):
            self.rows = number
            for file in (self._jsonl, self._csv):
                file.seek(0, os.SEEK_END)
            return
        jsonl, table = Mender(self._jsonl), Mender(self._csv)
        table.add(_csv_line(self.columns, safe=self.csv_safe))
        for line, cells in _lines(self.columns, rows(), safe=self.csv_safe):
            jsonl.add(line)
            table.add(cells)
            self.rows += 1
        jsonl.finish()
        table.finish()

    def _marked(self, rows: int) -> dict[str, object]:
        paths = (self.folder.manifest_jsonl, self.folder.manifest_csv)
        return {
            "columns": list(self.columns),
            "csv_safe": self.csv_safe,
            "rows": rows,
            "files": [_identity(path.stat()) for path in paths],
        }

    def append(self, rows: Iterable[Row]) -> None:
        """Add the rows of one variant to both files.

        Raises StorageError, and from then on for ever: half a row may be at the end.
        """
        if self._failed:
            raise self._failed
        ordered = [in_order(self.columns, row) for row in rows]
        lines = [_csv_line(row.values(), safe=self.csv_safe) for row in ordered]
        try:
            # With the system at once: a killed run loses no row, and readers see them land.
            write_out(self._jsonl, b"".join(json_line(row).encode() for row in ordered))
            write_out(self._csv, b"".join(lines))
        except OSError as error:
            self._failed = storage_error(error, self.folder.manifest_jsonl)
            raise self._failed from None
        self.rows += len(ordered)

    def close(self) -> dict[str, object] | None:
        """Make both files durable and close them.

        Returns what a later :meth:`open` knows them by, as JSON; None when they are not what was
        written. Raises StorageError.
        """
        failed = self._failed
        written: list[list[int]] = []
        for file in (self._jsonl, self._csv):
            try:
                with file:
                    os.fsync(file.fileno())
                    written.append(_identity(os.fstat(file.fileno()), size=file.tell()))
            except OSError as error:
                failed = storage_error(error, self.folder.manifest_jsonl)
        if failed:
            raise failed
        try:
            mark = self._marked(self.rows)
        except OSError:
            return None
        return mark if mark["files"] == written else None


def write_out(file: BinaryIO, data: bytes) -> None:
    """Write *data* past the buffer, which is empty: flushing it would seek each time as well."""
    while data:
        data = data[os.write(file.fileno(), data) :]


def _identity(found: os.stat_result, size: int | None = None) -> list[int]:
    """Numbers that any change of a file changes; nobody can set the last one back."""
    return [found.st_size if size is None else size, found.st_ino, found.st_mtime_ns,
            found.st_ctime_ns]  # fmt: skip


def is_exact(
    folder: DatasetFolder,
    columns: Sequence[str],
    rows: Callable[[], Iterable[Row]],
    *,
    csv_safe: bool = True,
) -> bool:
    """Whether both files hold exactly the rows that *rows* gives; nothing is changed."""
    paths = (folder.manifest_jsonl, folder.manifest_csv)
    # A link or a pipe is none of ours, and a pipe would keep whoever opens it waiting.
    if not all(path.is_file() and not path.is_symlink() for path in paths):
        return False
    with paths[0].open("rb") as jsonl, paths[1].open("rb") as table:
        head = _csv_line(columns, safe=csv_safe)
        return (
            table.read(len(head)) == head
            and all(
                jsonl.read(len(line)) == line and table.read(len(cells)) == cells
                for line, cells in _lines(columns, rows(), safe=csv_safe)
            )
            and not jsonl.read(1)
            and not table.read(1)
        )


def open_view(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o664), "r+b")


class Mender:
    """Leaves a file at the end of its lines: what differs is cut off, what is missing written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._kept = 0
        self._right = True

    def add(self, line: bytes) -> None:
        """The next line that the file is to have."""
        if self._right and self._file.read(len(line)) == line:
            self._kept += len(line)
            return
        if self._right:
            self._cut()
        self._file.write(line)

    def finish(self) -> None:
        """There are no more lines."""
        if self._right:
            self._cut()
        self._file.flush()

    def _cut(self) -> None:
        self._right = False
        self._file.seek(self._kept)
        self._file.truncate()


def _lines(
    columns: Sequence[str], rows: Iterable[Row], *, safe: bool
) -> Iterator[tuple[bytes, bytes]]:
    """The line of each row in either file."""
    for row in rows:
        ordered = in_order(columns, row)
        yield json_line(ordered).encode(), _csv_line(ordered.values(), safe=safe)


def _csv_line(cells: Iterable[object], *, safe: bool) -> bytes:
    text = io.StringIO()
    # The writer quotes what holds a character of its own line end, so that has to be "\r\n".
    csv.writer(text).writerow([_cell(cell, safe=safe) for cell in cells])
    return text.getvalue().removesuffix("\r\n").encode() + b"\n"


def _cell(value: object, *, safe: bool) -> object:
    if isinstance(value, str):
        return f"'{value}" if safe and value[:1] in _FORMULA else value
    return str(value).lower() if isinstance(value, bool) else value


def in_order(columns: Sequence[str], row: Row) -> dict[str, object]:
    return {name: row.get(name) for name in columns}
