"""WebDataset: tar archives in which files of one stem are one sample.

``KEY.png`` (or .jpg, .webp), ``KEY.json`` with the row, ``KEY.txt`` with the caption. Readers look
at the first samples to learn what the others have, so an archive holds images of one type.
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from batchgen.dataset.kinds import Column
from batchgen.dataset.samples import Sample
from batchgen.dataset.shards import Cut


class WebDataset:
    """Tar shards, ``png-000000.tar`` and so on."""

    name = "webdataset"
    by_ending = True
    pattern = re.compile(r"[a-z]+-\d{6,}\.(tar|jsonl)")

    def file_name(self, cut: Cut, total: int) -> str:  # noqa: ARG002  # as other forms
        """``png-000000.tar``."""
        return f"{cut.ending.removeprefix('.')}-{cut.number:06d}.tar"

    def index_name(self, name: str) -> str:
        """``png-000000.jsonl``."""
        return name.removesuffix("tar") + "jsonl"

    def write(
        self,
        file: BinaryIO,
        columns: Sequence[Column],  # noqa: ARG002  # as other forms
        samples: Iterator[Sample],
    ) -> list[Mapping[str, object]]:
        """Write the archive; the index says where each image starts in it."""
        index: list[Mapping[str, object]] = []
        for sample in samples:
            start = file.tell() + tarfile.BLOCKSIZE
            _add(file, f"{sample.key}{sample.ending}", sample.data)
            row = json.dumps(dict(sample.values), ensure_ascii=False)
            _add(file, f"{sample.key}.json", row.encode())
            _add(file, f"{sample.key}.txt", str(sample.values["text"]).encode())
            index.append(
                {
                    "key": sample.key,
                    "file_name": f"{sample.key}{sample.ending}",
                    "offset": start,
                    "bytes": len(sample.data),
                    "sha256": sample.values["sha256"],
                }
            )
        file.write(bytes(2 * tarfile.BLOCKSIZE))
        return index


def _add(file: BinaryIO, name: str, data: bytes) -> None:
    """Add a file without a time or an owner, so that the same content gives the same bytes."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    file.write(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE))
