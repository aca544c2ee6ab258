"""What there is to report: the rows of a dataset, taken for what they are, data from outside."""

import json
import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.manifest import columns
from batchgen.dataset.rows.reading import Dataset, no_dataset
from batchgen.dataset.views.view import View
from batchgen.errors import StorageError

Row = dict[str, object]

# Names that the page links to and that thumbnails are made of; anyone may have edited the manifest.
_FILE_NAME = re.compile(r"(images|nsfw|dropped)(/(?!\.)[^/\\\x00-\x1f\x7f]{1,255})+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 64 * 1024 * 1024  # bytes of a row
# Of 100,000 images a page has 18 to 23 MB, opens within two seconds and takes half a gigabyte to
# write; of a million it would take ten times that.
MOST = 100_000


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The rows of a dataset and where its variants stand."""

    folder: DatasetFolder
    images: Sequence[Row]
    """As in the manifest; ``file_name`` and ``sha256`` are None where they cannot be used."""
    every: int
    """1 when these are all images of the dataset, 10 for about a tenth of too many for a page."""
    total: int
    """Images of the dataset."""
    failures: Sequence[Row]
    standing: Mapping[str, object]
    """As in ``summary.json``; empty when no run has ended yet."""

    @cached_property
    def axes(self) -> list[str]:
        """The columns that tell images apart: the usual ones, the others of the job, the index."""
        usual = {*columns(), "state", "flags"}
        others = dict.fromkeys(name for row in self.images for name in row if name not in usual)
        names = ["prompt_id", "seed", "aspect_ratio", *others, "image_index"]
        if self._differs("negative_prompt", within="prompt_id"):  # else it belongs to the prompt
            names.insert(1, "negative_prompt")
        return [name for name in names if self._differs(name)]

    def _differs(self, name: str, *, within: str | None = None) -> bool:
        """Whether there are two values of *name*, or two where the column *within* has the same."""
        first: dict[object, object] = {}
        rows = self.images if name == "image_index" else (*self.images, *self.failures)
        groups = (row.get(within) if within else None for row in rows)
        return any(
            first.setdefault(group, row.get(name)) != row.get(name)
            for group, row in zip(groups, rows, strict=True)
        )


def is_aside(row: Mapping[str, object]) -> bool:
    """Whether the job had the image of *row* put aside or deleted, because it is flagged."""
    return str(row.get("file_name")).startswith(("nsfw/", "dropped/"))


def number(row: Mapping[str, object], name: str) -> float | None:
    """The number that *row* holds under *name*; None when it is unknown or no number."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_contents(
    root: Path,
    *,
    failures: Iterable[Row] | None = None,
    standing: Mapping[str, object] | None = None,
) -> Contents:
    """What the dataset in *root* holds, also while a run adds to it.

    Whoever can ask the ledger gives *failures* and *standing* as they are now; the files of the
    dataset tell the rest, and how these were when the last run ended. Raises UsageError when there
    is no dataset, StorageError when its files cannot be read.
    """
    folder = DatasetFolder(root)
    if not folder.manifest_jsonl.is_file():
        raise no_dataset(folder.root, "manifest.jsonl")
    if failures is None:
        failures = _rows(folder.failures) if folder.failures.is_file() else ()
    flags = _flags(folder)
    total = _count(folder.manifest_jsonl)
    every = max(1, -(-total // MOST))
    return Contents(
        folder=folder,
        images=[_checked(row, flags) for row in _rows(folder.manifest_jsonl, every)],
        every=every,
        total=total,
        failures=[_shown(row) for row in failures],
        standing=_shown({**Dataset(folder).summary, **(standing or {})}),
    )


def _count(path: Path) -> int:
    """The rows in the file at *path*; one that is being written right now does not count."""
    try:
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from None


def _rows(path: Path, every: int = 1) -> Iterable[Row]:
    """The rows in the file at *path*, or about one of *every* so many.

    By their content and not by their place: images land in the order of the axes, so that every
    tenth may well be of one value.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_LONGEST), b""), 1):
                # A run may be writing the last one right now.
                if line.endswith(b"\n") and zlib.crc32(line) % every == 0:
                    yield _row(line, f"{path}:{number}")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from None


def _row(line: bytes, place: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise StorageError(
            f"{place}: expected a row as a JSON object, got something else; "
            "batchgen verify --repair writes the file anew"
        )
    return _shown(row)


def _shown(row: Mapping[str, object]) -> Row:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    """*value*, which a page can show: a text, a number that JSON knows, a truth or nothing."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)  # a browser would round it
    if isinstance(value, str):
        # Half a character, which JSON can hold and no file.
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    return value if value is None or isinstance(value, int | float) else json.dumps(value)


def _flags(folder: DatasetFolder) -> Mapping[object, object]:
    """What may be wrong with images, by their names, as far as a view of the dataset says so."""
    path = folder.metadata
    if folder.shards.is_dir():
        with View.open(folder) as view:
            return {r.asked["file_name"]: f for r in view.rows() if (f := r.values["flags"])}
    if not path.is_file():
        return {}
    return {
        row["file_name"]: row["flags"]
        for row in _rows(path)
        if {"file_name", "flags"} <= row.keys()
    }


def _checked(row: Row, flags: Mapping[object, object]) -> Row:
    name, sha256 = row.get("file_name"), row.get("sha256")
    if found := flags.get(name):
        row["flags"] = found
    if not (isinstance(name, str) and len(name) <= 1_000 and _FILE_NAME.fullmatch(name)):
        row["file_name"] = None
    if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        row["sha256"] = None
    return row
