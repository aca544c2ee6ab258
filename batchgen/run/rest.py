"""What a mirror uploads beside images: manifests, views, reports, and a copy of the ledger."""

import asyncio
import mimetypes
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.beside import SIDE_FILES
from batchgen.dataset.bucket import Bucket
from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.dataset.uploads import Uploads
from batchgen.ledger.copying import copy_ledger
from batchgen.run.bringing import kept

SIDES = frozenset(SIDE_FILES.values())
"""Endings of the files beside images that are no images."""

Moment = Mapping[str, tuple[Path, str]]
"""Files as they were at one moment: by their names, where they are and what they are known by."""


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

    async def upload(self, moment: Moment) -> str:
        """Upload what has changed of *moment*, and then the ledger; returns its SHA-256.

        What is no file any more is deleted from the bucket. Raises StorageError.
        """
        for name, (path, stamp) in moment.items():
            await self._put(name, path, stamp)
        name = self._name(self.folder.ledger)
        await asyncio.to_thread(self._clear, {name, *moment})
        copy = self._staging / "ledger.sqlite3"
        ledger = await asyncio.to_thread(copy_ledger, self.folder.ledger, copy)
        await self._put(name, copy, ledger)
        return ledger

    async def upload_last(self) -> None:
        """Upload what tells how the run ended. Raises StorageError."""
        for path in (self.folder.runs, self.folder.last_success):
            if path.is_file():
                await self._put(self._name(path), path, _stamp(path, path.stat().st_size))

    async def _put(self, name: str, path: Path, stamp: str) -> None:
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
            staged = {}
            for number, path in enumerate(self._files()):
                name, size = self._name(path), sizes.get(path, path.stat().st_size)
                copy, stamp = self._staging / str(number), _stamp(path, size)
                if self.uploads.stamp(name) != stamp:
                    if path in sizes or path.parent == self.folder.state:
                        _copy(path, copy, size)
                    else:
                        os.link(path, copy, follow_symlinks=False)
                staged[name] = (copy, stamp)
        except OSError as error:
            raise storage_error(error, self._staging) from None
        return staged

    def _files(self) -> Iterator[Path]:
        """The files that are there. Hidden ones are thumbnails, or not whole yet."""
        for above, folders, names in os.walk(self.folder.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            beside_images = any(Path(above).is_relative_to(top) for top in self.folder.tops)
            for name in names:
                path = Path(above, name)
                wanted = path.suffix in SIDES if beside_images else not name.startswith(".")
                if wanted and path.is_file() and not path.is_symlink():
                    yield path
        yield from (path for path in kept(self.folder) if path.is_file())

    def _clear(self, here: set[str]) -> None:
        for name in self.uploads.stamped():
            if name not in here:
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
