"""The rows of a shard's run: a JSONL file for each of its parts, until they are merged.

Several runs cannot stream to one manifest. As with the manifest, each file is cut back to the rows
its ledger vouches for and completed from it when a run starts.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from batchgen.dataset.folder import json_line, storage_error
from batchgen.dataset.rows.manifest import Mender, Row, in_order, open_view, write_out
from batchgen.errors import StorageError

PartOf = Callable[[str], int]


class PartRows:
    """The files of some parts, open for appending."""

    def __init__(self, columns: Sequence[str], part_of: PartOf, files: dict[int, BinaryIO]) -> None:
        """Append rows of *columns* to *files*; *part_of* tells the part of a variant's key."""
        self._columns = columns
        self._part_of = part_of
        self._files = files
        self._failed: StorageError | None = None
        self.rows = 0
        """How many they have."""

    @classmethod
    def open(
        cls,
        paths: Mapping[int, Path],
        columns: Sequence[str],
        part_of: PartOf,
        rows: Callable[[int], Iterable[Row]],
    ) -> Self:
        """Open the files at *paths* so that each holds exactly the *rows* of its part.

        Raises StorageError.
        """
        path = Path()
        try:
            with ExitStack() as stack:
                files = {}
                for part, path in paths.items():
                    files[part] = stack.enter_context(open_view(path))
                made = cls(columns, part_of, files)
                for part, file in files.items():
                    path = paths[part]
                    made._mend(file, rows(part))
                stack.pop_all()
        except OSError as error:
            raise storage_error(error, path) from None
        return made

    def _mend(self, file: BinaryIO, rows: Iterable[Row]) -> None:
        mender = Mender(file)
        for row in rows:
            mender.add(json_line(in_order(self._columns, row)).encode())
            self.rows += 1
        mender.finish()

    def append(self, rows: Iterable[Row]) -> None:
        """Add the rows of one variant.

        Raises StorageError, and from then on for ever: half a row may be at the end.
        """
        if self._failed:
            raise self._failed
        made = [in_order(self._columns, row) for row in rows]
        file = self._files[self._part_of(str(made[0]["variant_key"]))]
        try:
            write_out(file, b"".join(json_line(row).encode() for row in made))
        except OSError as error:
            self._failed = storage_error(error, Path(str(file.name)))
            raise self._failed from None
        self.rows += len(made)

    def close(self) -> None:
        """Make all files durable and close them. Raises StorageError."""
        failed = self._failed
        for file in self._files.values():
            try:
                with file:
                    os.fsync(file.fileno())
            except OSError as error:
                failed = storage_error(error, Path(str(file.name)))
        if failed:
            raise failed
