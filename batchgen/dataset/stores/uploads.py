"""What of a dataset is in its bucket, as the working folder remembers it.

A dataset that goes to a bucket is made in a folder here, its *working folder*, which knows by the
file ``.batchgen/bucket.sqlite3`` where it belongs. The bucket is the truth: what is lost of this
memory is found again by listing it.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, refuse_odd
from batchgen.dataset.stores.bucket import Address, Object, is_url
from batchgen.errors import StorageError, UsageError

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, stamp TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Uploads:
    """The objects of a bucket by their names, and facts about it; any thread may ask."""

    def __init__(self, path: Path) -> None:
        """Open the memory at *path*, new where there is none. Raises StorageError."""
        refuse_odd(path)
        self._path = path
        with self._telling():
            # One autocommit of the log costs no sync: what a crash takes away is uploaded again.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES)

    def __del__(self) -> None:
        """Close the file: whoever looks for an image has no other moment to do so."""
        if hasattr(self, "_db"):
            self._db.close()

    @property
    def url(self) -> str:
        """The address of the bucket."""
        return str(self.fact("url") or "")

    def fact(self, name: str) -> object:
        """What was told of *name*, as JSON has it; None when nothing was."""
        with self._telling():
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

    def tell(self, **facts: object) -> None:
        """Remember *facts*, durably."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        with self._telling():
            # Unlike an object, a fact cannot be found again: it is on the disk before it counts.
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)
            self._db.execute("PRAGMA synchronous = NORMAL")

    def size(self, name: str) -> int | None:
        """Bytes of *name* in the bucket; None when it is not known to be there."""
        with self._telling():
            found = self._db.execute("SELECT bytes FROM objects WHERE name = ?", (name,)).fetchone()
            return int(found[0]) if found else None

    @property
    def none(self) -> bool:
        """Whether nothing is known to be in the bucket."""
        with self._telling():
            return self._db.execute("SELECT 1 FROM objects LIMIT 1").fetchone() is None

    def stamp(self, name: str) -> str:
        """How the file that was uploaded as *name* is known again; empty when nothing was."""
        with self._telling():
            found = self._db.execute("SELECT stamp FROM objects WHERE name = ?", (name,)).fetchone()
            return str(found[0]) if found else ""

    def stamped(self) -> Iterator[str]:
        """The names of those objects that are files here, too, a thousand in memory at a time."""
        sql = "SELECT name FROM objects WHERE stamp != '' AND name > ? ORDER BY name LIMIT 1000"
        names = [""]
        while names:
            with self._telling():
                names = [name for (name,) in self._db.execute(sql, (names[-1],))]
            yield from names

    def add(self, name: str, size: int, stamp: str = "") -> None:
        """Remember that *name* is in the bucket."""
        with self._telling():
            sql = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)"
            self._db.execute(sql, (name, size, stamp))

    def forget(self, name: str) -> None:
        """Remember that *name* is not in the bucket."""
        with self._telling():
            self._db.execute("DELETE FROM objects WHERE name = ?", (name,))

    def relist(self, objects: Iterable[Object]) -> None:
        """Remember *objects*, which are all that there are, and no others."""
        rows = ((found.name, found.bytes) for found in objects)
        with self._telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute("CREATE TEMP TABLE known AS SELECT * FROM objects")
                self._db.execute("DELETE FROM objects")
                self._db.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, '')", rows)
                # What was uploaded from a file here is known by that still, if it has its size.
                self._db.execute(
                    "UPDATE objects SET stamp = known.stamp FROM temp.known "
                    "WHERE known.name = objects.name AND known.bytes = objects.bytes"
                )
                self._db.execute("DROP TABLE temp.known")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        self.tell(listed=True)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise StorageError(
                f"{self._path} cannot be used ({error}); move it away, and what is in the bucket "
                "is listed anew"
            ) from None


def uploads_of(folder: DatasetFolder) -> Uploads | None:
    """What *folder* has in its bucket; None when it belongs to none. Raises StorageError."""
    path = _path(folder)
    return Uploads(path) if path.is_file() else None


def bucket_of(folder: DatasetFolder) -> str:
    """The address of the bucket that *folder* belongs to; empty when it belongs to none."""
    uploads = uploads_of(folder)
    return uploads.url if uploads else ""


def dataset_path(place: str | Path, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the dataset at *place*: a path, or the address of a bucket.

    That of an address is its working folder, which is made where it is missing. Raises UsageError
    for an address that cannot be used, StorageError for a folder.
    """
    if not is_url(place):
        if Path(place).parts[:1] in (("s3:",), ("gs:",), ("az:",)):  # a slash of it is lost
            raise UsageError(f"expected a path or an address, got {place}; give it as a text")
        return Path(place)
    address = Address.parse(str(place))
    home = environment.get("XDG_DATA_HOME") or Path(environment.get("HOME") or "", ".local/share")
    if not Path(home).is_absolute():
        raise UsageError(f"{address} needs a folder to work in; set HOME or XDG_DATA_HOME")
    folder = DatasetFolder(Path(home, "batchgen", address.slug))
    folder.prepare()
    uploads = Uploads(_path(folder))
    if uploads.url != str(address):
        uploads.tell(url=str(address))
    return folder.root


def _path(folder: DatasetFolder) -> Path:
    return folder.state / "bucket.sqlite3"
