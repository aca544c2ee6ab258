"""The images of a view with their bytes, each checked against what was saved."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from batchgen.dataset.exports.embed import embed
from batchgen.dataset.files.picture import PictureError
from batchgen.dataset.rows.kinds import Column, Value
from batchgen.dataset.stores.holdings import Holdings, ending_of
from batchgen.dataset.views.view import View, ViewRow
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
        return read_samples(Holdings(self.view.folder), rows, embedded=self.embedded)


def read_samples(
    holdings: Holdings, rows: Iterable[ViewRow], *, embedded: bool = False
) -> Iterator[Sample]:
    """The images of *rows* out of *holdings*, as :meth:`Samples.read` gives them."""
    for row in rows:
        name = str(row.asked["file_name"])
        data, values = holdings.read(name), row.values
        if data is None or hashlib.sha256(data).hexdigest() != row.asked["sha256"]:
            root = holdings.folder.root
            raise StorageError(
                f"{root / name} is not the image that was saved; "
                f"batchgen verify {root} --repair mends that"
            )
        if embedded:
            try:
                data = embed(data, row.asked)
            except PictureError as error:  # in a manifest that no run of ours has written
                raise StorageError(f"{holdings.folder.root / name}: {error}") from None
            own = hashlib.sha256(data).hexdigest()
            source = {"source_sha256": values["sha256"]}
            values = {**values, "sha256": own, "bytes": len(data), **source}
        key = f"{row.asked['variant_key']}_{row.asked['image_index']}"
        yield Sample(key=key, ending=ending_of(name), values=values, data=data)
