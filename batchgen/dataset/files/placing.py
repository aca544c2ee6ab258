"""Giving images their final names: many at once, each durable before anybody is told of it.

All take a step before any takes the next one. The first sync of a file then takes most of the
others to the disk with it, and a folder is synced once for all that came into it.
"""

import hashlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from batchgen.dataset.files.picture import Picture, PictureError, examine, look_through
from batchgen.dataset.files.renaming import rename_new
from batchgen.dataset.folder import refuse_odd, storage_error
from batchgen.errors import StorageError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC
Names = tuple[str, ...]
"""A folder below the dataset's: its name after those of the folders above it."""
# Of two images that want one name at the same time, as after an edit of the job, one would be lost
# where a name cannot be looked at and taken in one step.
_NAMING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """The receipt for an image under its final name."""

    file_name: str
    """Relative to the dataset folder, with ``/``."""
    bytes: int
    sha256: str
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An image that is to have its final name."""

    part: Path
    """Its file until then."""
    data: bytes | None
    """Its bytes; None when they are in that file already."""
    names: Callable[[bool], str]
    """``names(False)`` is the final path without its ending; ``names(True)`` one that nothing else
    can have, for when a different file is already there."""
    taken: Callable[[str], bool] = lambda _: False
    """Whether an image that is no file here any more has that name, in a bucket."""


def place(
    root: Path, fresh: set[Names], arrivals: Sequence[Arrival]
) -> list[StoredImage | Exception]:
    """Make *arrivals* durable under their final names below *root*.

    *fresh* holds the folders that were made there and whose own names may not be durable yet; it
    is shared by all threads that place images there.
    What went wrong stands in the place of its receipt, and nothing is left of that image: a
    PictureError when its bytes are no whole image, a StorageError when writing failed.
    """
    found: dict[int, StoredImage | Exception] = {}
    with _Folders(root, fresh) as folders:
        ways = {number: _way(folders, arrival) for number, arrival in enumerate(arrivals)}
        while ways:
            for number, way in list(ways.items()):
                try:
                    next(way)
                    continue
                except StopIteration as end:
                    found[number] = end.value
                except (PictureError, StorageError) as error:
                    found[number] = error
                except OSError as error:
                    found[number] = storage_error(error, arrivals[number].part)
                del ways[number]
    return [found[number] for number in range(len(arrivals))]


def _way(folders: "_Folders", arrival: Arrival) -> Generator[None, None, StoredImage]:
    """The way of one image; it pauses where it waits for the others of its batch."""
    try:
        if arrival.data is None:
            sha256, size, picture = examine(arrival.part)
            file = os.open(arrival.part, os.O_RDWR | _FILE)
        else:
            sha256, size, picture = look_through(memoryview(arrival.data))
            file = os.open(arrival.part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FILE, 0o664)
        try:
            _write(file, arrival.data or b"")
            yield
            os.fsync(file)
        finally:
            os.close(file)
        yield
        name = folders.name(arrival, picture.ending, sha256)
        yield
        folders.sync(name)
    except BaseException:  # also when the generator is closed: nothing is left of it then
        discard(arrival.part)
        raise
    return StoredImage(file_name=name, bytes=size, sha256=sha256, picture=picture)


def discard(part: Path) -> None:
    """Throw away what was written of an image, if anything was and the disk lets it go."""
    with suppress(OSError):
        part.unlink()


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    if sys.platform == "linux":
        # Linux begins to write it to the disk now, beside the others, and not at its sync.
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


class _Folders:
    """The folders below *root* that the images of a batch come into.

    Each is opened once, from the one above it, so that no link on the way is followed, whenever it
    was put there; and each is synced once.
    """

    def __init__(self, root: Path, fresh: set[Names]) -> None:
        self._root = root
        self._fresh = fresh
        self._open: dict[Names, int] = {}
        self._below: dict[Names, list[Names]] = {}
        self._synced: dict[Names, OSError | None] = {}
        self._changed: set[Names] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def name(self, arrival: Arrival, ending: str, sha256: str) -> str:
        """Give *arrival* its final name, and return that."""
        name = arrival.names(False) + ending
        self._at(tuple(name.split("/")[:-1]))  # made, if need be, before others have to wait
        with _NAMING:
            *above, own = name.split("/")
            if not rename_new(arrival.part, own, self._at(tuple(above))):
                if not self._is(name, sha256):
                    name = arrival.names(True) + ending
                *above, own = name.split("/")
                os.replace(arrival.part, own, dst_dir_fd=self._at(tuple(above)))
            elif arrival.taken(name):  # looked at now: it may have gone there in this moment
                here, old = self._at(tuple(above)), own
                name = arrival.names(True) + ending
                *above, own = name.split("/")
                os.replace(old, own, src_dir_fd=here, dst_dir_fd=self._at(tuple(above)))
        self._changed.add(tuple(above))
        return name

    def sync(self, name: str) -> None:
        """Make the *name* of a file durable, and the folders on its way."""
        parts = tuple(name.split("/"))
        for depth in reversed(range(len(parts))):
            self._sync(parts[:depth])

    def _sync(self, names: Names) -> None:
        if names in self._changed and names not in self._synced:
            self._synced[names] = None
            try:
                os.fsync(self._open[names])
                self._fresh.difference_update(self._below.get(names, ()))
            except OSError as error:  # told once only: the next sync would call all well
                self._synced[names] = error
        if failed := self._synced.get(names):
            raise failed

    def _is(self, name: str, sha256: str) -> bool:
        """Whether the file *name* has these bytes: then it is this very image.

        It was renamed before a crash could record it.
        """
        *above, own = name.split("/")
        folder = self._at(tuple(above))
        if not stat.S_ISREG(os.stat(own, dir_fd=folder, follow_symlinks=False).st_mode):
            return False  # a link, a pipe or a folder stays as it is, and is not read
        with os.fdopen(os.open(own, os.O_RDONLY | _FILE, dir_fd=folder), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def _at(self, names: Names) -> int:
        """A descriptor of the folder *names*, made where it is missing."""
        if names not in self._open:
            self._open[names] = self._opened(names)
            self._below.setdefault(names[:-1], []).append(names)
        return self._open[names]

    def _opened(self, names: Names) -> int:
        if not names:
            return os.open(self._root, _FOLDER)
        own, parent = names[-1], self._at(names[:-1])
        try:
            with suppress(FileNotFoundError):
                opened = os.open(own, _FOLDER | _FILE, dir_fd=parent)
                # Another thread may have made it, and be on the way to sync that.
                if names in self._fresh:
                    self._changed.add(names[:-1])
                return opened
            self._fresh.add(names)
            self._changed.add(names[:-1])
            with suppress(FileExistsError):
                os.mkdir(own, 0o775, dir_fd=parent)
            return os.open(own, _FOLDER | _FILE, dir_fd=parent)
        except OSError:
            refuse_odd(self._root.joinpath(*names), folder=True)
            raise
