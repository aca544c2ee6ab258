"""Reading what is left of a damaged ledger."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.rows import MAX_VALUE, check, select, to_entry, to_image

Found = tuple[Entry, list[Image]]

_IMAGES = (
    "SELECT key, image_index, file_name, bytes, sha256, media_type, width, height, nsfw, saved_at "
    "FROM images ORDER BY seq"
)


def salvage(path: Path) -> tuple[list[Found], dict[str, object]]:
    """The entries with their images, and the facts, that can still be read of the file at *path*.

    The entries are those of a new ledger: their revision is 1.
    """
    entries: dict[str, Entry] = {}
    images: dict[str, dict[int, Image]] = {}
    meta: dict[str, object] = {}
    _lengthen(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        db.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        for name, value in _readable(db, "SELECT name, value FROM meta ORDER BY name"):
            with suppress(ValueError, RecursionError):
                if str(name).isidentifier():
                    meta[str(name)] = json.loads(str(value))
        for row in _readable(db, f"SELECT {select(db)} FROM variants v ORDER BY v.key"):
            with suppress(sqlite3.DataError, ValueError):
                _check_text(row)
                entry = to_entry(row)
                check(entry)
                entries.setdefault(entry.key, entry)
        for row in _readable(db, _IMAGES):
            with suppress(sqlite3.DataError, ValueError):
                image = to_image(row[1:])
                check(image)
                images.setdefault(str(row[0]), {})[image.index] = image
    return [_renewed(entry, images.get(entry.key, {})) for entry in entries.values()], meta


def _renewed(entry: Entry, images: dict[int, Image]) -> Found:
    state = entry.state
    short = entry.error_class is None and len(images) < entry.images_asked
    if state is State.SAVED and (short or not images):
        state = State.COMPLETED  # paid and made; its files are fetched again
    elif state in {State.SUBMITTING, State.PLANNED}:
        state = State.UNCERTAIN  # a later record, of an accepted submit, may be what was lost
    kept = list(images.values()) if state is State.SAVED else []
    return replace(entry, state=state, revision=1), kept


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
    """The rows of a query up to the first damaged page, then those behind the last one."""
    for sql in (ordered, f"{ordered} DESC"):
        with suppress(sqlite3.Error):
            yield from db.execute(sql)
