"""The rows of a dataset as training tools want them: flat, typed, never null, in one fixed order.

Readers of JSON lines guess the type of a column from its first rows and then drop, round or refuse
what does not fit (datasets 5.2 does so block by block of 10 MB). So the manifest is read once to
learn the type of each column, and what is unknown gets a neutral value of that type.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.manifest import columns
from batchgen.dataset.treatment import Treatment, read_treatment
from batchgen.errors import StorageError

Kind = Literal["bool", "int", "float", "text"]
Value = bool | int | float | str

NEUTRAL: Mapping[Kind, Value] = {"bool": False, "int": -1, "float": -1.0, "text": ""}
"""What stands for unknown. A truth that is not always known is a text, so that none is guessed."""

# How an image came about differs from run to run; without it, the view of the same images is the
# same, byte for byte. The manifest has it, under the same variant_key and image_index.
_LEFT_OUT = frozenset(
    ("prediction_id", "created_at", "submitted_at", "completed_at", "saved_at", "queue_ms",
     "inference_ms", "total_ms", "polls", "attempts", "cost_usd")
)  # fmt: skip
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(columns(), "text"),
    **dict.fromkeys(
        (
            "seed",
            "image_index",
            "width",
            "height",
            "bytes",
            "queue_ms",
            "inference_ms",
            "total_ms",
            "polls",
            "attempts",
        ),
        "int",
    ),
    "cost_usd": "float",
}
_MOST = 2**63 - 1  # a larger number loses its last digits in most readers
# Readers give these names a meaning of their own.
_TAKEN = frozenset({"text", "image", "images", "file_names", "label", "__key__", "__url__"})


class LeftError(Exception):
    """There was no time to finish reading."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the view."""

    name: str
    source: str
    """Its name in the manifest."""
    kind: Kind


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

    @classmethod
    def open(cls, folder: DatasetFolder, go_on: Callable[[], bool] = lambda: True) -> Self:
        """Read the manifest of *folder* once.

        Raises StorageError when it is damaged or gone; LeftError, also from :meth:`rows`, as soon
        as *go_on* says no.
        """
        view = cls(folder=folder, treatment=read_treatment(folder), go_on=go_on)
        # A file of its own that goes away with the connection: sorted on disk, not in memory.
        view._db = sqlite3.connect("")
        try:
            view._read()
        except BaseException:
            view._db.close()
            raise
        return view

    def _read(self) -> None:
        self._db.executescript(
            "CREATE TABLE images (ending TEXT, key TEXT, number INTEGER, place INTEGER, "
            "bytes INTEGER, PRIMARY KEY (ending, key, number)) WITHOUT ROWID;"
            "CREATE TABLE prompts (id TEXT PRIMARY KEY) WITHOUT ROWID;"
        )
        seen: dict[str, set[Kind | None]] = {}
        for place, row in _placed_rows(self.folder.manifest_jsonl):
            self._may_go_on()
            for name, value in row.items():
                seen.setdefault(name, set()).add(_kind_of(value))
            self.models.add(str(row.get("model")))
            ending = Path(str(row["file_name"])).suffix
            self._db.execute(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?)",
                (ending, row["variant_key"], row["image_index"], place, row["bytes"]),
            )
            self._db.execute("INSERT OR IGNORE INTO prompts VALUES (?)", (str(row["prompt_id"]),))
        self.count = self._number("SELECT count(*) FROM images")
        self.columns = tuple(_columns(seen or {name: set() for name in columns()}))

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

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Ending and size in bytes of every image, in order."""
        yield from self._db.execute("SELECT ending, bytes FROM images ORDER BY ending, key, number")

    def rows(self) -> Iterator[ViewRow]:
        """Every image, in order. Raises StorageError when the manifest was changed meanwhile."""
        sql = "SELECT place FROM images ORDER BY ending, key, number"
        with self.folder.manifest_jsonl.open("rb") as file:
            for (place,) in self._db.execute(sql):
                self._may_go_on()
                file.seek(place)
                asked = _row(file.readline(), self.folder.manifest_jsonl)
                yield ViewRow(values=self._shown(asked), asked=asked)

    def _may_go_on(self) -> None:
        if not self.go_on():
            raise LeftError

    def _shown(self, asked: Mapping[str, object]) -> dict[str, Value]:
        shown = {c.name: _value(asked.get(c.source), c.kind) for c in self.columns}
        return shown | {"text": self.treatment.text(asked)}

    def _number(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])


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
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    whole = isinstance(row, dict) and all(
        isinstance(row.get(name), kind)
        for name, kind in (("file_name", str), ("variant_key", str), ("prompt_id", str),
                           ("image_index", int), ("bytes", int))
    )  # fmt: skip
    if not whole:
        raise StorageError(
            f"{manifest} holds a line that is no row of an image; "
            f"batchgen verify {manifest.parent} --repair mends it"
        )
    return row  # type: ignore[no-any-return]  # a dict, as was just seen


def _columns(seen: Mapping[str, set[Kind | None]]) -> Iterator[Column]:
    for source, kinds in seen.items():
        if source in _LEFT_OUT:
            continue
        name = source
        if source in _TAKEN or source.endswith(("_file_name", "_file_names")):
            name = f"param_{source}"
        kind = _joined(kinds, _KINDS.get(source))
        if source == "prompt":  # what trainers look for first
            yield Column(name="text", source="prompt", kind="text")
        yield Column(name=name, source=source, kind=kind)


def kind_of_all(name: str, values: Iterable[object]) -> Kind:
    """The kind of a column *name* of the manifest with these values, where null stays null."""
    seen = {_kind_of(value) for value in values} - {None}
    declared: Kind | None = "bool" if name == "nsfw" else _KINDS.get(name)
    return _joined(seen, declared)


def _joined(seen: set[Kind | None], declared: Kind | None) -> Kind:
    """The one kind for values of all kinds in *seen*, where None stands for an unknown value."""
    kinds = (seen | {declared}) - {None}
    if kinds == {"int", "float"}:
        return "float"
    if len(kinds) != 1 or (kinds == {"bool"} and None in seen):
        return "text"
    return kinds.pop() or "text"


def _kind_of(value: object) -> Kind | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int) and abs(value) <= _MOST:
        return "int"
    return "float" if isinstance(value, float) else "text"


def _value(value: object, kind: Kind) -> Value:
    if value is None:
        return NEUTRAL[kind]
    if kind == "float" and isinstance(value, int | float):
        return float(value)
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    assert isinstance(value, bool | int | float)
    return value
