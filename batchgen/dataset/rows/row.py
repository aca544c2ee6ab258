"""One row of the manifest, with the type that each column has."""

import builtins
import errno
import io
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from batchgen.dataset.stores.holdings import Holdings

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")


class _Column(Generic[T]):
    """A column as an attribute."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, row: "ImageRow", owner: type) -> T:
        return cast("T", row.get(self.name))


class _Time(_Column[datetime | None]):
    """A column of times."""

    def __get__(self, row: "ImageRow", owner: type) -> datetime | None:
        text = row.get(self.name)
        return None if text is None else datetime.fromisoformat(str(text))


class ImageRow(dict[str, object]):
    """An image: what was asked for, what came, and when.

    A mapping of all columns as the manifest has them, axes of the job included; the columns that
    every manifest has are attributes too, times as ``datetime`` in UTC. None is unknown.
    """

    def __init__(self, values: Mapping[str, object], holdings: Holdings) -> None:
        """Take *values* from the dataset that has these *holdings*."""
        super().__init__(values)
        self._holdings = holdings

    file_name = _Column[str]()
    prompt_id = _Column[str]()
    prompt = _Column[str]()
    negative_prompt = _Column[str | None]()
    seed = _Column[int | None]()
    aspect_ratio = _Column[str | None]()
    image_index = _Column[int]()
    nsfw = _Column[bool | None]()
    width = _Column[int]()
    height = _Column[int]()
    bytes = _Column[int]()
    sha256 = _Column[str]()
    media_type = _Column[str]()
    model = _Column[str]()
    prediction_id = _Column[str]()
    variant_key = _Column[str]()
    created_at = _Time()
    submitted_at = _Time()
    completed_at = _Time()
    saved_at = _Time()
    queue_ms = _Column[int | None]()
    inference_ms = _Column[int | None]()
    total_ms = _Column[int | None]()
    polls = _Column[int]()
    attempts = _Column[int]()
    cost_usd = _Column[float | None]()

    @property
    def path(self) -> Path:
        """Where the image is as a file of its own."""
        return self._holdings.folder.root / self.file_name

    def read(self) -> builtins.bytes:
        """The image as it is kept, byte by byte. Raises FileNotFoundError when it is not there."""
        data = self._holdings.read(self.file_name)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        return data

    def open(self) -> "Image":
        """The picture, as Pillow has it. Raises FileNotFoundError when it is not there."""
        from PIL import Image

        return Image.open(io.BytesIO(self.read()))
