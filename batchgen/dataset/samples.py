"""The images of a view with their bytes, each checked against what was saved."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.embed import embed
from batchgen.dataset.kinds import Column, Value
from batchgen.dataset.view import View, ViewRow
from batchgen.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image, ready to be packed."""

    key: str
    """Names it in an archive: the variant's key and the image's index, without a dot."""
    ending: str
    values: Mapping[str, Value]
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Where the images of an export come from."""

    view: View
    embedded: bool
    """Whether provenance is put into each; its hash as it was served is in a column then."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of the values of each."""
        more = Column(name="source_sha256", source="sha256", kind="text")
        return (*self.view.columns, more) if self.embedded else self.view.columns

    def read(self, rows: Iterable[ViewRow]) -> Iterator[Sample]:
        """The images of *rows*, one in memory at a time.

        Raises StorageError when a file is not the image that was saved.
        """
        root = self.view.folder.root
        for row in rows:
            path = root / str(row.asked["file_name"])
            data, values = _read(root, path, str(row.asked["sha256"])), row.values
            if self.embedded:
                data = embed(data, row.asked)
                own = hashlib.sha256(data).hexdigest()
                source = {"source_sha256": values["sha256"]}
                values = {**values, "sha256": own, "bytes": len(data), **source}
            key = f"{row.asked['variant_key']}_{row.asked['image_index']}"
            yield Sample(key=key, ending=path.suffix, values=values, data=data)


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
