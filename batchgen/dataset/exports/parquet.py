"""Parquet with the pictures inside, typed so that Hugging Face decodes them by itself."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from batchgen.dataset.exports.samples import Sample
from batchgen.dataset.exports.shards import Cut
from batchgen.dataset.rows.kinds import Column
from batchgen.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

# Of a row group, which is held in memory: small, as readers of pictures want it.
GROUP_ROWS = 100
GROUP_BYTES = 32_000_000
_USE = """from datasets import load_dataset

images = load_dataset("path/to/this/folder", split="train")"""
_HF_TYPES = {"bool": "bool", "int": "int64", "float": "float64", "text": "string"}


def require_pyarrow() -> None:
    """Raise UsageError when pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed; run pip install 'batchgen[parquet]'"
        ) from None


class Parquet:
    """Parquet shards, ``train-00000-of-00003.parquet`` and so on."""

    name = "parquet"
    by_ending = False
    indexed = False
    ending = ".parquet"
    pattern = re.compile(r"train-\d{5,}-of-\d{5,}\.parquet")
    use = _USE

    def file_name(self, cut: Cut, total: int) -> str:
        """``train-00000-of-00003.parquet``."""
        return f"{self.stem('')}-{cut.number:05d}-of-{total:05d}.parquet"

    def stem(self, ending: str) -> str:  # noqa: ARG002  # as other forms
        """``train``, which readers take for the split."""
        return "train"

    def write(
        self, file: BinaryIO, columns: Sequence[Column], samples: Iterable[Sample]
    ) -> Iterator[tuple[Sample, int]]:
        """Write the file.

        Pictures are compressed already. Left as they are, each stands in the file in one piece, so
        that it can be read without the library and without its neighbours.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema(columns)
        small = ["image.path", *(column.name for column in columns)]
        writing = pq.ParquetWriter(
            file,
            schema,
            compression={"image.bytes": "none", **dict.fromkeys(small, "zstd")},
            use_dictionary=small,
            write_statistics=small,
            write_page_index=True,
        )
        with writing as writer:
            for group in _groups(samples):
                start = file.tell()
                writer.write_batch(pa.RecordBatch.from_pylist([_row(s) for s in group], schema))
                file.flush()
                written = os.pread(file.fileno(), file.tell() - start, start)
                for sample, place in zip(
                    group, _places(written, (s.data for s in group)), strict=True
                ):
                    yield sample, start + place


def _places(written: bytes, pictures: Iterable[bytes]) -> Iterator[int]:
    """Where each of *pictures* stands in what was *written* of them."""
    at = 0
    for picture in pictures:
        at = written.index(picture, at)
        yield at
        at += len(picture)


def _groups(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    group: list[Sample] = []
    size = 0
    for sample in samples:
        group.append(sample)
        size += len(sample.data)
        if len(group) == GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _row(sample: Sample) -> dict[str, object]:
    path = f"{sample.key}{sample.ending}"
    return {"image": {"bytes": sample.data, "path": path}, **sample.values}


def _schema(columns: Sequence[Column]) -> "pa.Schema":
    import pyarrow as pa

    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features: dict[str, object] = {"image": {"_type": "Image"}}
    fields = [pa.field("image", image)]
    for column in columns:
        fields.append(pa.field(column.name, types[column.kind]))
        features[column.name] = {"dtype": _HF_TYPES[column.kind], "_type": "Value"}
    told = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": told})
