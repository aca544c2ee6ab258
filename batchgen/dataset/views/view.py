"""The rows of a dataset as training tools want them: flat, typed, never null, in one fixed order.

The manifest is read once to learn the type of each column; what is unknown gets a neutral value of
that type.
"""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from batchgen.dataset.folder import DatasetFolder, json_line
from batchgen.dataset.rows.kinds import Column, Kind, Value, kind_of, shown, view_columns
from batchgen.dataset.rows.manifest import columns
from batchgen.dataset.stores.holdings import Holdings, ending_of
from batchgen.dataset.treatment import Treatment, read_treatment
from batchgen.dataset.views.flags import near_blank, wrong_size
from batchgen.errors import StorageError

FLAGS = ("identical", "blank", "size")
"""Words in the column ``flags``: another image has the same bytes, there is hardly anything on it,
its size contradicts the ratio."""
MOST_PROMPTS = 100
# It names files in exports and members of archives: a manifest is only a file, and anybody's.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MOST = 2**63  # what SQLite can hold
_LOOKED_AT = ("file_name", "variant_key", "prompt_id", "image_index", "bytes", "sha256")
_TABLES = """
CREATE TABLE images (
    ending TEXT, key TEXT, number INTEGER, place INTEGER, bytes INTEGER, sha256 TEXT, looks TEXT,
    PRIMARY KEY (ending, key, number)
) WITHOUT ROWID;
CREATE TABLE prompts (id TEXT PRIMARY KEY, nsfw INTEGER) WITHOUT ROWID;
CREATE TABLE same (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIEW shown AS SELECT
    ending, key, number, place, trim(iif(sha256 IN same, 'identical ', '') || looks) AS flags
FROM images;
"""


class LeftError(Exception):
    """There was no time to finish reading."""


@dataclass(frozen=True, kw_only=True)
class ViewRow:
    """One image."""

    values: Mapping[str, Value]
    """By the names of the columns, in their order."""
    asked: Mapping[str, object]
    """The row as the manifest has it."""


