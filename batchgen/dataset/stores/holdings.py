"""What a dataset holds: the bytes of its images, wherever they are kept.

Whoever wants an image that is in the manifest asks here, by its ``file_name``, and need not know
whether that is a file of its own or stands in a shard.
"""

import os
import stat
from functools import cached_property
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.dataset.stores.bucket import Bucket
from batchgen.dataset.stores.members import Members, Place, is_own
from batchgen.dataset.stores.uploads import uploads_of
from batchgen.errors import StorageError


class Holdings:
    """The images of a dataset by their names in its manifest; any thread may ask."""

    def __init__(self, folder: DatasetFolder) -> None:
        """Look into *folder*."""
        self.folder = folder
        self._root = str(folder.root)
        self._uploads = uploads_of(folder)
        self._members = Members(folder)

    def size(self, name: str) -> int | None:
        """Bytes of the image *name*; None when it is not there. Raises StorageError."""
        path = f"{self._root}/{name}"
        try:
            found = os.stat(path)  # noqa: PTH116  # of a million, objects for their paths take long
        except (FileNotFoundError, NotADirectoryError):
            if self._uploads:
                return self._uploads.size(name)
            return self._packed_size(name)
        except OSError as error:
            raise _unreadable(path, error) from None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, name: str) -> bytes | None:
        """The image *name*, whatever became of its bytes; None when it is not there.

        A manifest is only a file: what leads out of the dataset is not there. Raises StorageError.
        """
        path = f"{self._root}/{name}"  # Python keeps the names in a Path for longer than the Path
        try:
            found = os.path.realpath(path, strict=True)
            inside = found.startswith(f"{os.path.realpath(self._root)}/")
            if not inside or not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # as above
                return None
            with open(path, "rb") as file:  # noqa: PTH123
                return file.read()
        except (FileNotFoundError, NotADirectoryError, ValueError):  # no name holds a null byte
            return self._from_bucket(name) if self._uploads else self._packed(name)
        except OSError as error:
            raise _unreadable(path, error) from None

    def _packed_size(self, name: str) -> int | None:
        place = self._members.find(name)
        return place.bytes if place and _is_whole(place) else None

    def _packed(self, name: str) -> bytes | None:
        """Out of a shard, which a run may replace between the look into the list and this one."""
        for _ in range(2):
            place = self._members.find(name)
            if place is None:
                return None
            try:
                if _is_whole(place):
                    with place.path.open("rb") as file:
                        file.seek(place.start)
                        return file.read(place.bytes)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(place.path, error) from None
        return None

    def _from_bucket(self, name: str) -> bytes | None:
        if self._uploads is None or self._uploads.size(name) is None:
            return None
        return self._bucket.read(name)

    @cached_property
    def _bucket(self) -> Bucket:
        return Bucket.open(self._uploads.url if self._uploads else "")


def _is_whole(place: Place) -> bool:
    """Whether there is a shard, and no link or pipe, with all bytes of *place*."""
    try:
        return is_own(place.path) and place.path.stat().st_size >= place.start + place.bytes
    except OSError:
        return False


def drop(folder: DatasetFolder, name: str) -> None:
    """Delete the image *name*, as its job asks. Raises StorageError."""
    path = folder.root / name
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from None


def ending_of(name: str) -> str:
    """The ending of the *name* of an image, ``.png``; of a Path, Python would keep the name."""
    return os.path.splitext(name)[1]  # noqa: PTH122


def _unreadable(path: Path | str, error: OSError) -> StorageError:
    return StorageError(f"cannot read {path}: {error.strerror or error}")
