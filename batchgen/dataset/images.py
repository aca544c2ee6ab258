"""Image files: streamed to a side folder, looked at, made durable, then given their final name."""

import asyncio
import hashlib
import mmap
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from batchgen.dataset.folder import DatasetFolder, refuse_odd, storage_error
from batchgen.dataset.picture import Picture, PictureError, look_at

_HELD = 4 * 1024 * 1024  # bytes of one image in memory; a larger one goes to disk as it comes
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_Looked = tuple[str, int, Picture]


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
    held, size = [], 0
    try:
        async for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            if size > _HELD:
                return await _store_large(folder, path, b"".join(held), chunks, names)
        # One hop to another thread for all of it: each costs as much as some system calls.
        return await asyncio.to_thread(_keep, folder, path, held, names)
    except OSError as error:
        raise storage_error(error, path) from None


def _keep(
    folder: DatasetFolder, path: Path, chunks: Sequence[bytes], names: Callable[[bool], str]
) -> StoredImage:
    """Look at the bytes of an image and make them a file; nothing is written for other bytes."""
    data = memoryview(b"".join(chunks))
    looked = _look(data)
    file = _own(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        try:
            while data:
                data = data[os.write(file, data) :]
            os.fsync(file)
        finally:
            os.close(file)
        return _settle(folder, path, looked, names)
    except BaseException:
        _discard(path)
        raise


async def _store_large(
    folder: DatasetFolder,
    path: Path,
    start: bytes,
    rest: AsyncIterator[bytes],
    names: Callable[[bool], str],
) -> StoredImage:
    """Stream an image to disk, and look at it there."""
    try:
        async with aiofiles.open(path, "wb", opener=_own) as file:
            await file.write(start)
            async for chunk in rest:
                await file.write(chunk)
        return await asyncio.to_thread(_keep_large, folder, path, names)
    finally:
        _discard(path)


def _keep_large(folder: DatasetFolder, path: Path, names: Callable[[bool], str]) -> StoredImage:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    return _settle(folder, path, examine(path), names)


def _settle(
    folder: DatasetFolder, path: Path, looked: _Looked, names: Callable[[bool], str]
) -> StoredImage:
    """Give a durable file with the bytes of an image its final name, and make that durable."""
    sha256, size, picture = looked
    name = _free_name(folder.root, names, picture.ending, sha256)
    *above, own = name.split("/")
    with _opened(folder.root, above) as descriptor:
        os.replace(path, own, dst_dir_fd=descriptor)
        os.fsync(descriptor)
    return StoredImage(file_name=name, bytes=size, sha256=sha256, picture=picture)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _own(path: str | Path, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o664)


@contextmanager
def _opened(root: Path, names: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder *names* below *root*, made where it is missing.

    One level after the other, so that no link on the way is followed, whenever it was put there.
    """
    here = os.open(root, _FOLDER)
    try:
        for depth, name in enumerate(names, 1):
            try:
                below = _open_below(here, name)
            except OSError:
                refuse_odd(root.joinpath(*names[:depth]), folder=True)
                raise
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _open_below(here: int, name: str) -> int:
    with suppress(FileNotFoundError):
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
    with suppress(FileExistsError):  # another image has just made it
        os.mkdir(name, 0o775, dir_fd=here)
        os.fsync(here)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=here)


def examine(path: Path) -> tuple[str, int, Picture]:
    """SHA-256, size in bytes and picture of the file at *path*. Raises PictureError, OSError."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:  # nothing cannot be mapped
            return _look(memoryview(b""))
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
        ):
            return _look(view)


def _look(data: memoryview) -> _Looked:
    if not data:
        raise PictureError("expected an image, got nothing")
    picture = look_at(data)
    return hashlib.sha256(data).hexdigest(), len(data), picture


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
