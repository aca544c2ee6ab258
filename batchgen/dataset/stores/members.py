"""Where each image stands in the shards of a dataset that packs its images.

``shards/shards.json`` lists the shards that count; one that is not listed does not exist. Beside
each is an index of what is in it.
"""

import json
import os
import sqlite3
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, open_own, write_whole
from batchgen.errors import StorageError

LIST = "shards.json"
ENDINGS = {"webdataset": ".tar", "parquet": ".parquet"}
"""What images are packed in, and the ending of its files."""
_TABLE = """CREATE TABLE members (
    name TEXT PRIMARY KEY, shard TEXT, start INTEGER, bytes INTEGER
) WITHOUT ROWID"""
_MOST = 2**60  # bytes; SQLite has no number from 2**63 on
_PUT = "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One that is whole."""

    file: str
    batch: int
    """Number of the variants that it is for; these may have several shards."""
    images: int
    bytes: int
    """Of the file."""
    sha256: str
    shape: str
    """Stands for the columns and captions of its rows."""
    done: bool
    """Whether its variants have all their images."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The shards of a dataset."""

    format: str
    images: int
    """In a shard, and variants in a batch, at the most."""
    bytes: int
    """Of the images in a shard, at the most."""
    plan: str = ""
    """Of the job whose variants are in the batches from *first* on; earlier ones stay as they
    are."""
    first: int = 0
    shards: tuple[Shard, ...] = ()

    def of(self, batch: int) -> list[Shard]:
        """Those of one batch."""
        return [shard for shard in self.shards if shard.batch == batch]

    def with_batch(self, batch: int, shards: list[Shard]) -> "Listing":
        """The listing with *shards* in the place of those that *batch* had."""
        others = [shard for shard in self.shards if shard.batch != batch]
        return replace(self, shards=tuple(sorted([*others, *shards], key=lambda s: s.file)))


def index_of(shard: Path) -> Path:
    """The index beside a *shard*: a line of JSON for each image."""
    return shard.with_suffix(".jsonl")


def read_listing(folder: DatasetFolder) -> Listing | None:
    """The shards of *folder*; None when it packs nothing.

    Raises StorageError when the list cannot be read or is gone.
    """
    path = folder.shards / LIST
    try:
        with open_own(path, os.O_RDONLY, "r") as file:
            told = json.load(file)
        shards = tuple(Shard(**shard) for shard in told.pop("shards"))
        listing = Listing(**told, shards=shards)
        if _fits(listing) and all(map(_fits, shards)):
            return listing
    except (FileNotFoundError, NotADirectoryError):
        # The list is there before the first shard; a run may have been killed on the way to it.
        if not any(next(folder.shards.glob(f"*{end}"), None) for end in ENDINGS.values()):
            return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise StorageError(
        f"{path} is damaged or gone, and so nobody knows which shards count; "
        f"batchgen verify {folder.root} --repair makes it anew"
    )


def _fits(told: Listing | Shard) -> bool:
    """A list is only a file: its values have their types, and no name leads out of its folder."""
    values = vars(told).items()
    kinds = {f.name: tuple if f.name == "shards" else f.type for f in fields(told)}
    if not all(isinstance(value, kinds[name]) for name, value in values):  # type: ignore[arg-type]  # classes, none a name
        return False
    if isinstance(told, Listing):
        return told.format in ENDINGS
    plain = told.file.isprintable() and "/" not in told.file and not told.file.startswith(".")
    return plain and told.file.endswith(tuple(ENDINGS.values()))


def write_listing(folder: DatasetFolder, listing: Listing) -> None:
    """Write the list: from then on, what is in it counts. Raises StorageError."""
    write_whole(folder.shards / LIST, [json.dumps(asdict(listing), indent=1) + "\n"])


@dataclass(frozen=True, kw_only=True)
class Place:
    """Some bytes of a file."""

    path: Path
    start: int
    bytes: int


