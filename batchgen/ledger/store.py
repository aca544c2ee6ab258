"""The ledger: one SQLite file in WAL mode with synchronous=FULL, written by one thread.

A write is durable when its call returns. Writes that wait together are committed together, so the
fsync of a commit is shared by all variants in flight (group commit).
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from batchgen.errors import StorageError
from batchgen.ledger import sums, wanting
from batchgen.ledger.entry import Entry, Image, State, Totals
from batchgen.ledger.rows import (
    COLUMNS,
    SCHEMA_VERSION,
    amend,
    check_image_name,
    check_tables,
    create,
    images_of,
    move,
    select,
    to_entry,
    to_image,
)
from batchgen.ledger.seal import is_sealed, seal
from batchgen.ledger.writer import Writer, connect

_CHUNK = 500

T = TypeVar("T")


class DamagedError(StorageError):
    """The file is no ledger, or not a whole one."""


class Ledger:
    """The durable record of every variant's state; use it as a context manager."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the ledger at *path*, and make it unless *read_only*.

        Raises StorageError when it cannot be opened or is not a ledger of this version.
        """
        self.path = path
        self._sound = False
        with ExitStack() as stack:
            try:
                self._reader = stack.enter_context(closing(connect(path, read_only=read_only)))
                if not read_only:
                    create(self._reader)
                self._check_version()
                check_tables(self._reader, upgrading=not read_only)
                self._select = select(self._reader)
                self._writer = None if read_only else Writer(path)
            except (sqlite3.Error, ValueError) as error:
                raise _trouble(path, error) from None
            stack.pop_all()

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it. What SQLite could not read becomes a StorageError."""
        if isinstance(error, sqlite3.Error):
            self.distrust()
        self.close()
        if isinstance(error, sqlite3.Error):
            advice = "; batchgen verify --repair rebuilds it"
            raise _trouble(self.path, error, advice) from None

    @property
    def parts(self) -> Mapping[int, "Ledger"]:
        """The ledgers of its parts by their numbers: itself alone, unless it is divided."""
        return {0: self}

    @property
    def holds_all(self) -> bool:
        """Whether it is for all variants of the dataset, and not for some parts only."""
        return True

    def part(self, key: str) -> "Ledger | None":  # noqa: ARG002  # a divided one looks at it
        """The ledger for the variant *key*; None when that is of another part."""
        return self

    def close(self) -> None:
        """Commit what waits, stop the writer and close the file."""
        if self._writer:
            self._writer.close()
        self._reader.close()
        if self._writer and self._sound and not self._writer.failed:
            seal(self.path)

    def distrust(self) -> None:
        """Something could not be read: what the file has become is not sealed when it is closed."""
        self._sound = False

    def check(self) -> None:
        """Look for torn or damaged pages and records. Raises DamagedError.

        The indexes are compared with their tables: a key or a state that a flipped bit has changed
        would otherwise look like a variant that was never submitted. A file that is still sealed
        was found sound before.
        """
        try:
            self._sound = is_sealed(self.path)
            if self._sound:
                return
            (verdict,) = self._reader.execute("PRAGMA integrity_check(1)").fetchone()
            self.counts()
        except (sqlite3.Error, ValueError) as error:  # a verdict may quote damaged text
            verdict = str(error)
        if verdict != "ok":
            raise DamagedError(f"the ledger {self.path} is damaged ({verdict})")
        self._sound = True

    # Writing ------------------------------------------------------------------------------------

    async def write(self, entry: Entry, images: Sequence[Image] = ()) -> None:
        """Make a move durable, together with the *images* it brought.

        Raises StorageError when it could not be written, TakenIdError for the prediction of
        another variant, IllegalMoveError when the ledger knows a newer revision of the entry.
        """
        assert self._writer, "the ledger was opened for reading only"
        await self._writer.run(lambda db: move(db, entry, images))

    async def amend(self, entry: Entry) -> None:
        """Write what a rebuilt ledger could not know: request, images asked for, what is short."""
        assert self._writer, "the ledger was opened for reading only"
        await self._writer.run(lambda db: amend(db, entry))

    def set_meta(self, **values: object) -> None:
        """Store facts about the dataset as JSON."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self.do(lambda db: db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows))

    def hold_unanswered(self) -> int:
        """Turn submits whose answer was never recorded into uncertain ones; how many there were."""

        def hold(db: sqlite3.Connection) -> int:
            return db.execute(
                "UPDATE variants SET state = 'uncertain', revision = revision + 1, "
                "error_class = 'unanswered', error = 'the run ended before the answer was read' "
                "WHERE state = 'submitting'"
            ).rowcount

        return self.do(hold)

    def want(self, keys: Iterable[str]) -> None:
        """Mark the variants in *keys* as those the job asks for, and no others."""
        self.do(lambda db: wanting.mark(db, keys))

    def do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run *job* on the file; what it wrote is durable when it returns."""
        assert self._writer, "the ledger was opened for reading only"
        return self._writer.enqueue(job).result()

    # Reading ------------------------------------------------------------------------------------

    def meta(self) -> dict[str, object]:
        """The facts stored about the dataset."""
        rows = self._reader.execute("SELECT name, value FROM meta")
        try:
            return {name: json.loads(value) for name, value in rows}
        except (ValueError, TypeError, RecursionError) as error:
            raise sqlite3.DataError(f"a fact of it is no JSON: {error}") from None

    def known(self, keys: Sequence[str]) -> dict[str, Entry]:
        """The entries of those *keys*, at most a few hundred, that have one."""
        sql = f"SELECT {self._select} FROM variants v WHERE v.key IN ({_marks(keys)})"
        return {row[0]: to_entry(row) for row in self._reader.execute(sql, keys)}

    def states(self, keys: Sequence[str]) -> dict[str, State]:
        """The states of those of the *keys*, at most a few thousand, that have an entry."""
        sql = f"SELECT key, state FROM variants WHERE key IN ({_marks(keys)})"
        try:
            return {key: State(state) for key, state in self._reader.execute(sql, keys)}
        except ValueError as error:
            raise sqlite3.DataError(str(error)) from None

    def entries(self, *states: State, wanted_only: bool = False) -> Iterator[Entry]:
        """The entries in each of *states*, by key, a few hundred at a time."""
        sql = (
            f"SELECT {self._select} FROM variants v WHERE v.state = ? AND v.key > ? "
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
            f"SELECT {self._select} FROM variants v WHERE v.wanted AND v.state = 'saved' "
            "AND v.error_class NOTNULL ORDER BY v.key"
        )
        return map(to_entry, self._reader.execute(sql))

    def images(self, *states: State) -> Iterator[tuple[Entry, Image]]:
        """All images of variants in *states* (saved ones by default), in the order they came.

        A variant whose files were lost keeps its images here until new ones replace them.
        """
        wanted = states or (State.SAVED,)
        sql = (
            f"SELECT {self._select}, i.seq, i.image_index, i.file_name, i.bytes, i.sha256, "
            "i.media_type, i.width, i.height, i.nsfw, i.saved_at FROM images i "
            f"JOIN variants v ON v.key = i.key AND v.state IN ({_marks(wanted)}) "
            f"WHERE i.seq > ? ORDER BY i.seq LIMIT {_CHUNK}"
        )
        after, width = 0, len(COLUMNS)
        while rows := self._reader.execute(sql, (*wanted, after)).fetchall():
            for row in rows:
                yield to_entry(row[:width]), to_image(row[width + 1 :])
            after = rows[-1][width]

    def images_of(self, keys: Sequence[str]) -> dict[str, list[Image]]:
        """The images of those *keys*, at most a few hundred, that have some, by their index."""
        return images_of(self._reader, keys)

    def files(self) -> Iterator[tuple[str, str, int]]:
        """Key, file name and size in bytes of all saved images, in the order they were saved."""
        sql = "SELECT i.seq, i.key, i.file_name, i.bytes FROM images i WHERE i.seq > ? "
        if self._reader.execute(sums.ANY_LOST).fetchone()[0]:
            # Few variants have images and are not saved: a look into their index is quick.
            sql += (
                "AND NOT EXISTS (SELECT 1 FROM variants v INDEXED BY unfinished "
                f"WHERE {sums.UNSAVED} AND v.key = i.key) "
            )
        sql += "ORDER BY i.seq LIMIT ?"
        after = 0
        while rows := self._reader.execute(sql, (after, _CHUNK)).fetchall():
            for _, key, name, size in rows:
                check_image_name(name)
                yield key, name, size
            after = rows[-1][0]

    def size(self) -> int:
        """How many variants have an entry, those no longer asked for included."""
        return int(self._reader.execute("SELECT count(*) FROM variants").fetchone()[0])

    def known_predictions(self, ids: Sequence[str]) -> set[str]:
        """Those of the prediction *ids*, at most a few hundred, that belong to an entry."""
        sql = f"SELECT prediction_id FROM variants WHERE prediction_id IN ({_marks(ids)})"
        return {row[0] for row in self._reader.execute(sql, ids)}

    def images_since(self, time: str) -> int:
        """How many images were saved at or after *time*."""
        sql = "SELECT count(*) FROM images WHERE saved_at >= ?"
        return int(self._reader.execute(sql, (time,)).fetchone()[0])

    def counts(self) -> Counter[State]:
        """How many of the variants that the job asks for are in each state."""
        return sums.counts(self._reader)

    def asked(self) -> dict[tuple[State, str], tuple[int, int]]:
        """How many wanted variants each state and model has, and the images they ask for."""
        return sums.asked(self._reader)

    def totals(self) -> Totals:
        """Sums over the whole dataset, variants that are no longer asked for included."""
        return sums.totals(self._reader)

    def _check_version(self) -> None:
        version = self.meta().get("schema_version")
        if version not in (1, SCHEMA_VERSION):
            raise StorageError(
                f"expected a ledger of version {SCHEMA_VERSION} at {self.path}, got {version}; "
                "use the batchgen that made it"
            )


def _trouble(path: Path, error: Exception, advice: str = "") -> StorageError:
    """What an error of SQLite says about the file: that it is damaged, or cannot be used now."""
    code = getattr(error, "sqlite_errorcode", None)  # without one, text is no UTF-8
    if isinstance(error, sqlite3.OperationalError) and code:
        tables_are_missing = code == sqlite3.SQLITE_ERROR
        kind = DamagedError if tables_are_missing else StorageError
        return kind(f"cannot use the ledger {path}: {error}")
    return DamagedError(f"the ledger {path} is damaged ({error}){advice}")


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
