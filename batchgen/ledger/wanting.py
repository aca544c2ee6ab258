"""Marking the variants that the job asks for now."""

import sqlite3
from collections.abc import Iterable


def mark(db: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Mark the variants in *keys* as those the job asks for, and no others."""
    begin(db)
    add(db, keys)
    finish(db)


def begin(db: sqlite3.Connection) -> None:
    """Begin with no key at all."""
    # A table of its own may be larger than the memory, and only what changes is written.
    db.execute("CREATE TEMP TABLE asked (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")


def add(db: sqlite3.Connection, keys: Iterable[str]) -> None:
    """The job asks for the variants in *keys*, too."""
    db.executemany("INSERT OR IGNORE INTO asked VALUES (?)", ((key,) for key in keys))


def finish(db: sqlite3.Connection) -> None:
    """Mark those, and no others."""
    db.execute("UPDATE variants SET wanted = 0 WHERE wanted AND key NOT IN asked")
    db.execute("UPDATE variants SET wanted = 1 WHERE NOT wanted AND key IN asked")
    db.execute("DROP TABLE asked")
