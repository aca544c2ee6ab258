"""Image files: streamed to a side folder, looked at, made durable, then given their final name."""

import asyncio
import hashlib
import mmap
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from batchgen.dataset.folder import DatasetFolder, refuse_odd, storage_error
from batchgen.dataset.picture import Picture, PictureError, look_at

_WRITE = 256 * 1024  # bytes for each hop to the writing thread; 64 KiB is ten times 4 KiB already


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """The receipt for an image under its final name."""

    file_name: str
    """Relative to the dataset folder, with ``/``."""
    bytes: int
    sha256: str
    picture: Picture


async def store_image(
    folder: DatasetFolder,
    chunks: AsyncIterator[bytes],
    *,
    part: str,
    names: Callable[[bool], str],
) -> StoredImage:
    """Stream *chunks* into the dataset and return the receipt.

    ``names(False)`` is the final path without its ending; ``names(True)`` one that nothing else can
    have, for when a different file is already there. *part* names the file while it is written.
    Raises PictureError when the bytes are no whole image, StorageError when writing fails, and
    whatever *chunks* raises; in each case nothing is left behind.
    """
    path = folder.parts / part
    try:
        try:
            await _write(path, chunks)
            return await asyncio.to_thread(_settle, folder, path, names)
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from None


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> None:
    held = bytearray()
    async with aiofiles.open(path, "wb", opener=_own) as file:
        async for chunk in chunks:
            held += chunk
            if len(held) >= _WRITE:
                await file.write(bytes(held))
                held.clear()
        await file.write(bytes(held))


def _settle(folder: DatasetFolder, path: Path, names: Callable[[bool], str]) -> StoredImage:
    """Look at a finished download, make it durable and link it to its final name."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    sha256, size, picture = examine(path)
    name = _free_name(folder.root, names, picture.ending, sha256)
    *above, own = name.split("/")
    with _opened(folder.root, above) as descriptor:
        os.replace(path, own, dst_dir_fd=descriptor)
        os.fsync(descriptor)
    return StoredImage(file_name=name, bytes=size, sha256=sha256, picture=picture)


def _own(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o664)


@contextmanager
def _opened(root: Path, names: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder *names* below *root*, made where it is missing.

    One level after the other, so that no link on the way is followed, whenever it was put there.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with ExitStack() as opened:
        here = os.open(root, flags)
        opened.callback(os.close, here)
        for depth, name in enumerate(names, 1):
            with suppress(FileExistsError):
                os.mkdir(name, 0o775, dir_fd=here)
            try:
                here = os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
            except OSError:
                refuse_odd(root.joinpath(*names[:depth]), folder=True)
                raise
            opened.callback(os.close, here)
        yield here


def examine(path: Path) -> tuple[str, int, Picture]:
    """SHA-256, size in bytes and picture of the file at *path*. Raises PictureError, OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            raise PictureError("expected an image, got nothing")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                return hashlib.sha256(view).hexdigest(), size, look_at(view)
            finally:
                view.release()


def _free_name(root: Path, names: Callable[[bool], str], ending: str, sha256: str) -> str:
    """The final name below *root*, unless something else has it.

    The same bytes there are this very image, renamed before a crash could record it.
    """
    wanted = names(False) + ending
    path = root / wanted
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return wanted
    # A link, a pipe or a folder stays as it is, and is not read.
    same = is_file and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    return wanted if same else names(True) + ending
