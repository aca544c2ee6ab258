"""Packing images into shards, batch by batch, so that a kill at any moment loses nothing.

The new shards of a batch are written beside the old ones, under names that say what is in them.
Then comes the list, which is the moment; after it goes what is not listed any more, and the loose
files of what is. An image is in a loose file or in a listed shard, or for a while in both.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from batchgen.dataset.exports.forms import FORMS
from batchgen.dataset.exports.samples import read_samples
from batchgen.dataset.exports.shards import Limits, content_of, cut, write_shard
from batchgen.dataset.folder import DatasetFolder, json_line, quarantine, storage_error, sync_folder
from batchgen.dataset.rows.kinds import Column
from batchgen.dataset.stores.holdings import Holdings
from batchgen.dataset.stores.members import (
    LIST,
    Listing,
    Members,
    Shard,
    contents,
    index_of,
    read_listing,
    write_listing,
)
from batchgen.dataset.treatment import Treatment
from batchgen.dataset.views.view import ViewRow, looks, view_row

REST = -1
"""Number of the batch of variants that no plan has any more."""
Asked = Mapping[str, object]
"""A row of the manifest."""


class Packed:
    """The shards of a dataset, open for packing by the run that owns it."""

    def __init__(
        self,
        folder: DatasetFolder,
        listing: Listing,
        *,
        columns: Sequence[Column],
        treatment: Treatment,
    ) -> None:
        """Pack below *folder*, which has the shards of *listing*; rows have these *columns*."""
        self.folder = folder
        self.listing = listing
        self._limits = Limits(images=listing.images, bytes=listing.bytes)
        self._columns = columns
        self._treatment = treatment
        told = {"caption": treatment.caption, "columns": [vars(column) for column in columns]}
        self.shape = content_of([{"shape": json_line(told)}])[:16]
        """Stands for what rows look like; shards with other rows are written anew."""
        self._form = FORMS[listing.format]
        self._holdings = Holdings(folder)
        self._members = Members(folder)
        self._doubted: set[str] = set()

    def loose(self) -> set[str]:
        """Names of the images that are files of their own. Raises StorageError."""
        try:
            with os.scandir(self.folder.images) as found:
                return {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise storage_error(error, self.folder.images) from None

    def is_current(self, batch: int) -> bool:
        """Whether the shards of *batch* are whole, with rows as they are to look now."""
        shaped = all(shard.shape == self.shape for shard in self.listing.of(batch))
        return shaped and self.is_whole(batch)

    def is_whole(self, batch: int) -> bool:
        """Whether the shards of *batch* are there, as far as a look can tell."""
        return all(map(self._is_whole, self.listing.of(batch)))

    def _is_whole(self, shard: Shard) -> bool:
        path = self.folder.shards / shard.file
        there = path.is_file() and path.stat().st_size == shard.bytes
        return there and index_of(path).is_file() and shard.file not in self._doubted

    def doubt(self, files: Iterable[str]) -> None:
        """Take the shards *files* for damaged."""
        self._doubted.update(files)

    def is_done(self, batch: int) -> bool:
        """Whether *batch* has all images that can come into it."""
        shards = self.listing.of(batch)
        return bool(shards) and all(shard.done for shard in shards)

    def batches(self) -> list[int]:
        """Those that have shards."""
        return sorted({shard.batch for shard in self.listing.shards})

    def earlier(self) -> list[int]:
        """Batches that are not of the plan as it is now."""
        return [batch for batch in self.batches() if batch < self.listing.first]

    def is_earlier(self, key: str) -> bool:
        """Whether the variant *key* has an image in an earlier batch."""
        batch = self._members.batch_of(key)
        return batch is not None and batch < self.listing.first

    def keys(self, batch: int) -> list[str]:
        """The variants whose images are in *batch*, in their order."""
        names: list[str] = []
        for shard in self.listing.of(batch):
            names += (name for name, _, _ in contents(self.folder.shards / shard.file))
        return list(dict.fromkeys(variant_of(name) for name in names))

    def pack(self, batch: int, rows: Sequence[Asked], *, done: bool) -> None:
        """Let the shards of *batch* hold the images of *rows*, and remove their loose files.

        Raises StorageError when it cannot be written, or an image is not what was saved.
        """
        viewed = [self._viewed(row) for row in rows]
        if self._form.by_ending:
            viewed.sort(key=_ending)
        made, left = [], iter(viewed)
        sizes = [(_ending(row), int(str(row.asked["bytes"]))) for row in viewed]
        for place in cut(sizes, self._limits, by_ending=self._form.by_ending) if sizes else ():
            mine = list(islice(left, place.images))
            number = "rest" if batch == REST else f"{batch:06d}"
            content = content_of(row.values for row in mine)[:8]
            stem = f"{self._form.stem(place.ending)}-{number}-{place.number:02d}-{content}"
            made.append(self._write(stem + self._form.ending, batch, mine, done=done))
        old, files = self.listing.of(batch), {shard.file for shard in made}
        self.listing = self.listing.with_batch(batch, made)
        write_listing(self.folder, self.listing)
        self._doubted -= files
        gone = [shard for shard in old if shard.file not in files]
        for shard in gone:
            if not self._is_whole(shard):  # an image may be lost with it, but for what is left here
                quarantine(self.folder, self.folder.shards / shard.file)
        self._remove([self.folder.shards / shard.file for shard in gone])
        self._remove([index_of(self.folder.shards / shard.file) for shard in gone])
        self._remove([self.folder.root / str(row["file_name"]) for row in rows])

    def _viewed(self, row: Asked) -> ViewRow:
        # That another image has the same bytes is not known before the end.
        return view_row(self._columns, self._treatment, row, looks(self._holdings, row))

    def _write(self, name: str, batch: int, rows: Sequence[ViewRow], *, done: bool) -> Shard:
        path = self.folder.shards / name
        samples = read_samples(self._holdings, rows)
        told = write_shard(path, self._form, self._columns, samples, indexed=True)
        return Shard(
            file=name,
            batch=batch,
            images=len(rows),
            bytes=int(str(told["bytes"])),
            sha256=str(told["sha256"]),
            shape=self.shape,
            done=done,
        )

    def clear(self) -> None:
        """Remove what a run that was killed has left in the shards' folder.

        A shard with images that are nowhere else is put aside, as after a list from a backup.
        Raises StorageError.
        """
        listed = {shard.file for shard in self.listing.shards}
        kept = {LIST, *listed, *(index_of(Path(name)).name for name in listed)}
        ours = (self._form.ending, ".jsonl", ".new")
        left = [p for p in self.folder.shards.iterdir() if p.name not in kept]
        for path in (path for path in left if path.suffix == self._form.ending):
            names = [f"images/{name}" for name, _, _ in contents(path)]
            if any(self._holdings.size(name) is None for name in names):
                quarantine(self.folder, path)
        self._remove([path for path in left if path.name.endswith(ours)])

    def _remove(self, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise storage_error(error, path) from None


def open_packed(
    folder: DatasetFolder,
    name: str,
    plan: str,
    *,
    limits: Limits,
    columns: Sequence[Column],
    treatment: Treatment,
) -> Packed:
    """The shards of *folder*, in the form *name*, for a job with that *plan*.

    When another plan, or other limits, were there before, what is packed stays where it is, and
    batches begin anew behind it. Raises StorageError.
    """
    listing = read_listing(folder)
    known = listing or Listing(format=name, images=limits.images, bytes=limits.bytes)
    now = replace(known, plan=plan, images=limits.images, bytes=limits.bytes)
    if now != listing:
        batches = (shard.batch for shard in now.shards)
        now = replace(now, first=1 + max(batches, default=REST))
        _make_folder(folder)
        write_listing(folder, now)
    packed = Packed(folder, now, columns=columns, treatment=treatment)
    packed.clear()
    return packed


def _make_folder(folder: DatasetFolder) -> None:
    try:
        folder.shards.mkdir(exist_ok=True)
        sync_folder(folder.root)
    except OSError as error:
        raise storage_error(error, folder.shards) from None


def variant_of(name: str) -> str:
    """The key of the variant that an image called *name* is of."""
    return name.rpartition("_")[0]


def _ending(row: ViewRow) -> str:
    return Path(str(row.asked["file_name"])).suffix