@dataclass(kw_only=True)
class View:
    """The rows of a manifest, ordered by ending, variant key and image index.

    That order depends on nothing but what was asked for, and is as good as shuffled. To be used
    as a context manager; memory does not grow with the number of rows.
    """

    folder: DatasetFolder
    treatment: Treatment
    go_on: Callable[[], bool]
    columns: tuple[Column, ...] = ()
    count: int = 0
    models: set[str] = field(default_factory=set)
    _db: sqlite3.Connection = field(init=False)
    _holdings: Holdings = field(init=False)

    @classmethod
    def open(cls, folder: DatasetFolder, go_on: Callable[[], bool] = lambda: True) -> Self:
        """Read the manifest of *folder* once.

        Raises StorageError when it is damaged or gone; LeftError, also from :meth:`rows`, as soon
        as *go_on* says no.
        """
        view = cls(folder=folder, treatment=read_treatment(folder), go_on=go_on)
        # A file of its own that goes away with the connection: sorted on disk, not in memory.
        view._db = sqlite3.connect("", isolation_level=None)
        view._holdings = Holdings(folder)
        try:
            view._read()
        except BaseException:
            view._db.close()
            raise
        return view

    def _read(self) -> None:
        self._db.execute("PRAGMA journal_mode = OFF")  # nothing is ever taken back
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")
        seen: defaultdict[str, set[Kind | None]] = defaultdict(set)
        for place, row in _placed_rows(self.folder.manifest_jsonl):
            self._may_go_on()
            for name, value in row.items():
                seen[name].add(kind_of(value))
            self.models.add(str(row.get("model")))
            self._keep(place, row)
        self._db.execute(
            "INSERT INTO same SELECT sha256 FROM images WHERE sha256 NOTNULL "
            "GROUP BY sha256 HAVING count(*) > 1"
        )
        self.count = self._number("SELECT count(*) FROM images")
        self.columns = tuple(view_columns(seen or {name: set() for name in columns()}))

    def _keep(self, place: int, row: Mapping[str, object]) -> None:
        name, key, number = str(row["file_name"]), row["variant_key"], row["image_index"]
        self._db.execute(
            "INSERT INTO prompts VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET nsfw = nsfw + excluded.nsfw",
            (row["prompt_id"], row.get("nsfw") is True),
        )
        if not name.startswith("images/"):  # put aside or deleted, as the job asks
            return
        flags = looks(self._holdings, row)
        image = (ending_of(name), key, number, place, row["bytes"], row.get("sha256"), flags)
        self._db.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", image)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._db.close()

    @property
    def prompts(self) -> int:
        """How many prompts have an image."""
        return self._number("SELECT count(*) FROM prompts")

    @property
    def bytes(self) -> int:
        """Of all images."""
        return self._number("SELECT coalesce(sum(bytes), 0) FROM images")

    @property
    def endings(self) -> list[str]:
        """Of the image files, such as ``.png``."""
        found = self._db.execute("SELECT DISTINCT ending FROM images ORDER BY ending")
        return [ending for (ending,) in found]

    def findings(self) -> dict[str, dict[str, int]]:
        """How many images have each of FLAGS, and each prompt's count of images flagged NSFW.

        Of the prompts the first MOST_PROMPTS with the most.
        """
        sql = "SELECT count(*) FROM shown WHERE instr(flags, ?)"
        flags = ((flag, self._db.execute(sql, (flag,)).fetchone()[0]) for flag in FLAGS)
        nsfw = self._db.execute(
            "SELECT id, nsfw FROM prompts WHERE nsfw ORDER BY nsfw DESC, id LIMIT ?",
            (MOST_PROMPTS,),
        )
        return {
            "flags": {flag: count for flag, count in flags if count},
            "nsfw_by_prompt": dict(nsfw.fetchall()),
        }

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Ending and size in bytes of every image, in order."""
        yield from self._db.execute("SELECT ending, bytes FROM images ORDER BY ending, key, number")

    def rows(self) -> Iterator[ViewRow]:
        """Every image, in order. Raises StorageError when the manifest was changed meanwhile."""
        sql = "SELECT place, flags FROM shown ORDER BY ending, key, number"
        manifest = self.folder.manifest_jsonl
        with manifest.open("rb") as file:
            for place, flags in self._db.execute(sql):
                self._may_go_on()
                file.seek(place)
                asked = _row(file.readline(), manifest)
                yield view_row(self.columns, self.treatment, asked, flags)

    def _may_go_on(self) -> None:
        if not self.go_on():
            raise LeftError

    def _number(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])


def looks(holdings: Holdings, row: Mapping[str, object]) -> str:
    """Those of FLAGS that the image of *row* has by itself."""
    found = (("blank", near_blank(holdings, row)), ("size", wrong_size(row)))
    return " ".join(word for word, holds in found if holds)


def view_row(
    columns: Sequence[Column], treatment: Treatment, asked: Mapping[str, object], flags: str
) -> ViewRow:
    """The row *asked* of a manifest as a view with these *columns* has it."""
    values = {c.name: shown(asked.get(c.source), c.kind) for c in columns}
    return ViewRow(values=values | {"text": treatment.text(asked), "flags": flags}, asked=asked)


def _placed_rows(manifest: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Where each whole row starts, and the row. A run may be writing the last one right now."""
    place = 0
    try:
        with manifest.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield place, _row(line, manifest)
                place += len(line)
    except OSError as error:
        raise StorageError(f"cannot read {manifest}: {error.strerror}") from None


def _row(line: bytes, manifest: Path) -> dict[str, object]:
    try:
        row = json.loads(line.decode())  # of bytes it would guess the encoding
        if b"\\u" in line:
            json_line(row).encode()  # half a character, which JSON can hold and no file
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict) and _is_whole(row):
        return row
    raise StorageError(
        f"{manifest} holds a line that is no row of an image; "
        f"batchgen verify {manifest.parent} --repair mends it"
    )


def _is_whole(row: Mapping[str, object]) -> bool:
    file_name, key, prompt_id, number, size, sha256 = map(row.get, _LOOKED_AT)
    return (
        isinstance(file_name, str)
        and isinstance(key, str)
        and isinstance(prompt_id, str)
        and isinstance(number, int)
        and isinstance(size, int)
        and (sha256 is None or isinstance(sha256, str))
        and _KEY.fullmatch(key) is not None
        and 0 <= number < _MOST
        and 0 <= size < _MOST
    )