class Members:
    """Where each packed image is, as of the list at that moment; any thread may ask."""

    def __init__(self, folder: DatasetFolder) -> None:
        """Look into the shards of *folder*, as soon as somebody asks."""
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: object = None
        self._loaded: dict[str, Shard] = {}
        self._db: sqlite3.Connection | None = None

    def find(self, name: str) -> Place | None:
        """Where the image *name* of the manifest is; None when no shard has it.

        Raises StorageError.
        """
        own = name.rpartition("/")[2]
        found = self._look_up("SELECT shard, start, bytes FROM members WHERE name = ?", own)
        if found is None:
            return None
        shard, start, size = found
        return Place(path=self._folder.shards / shard, start=start, bytes=size)

    def batch_of(self, key: str) -> int | None:
        """The batch that images of the variant *key* are packed in. Raises StorageError."""
        sql = "SELECT shard, start, bytes FROM members WHERE name > ? || '_' AND name < ? || '`'"
        found = self._look_up(sql, key, key)  # what comes behind the underscore
        return None if found is None else self._loaded[found[0]].batch

    def _look_up(self, sql: str, *values: str) -> tuple[str, int, int] | None:
        with self._lock:
            self._refresh()
            if self._db is None:
                return None
            found: tuple[str, int, int] | None = self._db.execute(sql, values).fetchone()
            return found

    def _refresh(self) -> None:
        """Follow the list: a run adds to it and replaces shards."""
        try:
            found = os.stat(self._folder.shards / LIST)  # noqa: PTH116  # for every image
        except (FileNotFoundError, NotADirectoryError):
            seen: object = "gone"
        else:
            seen = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        if seen == self._seen:
            return
        listing = read_listing(self._folder)
        shards = {s.file: s for s in listing.shards} if listing else {}
        if shards or self._db:
            self._change(shards)
        self._loaded, self._seen = shards, seen

    def _change(self, shards: Mapping[str, Shard]) -> None:
        if self._db is None:
            # A file of its own that goes away with the connection: memory does not grow.
            self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            self._db.execute(_TABLE)
        self._db.execute("BEGIN")
        for file in self._loaded.keys() - shards.keys():
            self._db.execute("DELETE FROM members WHERE shard = ?", (file,))
        for file in shards.keys() - self._loaded.keys():
            found = contents(self._folder.shards / file)
            self._db.executemany(_PUT, ((name, file, start, size) for name, start, size in found))
        self._db.execute("COMMIT")


def contents(shard: Path) -> list[tuple[str, int, int]]:
    """Name, place and size of each image in *shard*; none of a shard that cannot be read."""
    try:
        with open_own(index_of(shard), os.O_RDONLY, "r") as file:
            rows = map(json.loads, file)
            told = [(str(r["file_name"]), int(r["offset"]), int(r["bytes"])) for r in rows]
        if all(map(_can_be, told)):
            return told
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        pass
    return scanned(shard)


def scanned(shard: Path) -> list[tuple[str, int, int]]:
    """As :func:`contents`, by the shard itself and without its index; what can be read of it."""
    found: list[tuple[str, int, int]] = []
    if is_own(shard):
        with suppress(Exception):  # whatever a library makes of a file that is none
            found.extend((_in_tar if shard.suffix == ".tar" else _in_parquet)(shard))
    return list(filter(_can_be, found))


def _can_be(told: tuple[str, int, int]) -> bool:
    """An index is only a file, too."""
    name, start, size = told
    return name.isprintable() and 0 <= start < _MOST and 0 <= size < _MOST


def is_own(shard: Path) -> bool:
    """Whether *shard* is a file, and neither a link to another place nor a pipe."""
    return shard.is_file() and not shard.is_symlink()


def _in_tar(shard: Path) -> Iterator[tuple[str, int, int]]:
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            if not member.name.endswith((".json", ".txt")):
                yield member.name, member.offset_data, member.size


def _in_parquet(shard: Path) -> Iterator[tuple[str, int, int]]:
    import pyarrow.parquet as pq

    data, at = shard.read_bytes(), 0
    for group in pq.ParquetFile(shard).iter_batches(100, columns=["image"]):
        for image in group.column("image").to_pylist():
            at = data.index(image["bytes"], at)
            yield image["path"], at, len(image["bytes"])
            at += len(image["bytes"])
