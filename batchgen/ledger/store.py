"""The ledger: one SQLite file in WAL mode with synchronous=FULL, written by one thread.

A write is durable when its call returns. Writes that wait together are committed together, so the
fsync of a commit is shared by all variants in flight (group commit).
"""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

from batchgen.errors import StorageError
from batchgen.ledger.entry import Entry, Image, State, Totals
from batchgen.ledger.rows import COLUMNS, SCHEMA_VERSION, SELECT, create, move, to_entry, to_image
from batchgen.ledger.writer import Writer, connect

_CHUNK = 500

T = TypeVar("T")


class Ledger:
    """The durable record of every variant's state; use it as a context manager."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the ledger at *path*, and make it unless *read_only*.

        Raises StorageError when it cannot be opened or is not a ledger of this version.
        """
        self.path = path
        try:
            self._reader = connect(path, read_only=read_only)
            if not read_only:
                create(self._reader)
            self._check_version()
        except sqlite3.Error as error:
            raise StorageError(f"cannot use the ledger {path}: {error}") from None
        self._writer = None if read_only else Writer(path)

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Commit what waits, stop the writer and close the file."""
        if self._writer:
            self._writer.close()
        self._reader.close()

    # Writing ------------------------------------------------------------------------------------

    async def write(self, entry: Entry, images: Sequence[Image] = ()) -> None:
        """Make a move durable, together with the *images* it brought.

        Raises StorageError when it could not be written, IllegalMoveError when the ledger knows
        a newer revision of the entry.
        """
        assert self._writer, "the ledger was opened for reading only"
        future = self._writer.enqueue(lambda db: move(db, entry, images))
        # Shielded: a caller that is cancelled meanwhile must not take the move back.
        await asyncio.shield(asyncio.wrap_future(future))

    def set_meta(self, **values: object) -> None:
        """Store facts about the dataset as JSON."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._now(lambda db: db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows))

    def hold_unanswered(self) -> int:
        """Turn submits whose answer was never recorded into uncertain ones; how many there were."""

        def hold(db: sqlite3.Connection) -> int:
            return db.execute(
                "UPDATE variants SET state = 'uncertain', revision = revision + 1, "
                "error_class = 'unanswered', error = 'the run ended before the answer was read' "
                "WHERE state = 'submitting'"
            ).rowcount

        return self._now(hold)

    def want(self, keys: Iterable[str]) -> None:
        """Mark the variants in *keys* as those the job asks for, and no others."""
        self._now(lambda db: db.execute("UPDATE variants SET wanted = 0"))
        for chunk in _chunks(keys):
            self._now(
                lambda db, chunk=chunk: db.execute(  # type: ignore[misc]
                    f"UPDATE variants SET wanted = 1 WHERE key IN ({_marks(chunk)})", chunk
                )
            )

    def _now(self, job: Callable[[sqlite3.Connection], T]) -> T:
        assert self._writer, "the ledger was opened for reading only"
        return self._writer.enqueue(job).result()

    # Reading ------------------------------------------------------------------------------------

    def meta(self) -> dict[str, object]:
        """The facts stored about the dataset."""
        rows = self._reader.execute("SELECT name, value FROM meta")
        return {name: json.loads(value) for name, value in rows}

    def known(self, keys: Sequence[str]) -> dict[str, Entry]:
        """The entries of those *keys*, at most a few hundred, that have one."""
        sql = f"SELECT {SELECT} FROM variants v WHERE v.key IN ({_marks(keys)})"
        return {row[0]: to_entry(row) for row in self._reader.execute(sql, keys)}

    def entries(self, *states: State, wanted_only: bool = False) -> Iterator[Entry]:
        """The entries in each of *states*, by key, a few hundred at a time."""
        sql = (
            f"SELECT {SELECT} FROM variants v WHERE v.state = ? AND v.key > ? "
            f"AND v.wanted >= ? ORDER BY v.key LIMIT {_CHUNK}"
        )
        for state in states:
            after = ""
            while rows := self._reader.execute(sql, (state, after, wanted_only)).fetchall():
                yield from map(to_entry, rows)
                after = rows[-1][0]

    def short(self) -> Iterator[Entry]:
        """Saved entries that the job asks for and that have fewer images than asked for."""
        sql = (
            f"SELECT {SELECT} FROM variants v WHERE v.wanted AND v.state = 'saved' "
            "AND v.error_class NOTNULL ORDER BY v.key"
        )
        return map(to_entry, self._reader.execute(sql))

    def images(self) -> Iterator[tuple[Entry, Image]]:
        """All saved images with the entries they belong to, in the order they were saved."""
        sql = (
            f"SELECT {SELECT}, i.seq, i.image_index, i.file_name, i.bytes, i.sha256, "
            "i.media_type, i.width, i.height, i.nsfw, i.saved_at FROM images i "
            f"JOIN variants v ON v.key = i.key WHERE i.seq > ? ORDER BY i.seq LIMIT {_CHUNK}"
        )
        after, width = 0, len(COLUMNS)
        while rows := self._reader.execute(sql, (after,)).fetchall():
            for row in rows:
                yield to_entry(row[:width]), to_image(row[width + 1 :])
            after = rows[-1][width]

    def images_since(self, time: str) -> int:
        """How many images were saved at or after *time*."""
        sql = "SELECT count(*) FROM images WHERE saved_at >= ?"
        return int(self._reader.execute(sql, (time,)).fetchone()[0])

    def counts(self) -> Counter[State]:
        """How many of the variants that the job asks for are in each state."""
        sql = "SELECT state, count(*) FROM variants WHERE wanted GROUP BY state"
        return Counter({State(state): number for state, number in self._reader.execute(sql)})

    def totals(self) -> Totals:
        """Sums over the whole dataset, variants that are no longer asked for included."""
        made = self._reader.execute("SELECT count(*), sum(bytes), sum(nsfw) FROM images").fetchone()
        spent = self._reader.execute(
            "SELECT sum(spent_micros), sum(NOT wanted) FROM variants"
        ).fetchone()
        short = self._reader.execute(
            "SELECT count(*) FROM variants WHERE wanted AND state = 'saved' AND error_class NOTNULL"
        ).fetchone()
        return Totals(
            images=made[0],
            bytes=made[1] or 0,
            nsfw=made[2] or 0,
            spent_micros=spent[0] or 0,
            unwanted=spent[1] or 0,
            short=short[0],
        )

    def _check_version(self) -> None:
        version = self.meta().get("schema_version")
        if version != SCHEMA_VERSION:
            raise StorageError(
                f"expected a ledger of version {SCHEMA_VERSION} at {self.path}, got {version}; "
                "use the batchgen that made it"
            )


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    keys = iter(keys)
    while chunk := list(islice(keys, _CHUNK)):
        yield chunk


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
