"""Reading what is left of a damaged ledger."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from batchgen.errors import StorageError
from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.rows import MAX_VALUE, check, images_of, select, to_entry, to_image

Found = tuple[Entry, list[Image]]

_IMAGES = (
    "SELECT key, image_index, file_name, bytes, sha256, media_type, width, height, nsfw, saved_at "
    "FROM images ORDER BY seq"
)
_ASIDE = """
PRAGMA journal_mode = OFF;
CREATE TABLE images (
    key TEXT, image_index INTEGER, file_name TEXT, bytes INTEGER, sha256 TEXT, media_type TEXT,
    width INTEGER, height INTEGER, nsfw INTEGER, saved_at TEXT, PRIMARY KEY (key, image_index)
) WITHOUT ROWID;
BEGIN;
"""
_KEEP = "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def salvage(path: Path) -> Iterator[Found]:
    """The entries with their images that can still be read of the file at *path*.

    They are those of a new ledger: their revision is 1. Of a damaged file one may come twice; of
    none, or of what is no ledger, nothing comes. Memory does not grow with their number. Raises
    StorageError when a temporary file cannot hold the images.
    """
    with suppress(sqlite3.Error), _opened(path) as db, closing(_put_aside(db)) as images:
        for row in _readable(db, f"SELECT {select(db)} FROM variants v ORDER BY v.key"):
            if entry := _entry(row):
                with _aside():
                    own = images_of(images, [entry.key]).get(entry.key, [])
                yield _renewed(entry, own)


def salvaged_facts(path: Path) -> dict[str, object]:
    """The facts about the dataset that can still be read of the file at *path*."""
    facts: dict[str, object] = {}
    with suppress(sqlite3.Error), _opened(path) as db:
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


def _put_aside(db: sqlite3.Connection) -> sqlite3.Connection:
    """The images of *db*, which come in any order, in a file that goes away with its connection."""
    with _aside(), ExitStack() as stack:
        aside = stack.enter_context(closing(sqlite3.connect("", isolation_level=None)))
        aside.executescript(_ASIDE)
        for row in _readable(db, _IMAGES):
            if _is_image(row):
                aside.execute(_KEEP, row)
        stack.pop_all()
    return aside


@contextmanager
def _aside() -> Iterator[None]:
    """Tells a temporary file that fails from a damaged ledger, which is read as far as it goes."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"cannot put records aside in a temporary file: {error}") from None


def _is_image(row: Sequence[object]) -> bool:
    try:
        _check_text(row)
        check(to_image(row[1:]))
    except (sqlite3.DataError, ValueError):
        return False
    return True


def _entry(row: Sequence[object]) -> Entry | None:
    try:
        _check_text(row)
        entry = to_entry(row)
        check(entry)
    except (sqlite3.DataError, ValueError):
        return None
    return entry


def _renewed(entry: Entry, images: list[Image]) -> Found:
    state = entry.state
    short = entry.error_class is None and len(images) < entry.images_asked
    if state is State.SAVED and (short or not images):
        state = State.COMPLETED  # paid and made; its files are fetched again
    elif state in {State.SUBMITTING, State.PLANNED}:
        state = State.UNCERTAIN  # a later record, of an accepted submit, may be what was lost
    return replace(entry, state=state, revision=1), images if state is State.SAVED else []


def _lengthen(path: Path) -> None:
    """SQLite reads nothing of a file that was cut: zeros take the place of what is missing."""
    with suppress(OSError), path.open("r+b") as file:
        head, size = file.read(32), path.stat().st_size
        whole = int.from_bytes(head[16:18]) * int.from_bytes(head[28:32])
        if size < whole <= 64 * size:  # more than that is no size but damage
            file.truncate(whole)


def _check_text(row: Sequence[object]) -> None:
    """Raises UnicodeEncodeError for text that was no UTF-8."""
    "".join(value for value in row if isinstance(value, str)).encode()


def _readable(db: sqlite3.Connection, ordered: str) -> Iterator[tuple[object, ...]]:
    """The rows of a query; of a damaged table up to the first bad page, then back to the last."""
    for sql in (ordered, f"{ordered} DESC"):
        with suppress(sqlite3.Error):
            yield from db.execute(sql)
            return
