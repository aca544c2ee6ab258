"""The fixed parts of a dataset, and dividing its one ledger into theirs.

A variant belongs to a part by the first digits of its key, whatever the job, its order or the
number of shards. Each part has a ledger and a lock of its own, so a shard is only a choice of
parts: its number is never stored, and another number tomorrow finds the same records.
"""

import json
import os
import shutil
import sqlite3
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from batchgen.errors import StorageError
from batchgen.ledger.rows import create
from batchgen.ledger.store import Ledger
from batchgen.ledger.writer import connect

# One process alone outruns the highest tier four times over, so 64 at once are plenty; all parts
# in one process are 64 threads and about 400 open files, of the 1,024 that systems allow.
PARTS = 64
_FIRST_KEYS = ["", *(f"{number * 256 // PARTS:02x}" for number in range(1, PARTS))]


@dataclass(frozen=True)
class Shard:
    """One of *count* shards of a dataset; counts from 0."""

    index: int
    count: int

    @property
    def parts(self) -> range:
        """The parts of the shard: every part is in exactly one of the shards."""
        return range(self.index, PARTS, self.count)

    def __str__(self) -> str:
        """As the command line has it."""
        return f"{self.index}/{self.count}"


def part_of(key: str) -> int:
    """The part that the variant *key* belongs to."""
    return bisect_right(_FIRST_KEYS, key) - 1


def ledger_of(folder: Path, part: int) -> Path:
    """The ledger file of a part."""
    return folder / f"{part:02d}.sqlite3"


def lock_of(folder: Path, part: int) -> Path:
    """The lock file of a part, held by the run that owns it."""
    return folder / f"{part:02d}.lock"


def rows_of(folder: Path, part: int) -> Path:
    """The rows of a part, as the runs of shards make them; the manifest gets them all."""
    return folder / f"{part:02d}.jsonl"


def divide(whole: Path, folder: Path, **facts: object) -> None:
    """Make *folder* with a ledger for every part, from the ledger *whole* if there is one.

    They are made aside and take their place together, so a crash leaves all of them or none;
    *whole* stays as it is. Nobody else may use either. *facts* are added to those of each ledger.
    Raises StorageError.
    """
    new = folder.with_name(f"{folder.name}.new")
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a division that was killed
        new.mkdir(0o700)
        if whole.exists():
            with Ledger(whole) as ledger:  # which also finishes its log
                ledger.check()
        for part in range(PARTS):
            _fill(ledger_of(new, part), whole, part, facts)
        _sync(new)
        new.rename(folder)
        _sync(folder.parent)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"cannot divide the ledger {whole}: {error}") from None


def _fill(path: Path, whole: Path, part: int, facts: Mapping[str, object]) -> None:
    """Make the ledger of *part* with its records of *whole*, in their order."""
    with closing(connect(path, read_only=False)) as db:
        db.execute("PRAGMA synchronous = OFF")  # once at the end is enough: nobody uses it yet
        create(db)
        if whole.exists():
            db.execute("ATTACH ? AS whole", (f"{whole.absolute().as_uri()}?mode=ro",))
        db.execute("BEGIN IMMEDIATE")
        if whole.exists():
            _copy(db, part)
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        db.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", rows)
        db.execute("COMMIT")
    _sync(path)


def _copy(db: sqlite3.Connection, part: int) -> None:
    first, last = _FIRST_KEYS[part], [*_FIRST_KEYS, chr(0x10FFFF)][part + 1]
    db.execute("INSERT OR REPLACE INTO meta SELECT * FROM whole.meta")
    for table, order in (("variants", "key"), ("images", "seq")):
        db.execute(
            f"INSERT INTO {table} SELECT * FROM whole.{table} "
            f"WHERE key >= ? AND key < ? ORDER BY {order}",
            (first, last),
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
