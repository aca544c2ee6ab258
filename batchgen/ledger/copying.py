"""A copy of a ledger that is in use: all of it at one moment."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from batchgen.errors import StorageError
from batchgen.ledger.writer import connect


def copy_ledger(path: Path, copy: Path) -> str:
    """Write the ledger at *path*, with all that is committed, to *copy*; returns its SHA-256.

    Raises StorageError.
    """
    try:
        copy.unlink(missing_ok=True)
        with (
            closing(connect(path, read_only=True)) as source,
            closing(sqlite3.connect(copy, isolation_level=None)) as target,
        ):
            source.backup(target)  # in one step, so that no commit comes between
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        with copy.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"cannot copy the ledger {path}: {error}") from None
