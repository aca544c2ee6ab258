"""WebDataset: tar archives in which files of one stem are one sample.

``KEY.png`` (or .jpg, .webp), ``KEY.json`` with the row, ``KEY.txt`` with the caption. Readers look
at the first samples to learn what the others have, so an archive holds images of one type.
"""

import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from batchgen.dataset.exports.samples import Sample
from batchgen.dataset.exports.shards import Cut
from batchgen.dataset.rows.kinds import Column

_USE = """import glob, webdataset

shards = sorted(glob.glob("path/to/this/folder/*.tar"))
images = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")

# or
from datasets import load_dataset

images = load_dataset("path/to/this/folder", split="train")"""


class WebDataset:
    """Tar shards, ``png-000000.tar`` and so on."""

    name = "webdataset"
    by_ending = True
    indexed = True
    ending = ".tar"
    use = _USE
    pattern = re.compile(r"[a-z]+-\d{6,}\.(tar|jsonl)")

    def file_name(self, cut: Cut, total: int) -> str:  # noqa: ARG002  # as other forms
        """``png-000000.tar``."""
        return f"{self.stem(cut.ending)}-{cut.number:06d}.tar"

    def stem(self, ending: str) -> str:
        """``png``."""
        return ending.removeprefix(".")

    def write(
        self,
        file: BinaryIO,
        columns: Sequence[Column],  # noqa: ARG002  # as other forms
        samples: Iterable[Sample],
    ) -> Iterator[tuple[Sample, int]]:
        """Write the archive."""
        for sample in samples:
            start = file.tell() + tarfile.BLOCKSIZE
            _add(file, f"{sample.key}{sample.ending}", sample.data)
            row = json.dumps(dict(sample.values), ensure_ascii=False)
            _add(file, f"{sample.key}.json", row.encode())
            _add(file, f"{sample.key}.txt", str(sample.values["text"]).encode())
            yield sample, start
        file.write(bytes(2 * tarfile.BLOCKSIZE))


def _add(file: BinaryIO, name: str, data: bytes) -> None:
    """Add a file without a time or an owner, so that the same content gives the same bytes."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    file.write(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE))
