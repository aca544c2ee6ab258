"""The tables of a ledger file, and entries and images as their rows."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import datetime

from batchgen.ledger.entry import Entry, IllegalMoveError, Image, State, TakenIdError
from batchgen.ledger.fields import Fields

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE variants (
    key TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL,
    prompt_id TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL,
    images_asked INTEGER NOT NULL, attempts INTEGER NOT NULL, prediction_id TEXT,
    spent_micros INTEGER, account TEXT, intent_at TEXT, created_at TEXT, submitted_at TEXT,
    completed_at TEXT,
    queue_ms INTEGER, inference_ms INTEGER, total_ms INTEGER, polls INTEGER NOT NULL,
    error_class TEXT, error TEXT, wanted INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE INDEX unfinished ON variants (state, key) WHERE state <> 'saved';
CREATE UNIQUE INDEX predictions ON variants (prediction_id) WHERE prediction_id NOTNULL;
CREATE TABLE images (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES variants (key),
    image_index INTEGER NOT NULL, file_name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL, media_type TEXT NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, nsfw INTEGER, saved_at TEXT NOT NULL, UNIQUE (key, image_index)
) STRICT;
"""
# As it is added to a ledger of version 1, so that the two do not differ.
_LABELS = "ALTER TABLE variants ADD COLUMN labels TEXT"
COLUMNS = [f.name for f in fields(Entry)]
_CHANGED = ["state", "revision", *Fields.__annotations__]
# By position: to look values up by name takes longer than SQLite needs for the statement.
_INSERT = f"INSERT INTO variants ({', '.join(COLUMNS)}) VALUES ({', '.join('?' for _ in COLUMNS)})"
_UPDATE = (
    f"UPDATE variants SET {', '.join(f'{name} = ?' for name in _CHANGED)} "
    "WHERE key = ? AND revision = ?"
)
MAX_VALUE = 16 * 1024 * 1024  # bytes of one value; a prompt of a million characters has four
# A ledger is only a file that others may have edited: these become parts of paths and addresses.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MODEL = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
_TIMES = ("intent_at", "created_at", "submitted_at", "completed_at")
_LEAST = {"revision": 1, "images_asked": 1, "attempts": 0, "polls": 0, "spent_micros": 0}
_FILE_NAME = re.compile(r"(?:images|nsfw|dropped)(/(?!\.)[A-Za-z0-9._ -]{1,250})+")
_INSERT_IMAGE = """
INSERT INTO images (key, image_index, file_name, bytes, sha256, media_type, width, height, nsfw,
                    saved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def create(db: sqlite3.Connection) -> None:
    """Make the tables, in one transaction, when the file has none."""
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        version = f"INSERT INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}');"
        db.executescript(f"BEGIN; {_SCHEMA} {_LABELS}; {version} COMMIT;")


def select(db: sqlite3.Connection) -> str:
    """The columns of an entry in a query of variants ``v``; version 1 had no labels."""
    has_labels = any(row[1] == "labels" for row in db.execute("PRAGMA table_info(variants)"))
    last = "v.labels" if has_labels else "NULL AS labels"
    return ", ".join([*(f"v.{name}" for name in COLUMNS[:-1]), last])


def check_tables(db: sqlite3.Connection, *, upgrading: bool = False) -> None:
    """Raise sqlite3.DataError unless the file has exactly the tables of a ledger.

    Their strict columns are what the types of its values are known by; a trigger or a view would
    be somebody else's. A ledger of version 1 is made one of this version when *upgrading*.
    """
    listed = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    found = db.execute(listed).fetchall()
    with closing(sqlite3.connect(":memory:")) as own:
        own.executescript(_SCHEMA)
        earlier = own.execute(listed).fetchall()
        own.execute(_LABELS)
        if found not in (earlier, own.execute(listed).fetchall()):
            raise sqlite3.DataError("its tables are not those of a ledger")
    if found == earlier and upgrading:
        version = f"UPDATE meta SET value = '{SCHEMA_VERSION}' WHERE name = 'schema_version';"
        db.executescript(f"BEGIN; {_LABELS}; {version} COMMIT;")


def move(db: sqlite3.Connection, entry: Entry, images: Sequence[Image]) -> None:
    """Write a move and its images; it has to follow the revision that the ledger knows."""
    row = {**vars(entry), "state": str(entry.state)}
    try:
        if entry.revision == 1:
            row |= _texts(entry)
            changed = db.execute(_INSERT, [row[name] for name in COLUMNS]).rowcount
        else:
            values = [row[name] for name in _CHANGED]
            changed = db.execute(_UPDATE, [*values, entry.key, entry.revision - 1]).rowcount
    except sqlite3.IntegrityError as error:
        if "prediction_id" in str(error):
            message = f"another variant has the prediction {entry.prediction_id}"
            raise TakenIdError(message) from None
        raise IllegalMoveError(f"{entry.key}: {error}") from None
    if changed != 1:
        raise IllegalMoveError(f"{entry.key}: revision {entry.revision} does not follow the ledger")
    if not images:
        return
    # Those of an earlier download, whose files were lost.
    db.execute("DELETE FROM images WHERE key = ?", (entry.key,))
    rows = [
        (entry.key, i.index, i.file_name, i.bytes, i.sha256, i.media_type, i.width, i.height,
         i.nsfw, i.saved_at)
        for i in images
    ]  # fmt: skip
    db.executemany(_INSERT_IMAGE, rows)


def amend(db: sqlite3.Connection, entry: Entry) -> None:
    """Write what a rebuilt ledger could not know of an entry; its state stays."""
    db.execute(
        "UPDATE variants SET request = :request, labels = :labels, images_asked = :images_asked, "
        "error_class = :error_class, error = :error WHERE key = :key AND revision = :revision",
        {**vars(entry), **_texts(entry)},
    )


def _texts(entry: Entry) -> dict[str, str | None]:
    """The mappings of an entry as text; most have no labels."""
    request = json.dumps(dict(entry.request), ensure_ascii=False)
    labels = json.dumps(dict(entry.labels), ensure_ascii=False) if entry.labels else None
    return {"request": request, "labels": labels}


def to_entry(row: Sequence[object]) -> Entry:
    """The entry in a row of the columns that ``select`` names.

    Raises sqlite3.DataError for a damaged one.
    """
    values = dict(zip(COLUMNS, row, strict=True))
    try:
        values["state"] = State(str(values["state"]))
        values["request"] = json.loads(str(values["request"]))
        values["labels"] = json.loads(str(values["labels"] or "{}"))
        _check_entry(values)
    except (ValueError, RecursionError) as error:
        raise sqlite3.DataError(f"the record of {row[0]!r} is damaged: {error}") from None
    return Entry(**values)  # type: ignore[arg-type]  # STRICT tables keep the types


def to_image(row: Sequence[object]) -> Image:
    """The image in a row of the columns after ``seq``."""
    names = [f.name for f in fields(Image)]
    values = dict(zip(names, row, strict=True))
    values["nsfw"] = None if values["nsfw"] is None else bool(values["nsfw"])
    check_image_name(values["file_name"])
    return Image(**values)  # type: ignore[arg-type]


def images_of(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, list[Image]]:
    """The images of those *keys* that have some, by their index."""
    sql = (
        "SELECT key, image_index, file_name, bytes, sha256, media_type, width, height, nsfw, "
        f"saved_at FROM images WHERE key IN ({', '.join('?' * len(keys))}) "
        "ORDER BY key, image_index"
    )
    found: dict[str, list[Image]] = {}
    for key, *row in db.execute(sql, keys):
        found.setdefault(key, []).append(to_image(row))
    return found


def check_image_name(value: object) -> None:
    """Raise sqlite3.DataError unless *value* is the name of an image."""
    if not is_image_name(value):
        raise sqlite3.DataError(f"{str(value)[:100]!r} is no name of an image")


def is_image_name(value: object) -> bool:
    """Whether *value* is a name that batchgen gives to images: below its folders, and plain."""
    return isinstance(value, str) and len(value) <= 1_000 and bool(_FILE_NAME.fullmatch(value))


def check(*found: Entry | Image) -> None:
    """Raise ValueError when what is not from a sound ledger holds what none may hold."""
    for made in found:
        for f in fields(made):
            value = getattr(made, f.name)
            if f.name not in ("request", "labels") and not isinstance(value, f.type):  # type: ignore[arg-type]
                raise ValueError(f"{f.name} is {str(value)[:100]!r}")
        if isinstance(made, Entry):
            _check_entry(vars(made))
        elif not is_image_name(made.file_name):
            raise ValueError(f"{made.file_name[:100]!r} is no name of an image")
        elif min(made.index, made.bytes) < 0:
            raise ValueError(f"its index is {made.index}, its size {made.bytes}")


def _check_entry(values: Mapping[str, object]) -> None:
    """Raises ValueError."""
    for name, pattern in (("key", _KEY), ("prediction_id", _KEY), ("model", _MODEL)):
        value = values[name]
        if value is not None and not pattern.fullmatch(str(value)):
            raise ValueError(f"{str(value)[:100]!r} is no {name.replace('_', ' ')}")
    for name in ("request", "labels"):
        if not isinstance(values[name], Mapping):
            raise ValueError(f"its {name} is no object")  # noqa: TRY004  # as for other fields
    for name in _TIMES:
        if values[name] is not None and not _is_time(str(values[name])):
            raise ValueError(f"its {name} is {str(values[name])[:100]!r}, which is no time")
    for name, least in _LEAST.items():
        number = values[name]
        # Of a damaged file the tables may be others, which keep no types.
        if number is not None and not (isinstance(number, int) and number >= least):
            raise ValueError(f"its {name} is {str(number)[:100]!r} and not at least {least}")


def _is_time(text: str) -> bool:
    """Whether *text* is a moment that can be reckoned with."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.tzinfo is not None and 1 < moment.year < 9999
