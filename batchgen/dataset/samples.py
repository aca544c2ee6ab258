"""The images of a view with their bytes, each checked against what was saved."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.kinds import Value
from batchgen.dataset.view import ViewRow
from batchgen.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image, ready to be packed."""

    key: str
    """Names it in an archive: the variant's key and the image's index, without a dot."""
    ending: str
    values: Mapping[str, Value]
    data: bytes


def read_samples(root: Path, rows: Iterable[ViewRow]) -> Iterator[Sample]:
    """The images of *rows*, one in memory at a time.

    Raises StorageError when a file is not the image that was saved.
    """
    for row in rows:
        path = root / str(row.asked["file_name"])
        yield Sample(
            key=f"{row.asked['variant_key']}_{row.asked['image_index']}",
            ending=path.suffix,
            values=row.values,
            data=_read(root, path, str(row.asked["sha256"])),
        )


def _read(root: Path, path: Path, sha256: str) -> bytes:
    try:
        # A manifest is only a file: no name in it leads out of the dataset.
        if path.resolve(strict=True).is_relative_to(root.resolve()):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
    except OSError:
        pass
    raise StorageError(
        f"{path} is not the image that was saved; batchgen verify {root} --repair mends that"
    )
