"""Shards: many images in one file, cut at the same places whatever order the images came in.

``export.json`` lists the shards that are whole. A file gets its final name when it is durable and
is listed after that, so what a killed export leaves is either listed or written again.
"""

import hashlib
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from batchgen.dataset.exports.samples import Sample, Samples
from batchgen.dataset.folder import (
    json_line,
    open_own,
    storage_error,
    sync_folder,
    write_whole,
)
from batchgen.dataset.rows.kinds import Column, Value
from batchgen.dataset.stores.members import index_of

LIST = "export.json"
Listed = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where a shard ends: before the image that would exceed either."""

    images: int = 10_000
    bytes: int = 500_000_000
    """Of the images in it."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The place of a shard among the ordered images."""

    number: int
    ending: str
    images: int


class Form(Protocol):
    """A kind of shards."""

    name: str
    by_ending: bool
    """Whether a shard holds images of one type alone."""
    indexed: bool
    """Whether readers want an index beside a shard."""
    ending: str
    """Of the names of shards: ``.tar``."""
    pattern: re.Pattern[str]
    """What names of the shards of an export, and of the indexes beside them, look like."""
    use: str
    """How a folder of shards is loaded, in Python."""

    def stem(self, ending: str) -> str:
        """What the names of shards of images with that *ending* begin with."""

    def file_name(self, cut: Cut, total: int) -> str:
        """Of the shard *cut* among *total* of an export."""

    def write(
        self, file: BinaryIO, columns: Sequence[Column], samples: Iterable[Sample]
    ) -> Iterator[tuple[Sample, int]]:
        """Write a shard, and tell of each image where its bytes begin in the file."""


def data_files(form: Form, endings: Sequence[str], folder: str = "") -> dict[str, list[str]]:
    """The shards in *folder* that each configuration of a dataset card has.

    Readers expect the same files in all samples of a configuration, so a form that keeps images
    by their *endings* has one for each.
    """
    stems = [form.stem(ending) for ending in endings] if form.by_ending else [form.stem("")]
    names = ["default"] if len(stems) == 1 else stems
    return {n: [f"{folder}{stem}-*{form.ending}"] for n, stem in zip(names, stems, strict=True)}


def cut(sizes: Iterable[tuple[str, int]], limits: Limits, *, by_ending: bool) -> list[Cut]:
    """Where images of *sizes*, given as ending and bytes, are cut into shards."""
    cuts: list[Cut] = []
    numbers: dict[str, int] = {}
    images, total, kind = 0, 0, ""

    def close() -> None:
        if images or not (by_ending or cuts):  # an empty table still has its columns
            number = numbers.get(kind, 0)
            numbers[kind] = number + 1
            cuts.append(Cut(number=number, ending=kind, images=images))

    for ending, size in sizes:
        own = ending if by_ending else ""
        if images == limits.images or total + size > limits.bytes or own != kind:
            if images:
                close()
            images, total, kind = 0, 0, own
        images, total = images + 1, total + size
    close()
    return cuts


def write_shards(
    samples: Samples, out: Path, form: Form, limits: Limits, watch: Callable[[int], None]
) -> list[Listed]:
    """Write the shards of *samples* into the folder *out*, but those that are there already.

    *watch* is called with the number of images after each shard. Raises StorageError.
    """
    there = {str(shard["file"]): shard for shard in read_list(out)}
    view = samples.view
    cuts = cut(view.sizes(), limits, by_ending=form.by_ending)
    listed: list[Listed] = []
    seen, rows = view.rows(), view.rows()
    for place in cuts:
        name = form.file_name(place, len(cuts))
        values = (row.values for row in islice(seen, place.images))
        content = content_of(values, b"embedded" if samples.embedded else b"")
        mine = islice(rows, place.images)
        old = there.get(name)
        whole = _size(out / name), not form.indexed or index_of(out / name).is_file()
        if old and old["content"] == content and whole == (old["bytes"], True):
            deque(mine, maxlen=0)
            listed.append(old)
        else:
            taken = samples.read(mine)
            made = write_shard(out / name, form, samples.columns, taken, indexed=form.indexed)
            listed.append({"file": name, "images": place.images, **made, "content": content})
            # What is listed and not here yet would be written again; so would the rest of *there*.
            write_list(out, form.name, listed)
        watch(place.images)
    write_list(out, form.name, listed)
    names = [str(shard["file"]) for shard in listed]
    _clear(out, form, {*names, *(index_of(Path(name)).name for name in names)})
    return listed


def read_list(out: Path) -> list[Listed]:
    """The shards in *out* that are whole; none when there is no list that can be read."""
    told = _told(out).get("shards")
    wanted = {"file", "bytes", "content"}
    shards = told if isinstance(told, list) else []
    return [shard for shard in shards if isinstance(shard, dict) and wanted <= set(shard)]


def read_format(out: Path) -> str | None:
    """Which form *out* has an export in; None when it has none."""
    told = _told(out).get("format")
    return told if isinstance(told, str) else None


def _told(out: Path) -> dict[str, Any]:
    try:
        with open_own(out / LIST, os.O_RDONLY, "r") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_list(out: Path, name: str, shards: Sequence[Listed]) -> None:
    """Write the list of whole shards. Raises StorageError."""
    content = {"format": name, "shards": list(shards)}
    write_whole(out / LIST, [json.dumps(content, indent=1) + "\n"])


def content_of(rows: Iterable[Mapping[str, Value]], salt: bytes = b"") -> str:
    """What tells the content of a shard: its rows, which name the hashes of the images."""
    digest = hashlib.sha256(salt)
    for row in rows:
        digest.update(json_line(row).encode())
    return digest.hexdigest()


def write_shard(
    path: Path, form: Form, columns: Sequence[Column], samples: Iterable[Sample], *, indexed: bool
) -> Listed:
    """Write a shard so that it is whole and durable under its name, or not there.

    When it is to be *indexed*, so is the index beside it. Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # of an export that was killed
        with temporary.open("x+b") as file:
            index = [_index_row(s, at) for s, at in form.write(file, columns, samples)]
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        if indexed:
            write_whole(index_of(path), index)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from None
    finally:
        with suppress(OSError):  # a disk that became read-only is told of by what failed first
            temporary.unlink()
    return {"bytes": size, "sha256": sha256}


def _index_row(sample: Sample, start: int) -> str:
    return json_line(
        {
            "key": sample.key,
            "file_name": f"{sample.key}{sample.ending}",
            "offset": start,
            "bytes": len(sample.data),
            "sha256": sample.values["sha256"],
        }
    )


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() and not path.is_symlink() else None


def _clear(out: Path, form: Form, listed: set[str]) -> None:
    """Remove shards that an earlier export of another dataset, or a killed one, has left."""
    try:
        for path in out.iterdir():
            if form.pattern.fullmatch(path.name) and path.name not in listed:
                path.unlink()
    except OSError as error:
        raise storage_error(error, out) from None
