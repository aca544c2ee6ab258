"""Reading what is left of a damaged ledger."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from batchgen.errors import StorageError
from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.rows import MAX_VALUE, check, select, to_entry, to_image
from batchgen.ledger.writer import is_headless

Found = tuple[Entry, list[Image]]
Listed = tuple[str, str, Image]
"""The key and the prediction of an image that something else than the ledger knows."""

# The latter when SQLite quotes text of the file that is none.
_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
_IMAGE = "image_index, file_name, bytes, sha256, media_type, width, height, nsfw, saved_at"
_PAGE = 4096
_ASIDE = """
PRAGMA journal_mode = OFF;
CREATE TABLE images (
    key TEXT, image_index INTEGER, file_name TEXT, bytes INTEGER, sha256 TEXT, media_type TEXT,
    width INTEGER, height INTEGER, nsfw INTEGER, saved_at TEXT, prediction_id TEXT,
    PRIMARY KEY (key, image_index, prediction_id), UNIQUE (file_name)
) WITHOUT ROWID;
BEGIN;
"""
_KEEP = "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Those of the ledger have no prediction here, and come last of their index.
_KEPT = (
    f"SELECT {_IMAGE} FROM images WHERE key = ? AND prediction_id IN ('', ?) "
    "ORDER BY image_index, prediction_id DESC"
)


def salvage(path: Path, listed: Iterable[Listed] = ()) -> Iterator[Found]:
    """The entries with their images that can still be read of the file at *path*.

    They are those of a new ledger: their revision is 1. An image whose record is gone is taken from
    those *listed*. Of a damaged file an entry may come twice; of none, or of what is no ledger,
    nothing comes. Memory does not grow with their number. Raises StorageError when a temporary
    file cannot hold the images.
    """
    with suppress(*_UNREADABLE), _opened(path) as db, closing(_put_aside(db, listed)) as images:
        for row in _readable(db, f"SELECT {select(db)} FROM variants v ORDER BY v.key"):
            if entry := _entry(row):
                yield _renewed(entry, _images(images, entry))


def salvaged_facts(path: Path) -> dict[str, object]:
    """The facts about the dataset that can still be read of the file at *path*."""
    facts: dict[str, object] = {}
    with suppress(*_UNREADABLE), _opened(path) as db:
        for name, value in _readable(db, "SELECT name, value FROM meta ORDER BY name"):
            with suppress(ValueError, RecursionError):
                if str(name).isidentifier():
                    facts[str(name)] = json.loads(str(value))
    return facts


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Raises sqlite3.Error when there is no file."""
    _lengthen(path)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        db.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        yield db


def _put_aside(db: sqlite3.Connection, listed: Iterable[Listed]) -> sqlite3.Connection:
    """The images of *db*, which come in any order, in a file that goes away with its connection.

    Those *listed* fill its gaps.
    """
    with _aside(), ExitStack() as stack:
        aside = stack.enter_context(closing(sqlite3.connect("", isolation_level=None)))
        aside.executescript(_ASIDE)
        for key, *image in _readable(db, f"SELECT key, {_IMAGE} FROM images ORDER BY seq"):
            with suppress(ValueError, sqlite3.DataError):
                _keep(aside, key, to_image(image), "")
        for key, prediction_id, known in listed:
            with suppress(ValueError, OverflowError):
                _keep(aside, key, known, prediction_id)
        stack.pop_all()
    return aside


def _keep(aside: sqlite3.Connection, key: object, image: Image, prediction_id: str) -> None:
    """Raises ValueError or OverflowError for what no sound ledger holds."""
    check(image)
    aside.execute(_KEEP, (key, *vars(image).values(), prediction_id))


@contextmanager
def _aside() -> Iterator[None]:
    """Tells a temporary file that fails from a damaged ledger, which is read as far as it goes."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"cannot put records aside in a temporary file: {error}") from None


def _images(aside: sqlite3.Connection, entry: Entry) -> list[Image]:
    with _aside():
        rows = aside.execute(_KEPT, (entry.key, entry.prediction_id)).fetchall()
    return list({row[0]: to_image(row) for row in rows}.values())


def _entry(row: Sequence[object]) -> Entry | None:
    try:
        # Raises UnicodeEncodeError for text that was no UTF-8.
        "".join(value for value in row if isinstance(value, str)).encode()
        entry = to_entry(row)
        check(entry)
    except (sqlite3.DataError, ValueError):
        return None
    return entry


def _renewed(entry: Entry, images: list[Image]) -> Found:
    state, error_class = entry.state, entry.error_class
    short = error_class is None and len(images) < entry.images_asked
    if state is State.SAVED and (short or not images):
        # Paid and made; its files are fetched again.
        state, error_class = State.COMPLETED, "missing_file"
    elif state in {State.SUBMITTING, State.PLANNED}:
        state = State.UNCERTAIN  # a later record, of an accepted submit, may be what was lost
    renewed = replace(entry, state=state, revision=1, error_class=error_class)
    # With the records of all its images one that lost their files is saved when these come back.
    away = {State.COMPLETED, State.EXPIRED}
    kept = state is State.SAVED or (state in away and len(images) >= entry.images_asked)
    return renewed, images if kept else []


def _lengthen(path: Path) -> None:
    """SQLite reads nothing of a file that was cut: zeros take the place of what is missing.

    It would even delete the log beside a file that has nothing at all.
    """
    how = os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if is_headless(path) else 0)
    with suppress(OSError), os.fdopen(os.open(path, how, 0o600), "r+b") as file:
        head, size = file.read(32), os.fstat(file.fileno()).st_size
        whole = int.from_bytes(head[16:18]) * int.from_bytes(head[28:32]) if size else _PAGE
        if size < whole <= 64 * max(size, _PAGE):  # more than that is no size but damage
            file.truncate(whole)


def _readable(db: sqlite3.Connection, ordered: str) -> Iterator[tuple[object, ...]]:
    """The rows of a query; of a damaged table up to the first bad page, then back to the last."""
    for sql in (ordered, f"{ordered} DESC"):
        with suppress(*_UNREADABLE):
            yield from db.execute(sql)
            return
