"""Image files: gathered as they come, looked at, made durable, then given their final name."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import aiofiles

from batchgen.dataset.files.placing import Arrival, StoredImage, discard, place
from batchgen.dataset.files.together import Together
from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.dataset.stores.uploads import uploads_of

_HANDS = 2  # batches on their way to the disk: while one waits for it, the other is written
_HELD = 4 * 1024 * 1024  # bytes of one image in memory; a larger one goes to disk as it comes


class ImageStore:
    """Stores the images of a dataset; those that come at the same time share their syncs."""

    def __init__(self, folder: DatasetFolder) -> None:
        """Store below *folder*."""
        self._parts = folder.parts
        self._uploads = uploads_of(folder)
        self._placing = Together(partial(place, folder.root, set()), hands=_HANDS)

    async def store(
        self, chunks: AsyncIterator[bytes], *, part: str, names: Callable[[bool], str]
    ) -> StoredImage:
        """Stream *chunks* into the dataset and return the receipt.

        ``names(False)`` is the final path without its ending; ``names(True)`` one that nothing else
        can have, for when a different file is already there. *part* names the file while it is
        written. Raises PictureError when the bytes are no whole image, StorageError when writing
        fails, and whatever *chunks* raises; in each case nothing is left behind.
        """
        path = self._parts / part
        data = await _gather(path, chunks)
        arrival = Arrival(part=path, data=data, names=names, taken=self._taken)
        return await self._placing.do(arrival)

    def _taken(self, name: str) -> bool:
        return self._uploads is not None and self._uploads.size(name) is not None


async def _gather(path: Path, chunks: AsyncIterator[bytes]) -> bytes | None:
    """All *chunks* as one; None when they are too many and at *path* instead."""
    held, size = [], 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > _HELD:
            await _stream(path, b"".join(held), chunks)
            return None
    return b"".join(held)


async def _stream(path: Path, start: bytes, rest: AsyncIterator[bytes]) -> None:
    """Write an image to *path* as it comes. Raises StorageError."""
    try:
        with ExitStack() as half:
            half.callback(discard, path)
            async with aiofiles.open(path, "wb", opener=_own) as file:
                await file.write(start)
                async for chunk in rest:
                    await file.write(chunk)
            half.pop_all()
    except OSError as error:
        raise storage_error(error, path) from None


def _own(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o664)
