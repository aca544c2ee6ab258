"""A copy of a dataset with nothing but what Hugging Face wants, ready to be uploaded.

Names are of digits and hexadecimal letters, so no reader can find a split in them, and a folder
holds about a thousand images, as the Hub asks for.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from batchgen.dataset.exports.samples import Sample, Samples
from batchgen.dataset.folder import json_line, refuse_odd, storage_error, write_whole
from batchgen.dataset.views.beside import keep

_IN_A_FOLDER = 1000
_EVERY = 1000  # images between two calls of watch


def write_imagefolder(samples: Samples, out: Path, watch: Callable[[int], None]) -> None:
    """Write the images of *samples* below ``images/`` in *out*, and ``metadata.jsonl``.

    A file that is there already is read and kept if it is the right one; what does not belong to
    the dataset is removed. Raises StorageError.
    """
    # What is below a link would be taken for an earlier export, and removed.
    refuse_odd(out / "images", folder=True)
    view = samples.view
    digits = _digits(view.count)
    names: set[str] = set()

    def lines() -> Iterator[str]:
        for number, sample in enumerate(samples.read(view.rows()), 1):
            name = f"images/{_place(sample, digits)}"
            _make_folder((out / name).parent)
            keep(out / name, sample.data)
            names.add(name)
            yield json_line({**sample.values, "file_name": name})
            if number % _EVERY == 0 or number == view.count:
                watch(number % _EVERY or _EVERY)
        os.sync()  # once for all images, before there are rows that name them

    write_whole(out / "metadata.jsonl", lines())
    _clear(out, names)


def _digits(count: int) -> int:
    """How many digits of a key name the folder of an image."""
    digits = 0
    while count > _IN_A_FOLDER * 16**digits:
        digits += 1
    return digits


def _place(sample: Sample, digits: int) -> str:
    folder = f"{sample.key[:digits]}/" if digits else ""
    return f"{folder}{sample.key}{sample.ending}"


def _make_folder(path: Path) -> None:
    refuse_odd(path, folder=True)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from None


def _clear(out: Path, names: set[str]) -> None:
    """Remove the images of an earlier export that the dataset no longer has."""
    try:
        for path in (out / "images").rglob("*"):
            if path.is_file() and path.relative_to(out).as_posix() not in names:
                path.unlink()
    except OSError as error:
        raise storage_error(error, out) from None
