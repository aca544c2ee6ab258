"""What a mirror uploads beside images: manifests, views, reports, and a copy of the ledger."""

import asyncio
import mimetypes
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.dataset.stores.bucket import Bucket
from batchgen.dataset.stores.uploads import Uploads
from batchgen.dataset.views.beside import SIDE_FILES
from batchgen.ledger.copying import copy_ledger
from batchgen.run.bucket.bringing import kept
from batchgen.run.pace.hands import handled

SIDES = frozenset(SIDE_FILES.values())
"""Endings of the files beside images that are no images."""

AT_ONCE = 16
"""Uploads at the same time: at 0.2 s for an image, what the highest tier makes."""

File = tuple[str, Path, str]
"""The name of an object, where its bytes are, and what they are known by."""
Moment = Sequence[File]
"""Files as they were at one moment."""


@dataclass(frozen=True, kw_only=True)
class Rest:
    """All of a dataset that goes to its bucket, images aside."""

    folder: DatasetFolder
    bucket: Bucket
    uploads: Uploads

    async def stage(self) -> Moment:
        """The files as they are now. Raises StorageError."""
        # A manifest has whole rows only between two steps of the event loop.
        streams = (self.folder.manifest_jsonl, self.folder.manifest_csv)
        sizes = {path: path.stat().st_size for path in streams if path.is_file()}
        return await asyncio.to_thread(self._stage, sizes)

    async def upload(self, moment: Moment, *, all_of_it: bool) -> str:
        """Upload what has changed of *moment*, and then the ledger; returns its SHA-256.

        With *all_of_it* also the files beside images, which are written at the end of a run. What
        is no file any more is deleted from the bucket. Raises StorageError.
        """
        beside = self._beside() if all_of_it else ()
        await handled(chain(moment, beside), self._put, hands=AT_ONCE)
        await asyncio.to_thread(self._clear)
        copy = self._staging / "ledger.sqlite3"
        ledger = await asyncio.to_thread(copy_ledger, self.folder.ledger, copy)
        await self._put((self._name(self.folder.ledger), copy, ledger))
        return ledger

    async def upload_last(self) -> None:
        """Upload what tells how the run ended. Raises StorageError."""
        for path in (self.folder.runs, self.folder.last_success):
            if path.is_file():
                await self._put((self._name(path), path, _stamp(path, path.stat().st_size)))

    async def _put(self, file: File) -> None:
        name, path, stamp = file
        await asyncio.sleep(0)  # of a million that are there already, too
        if self.uploads.stamp(name) != stamp:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            size = await self.bucket.upload(name, path, kind)
            self.uploads.add(name, size, stamp)

    def _stage(self, sizes: Mapping[Path, int]) -> Moment:
        """Files that grow are copied, as far as they went; others, which are replaced and never
        changed, get a second name.
        """
        try:
            self._staging.mkdir(mode=0o700, exist_ok=True)
            for old in self._staging.iterdir():
                old.unlink()
            staged = []
            for number, path in enumerate(self._files()):
                name, size = self._name(path), sizes.get(path, path.stat().st_size)
                copy, stamp = self._staging / str(number), _stamp(path, size)
                if self.uploads.stamp(name) != stamp:
                    if path in sizes or path.parent == self.folder.state:
                        _copy(path, copy, size)
                    else:
                        os.link(path, copy, follow_symlinks=False)
                staged.append((name, copy, stamp))
        except OSError as error:
            raise storage_error(error, self._staging) from None
        return staged

    def _files(self) -> Iterator[Path]:
        """The files that are there. Hidden ones are not whole yet."""
        for above, folders, names in os.walk(self.folder.root):
            here = Path(above)
            folders[:] = [n for n in folders if here / n not in self._many and n[0] != "."]
            for name in names:
                path = here / name
                if name[0] != "." and path.is_file() and not path.is_symlink():
                    yield path
        yield from (path for path in kept(self.folder) if path.is_file())

    def _beside(self) -> Iterator[File]:
        """The files beside images, and thumbnails: one for each image, written once."""
        for top in self._many:
            for path in top.rglob("*"):
                wanted = top not in self.folder.tops or path.suffix in SIDES
                if wanted and path.name[0] != "." and path.is_file() and not path.is_symlink():
                    yield self._name(path), path, _stamp(path, path.stat().st_size)

    @property
    def _many(self) -> tuple[Path, ...]:
        return *self.folder.tops, self.folder.root / ".thumbs"

    def _clear(self) -> None:
        for name in self.uploads.stamped():
            if not (self.folder.root / name).is_file():
                self.bucket.delete(name)
                self.uploads.forget(name)

    @property
    def _staging(self) -> Path:
        return self.folder.state / "staged"

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder.root).as_posix()


def _stamp(path: Path, size: int) -> str:
    return f"{size}:{path.stat().st_mtime_ns}"


def _copy(path: Path, copy: Path, size: int) -> None:
    with path.open("rb") as source, copy.open("wb") as target:
        while size and (chunk := source.read(min(size, 1 << 20))):
            target.write(chunk)
            size -= len(chunk)
