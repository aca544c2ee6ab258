"""A dataset in another form, beside it: WebDataset, Parquet, or a folder for Hugging Face.

The same images give the same bytes, whatever order they came in. An export that was killed goes on
where it was; one of a dataset that has grown writes what has changed.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.exports.forms import FORMS
from batchgen.dataset.exports.imagefolder import write_imagefolder
from batchgen.dataset.exports.parquet import Parquet, require_pyarrow
from batchgen.dataset.exports.samples import Samples
from batchgen.dataset.exports.shards import (
    Form,
    Limits,
    Listed,
    data_files,
    read_format,
    write_list,
    write_shards,
)
from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.dataset.rows.reading import no_dataset
from batchgen.dataset.treatment import FORMATS
from batchgen.dataset.views.card import write_card
from batchgen.dataset.views.view import View
from batchgen.errors import LockedError, UsageError


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export has come to."""

    format: str
    folder: Path
    images: int
    shards: int
    """0 in the form ``huggingface``."""


def export_dataset(
    dataset: str | Path,
    *,
    to: str,
    out: str | Path | None = None,
    limits: Limits | None = None,
    embed: bool = False,
    watch: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write the images and rows of *dataset* in the form *to*: one of FORMATS.

    *out* is a folder of its own, by default beside the dataset: ``kitchen-webdataset``. *embed*
    puts provenance into each picture: what was asked for, and that a model made it. *watch* is
    told how many images are done, and of how many. Raises UsageError for what cannot be used,
    LockedError when another export writes there, StorageError when it cannot be written or an
    image is not what was saved.
    """
    if to not in FORMATS:
        raise UsageError(f"expected one of {', '.join(FORMATS)}, got {to!r}")
    folder = DatasetFolder(Path(dataset))
    if not folder.manifest_jsonl.is_file():
        raise no_dataset(folder.root, "manifest.jsonl")
    if to == "parquet":
        require_pyarrow()
    name = folder.root.resolve().name
    target = Path(out) if out else _beside(folder.root, to)
    with _prepared(target, folder.root, to), View.open(folder) as view:
        done = 0

        def count(images: int) -> None:
            nonlocal done
            done += images
            if watch:
                watch(done, view.count)

        samples = Samples(view=view, embedded=embed)
        shards: list[Listed] = []
        if form := FORMS.get(to):
            shards = write_shards(samples, target, form, limits or Limits(), count)
        else:
            write_imagefolder(samples, target, count)
        _write_card(target, samples, name, form)
        return Exported(format=to, folder=target, images=view.count, shards=len(shards))


def check_export(root: Path, to: str) -> None:
    """Raise UsageError when the dataset in *root* could not be exported *to* its usual place."""
    if to == "parquet":
        require_pyarrow()
    target = _beside(root, to)
    if target.exists():
        _refuse_other(target, to)


def _beside(root: Path, to: str) -> Path:
    root = root.resolve()
    return root.with_name(f"{root.name}-{to}")


@contextmanager
def _prepared(target: Path, root: Path, to: str) -> Iterator[None]:
    """Make the folder *target* and keep other exports out of it."""
    inside, outside = target.resolve(), root.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise UsageError(f"expected a folder beside the dataset as --out, got {target}")
    if target.exists():
        _refuse_other(target, to)
    try:
        target.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(error, target) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"another export is writing {target}") from None
        if read_format(target) is None:
            write_list(target, to, [])
        yield
    finally:
        os.close(descriptor)


def _refuse_other(target: Path, to: str) -> None:
    """Raise UsageError unless *target* is empty or holds an export in the same form."""
    if not target.is_dir():
        raise UsageError(f"expected a folder at {target}, got a file; give another --out")
    listed = read_format(target)
    # What a killed export has begun to write is hidden.
    if listed != to and any(not path.name.startswith(".") for path in target.iterdir()):
        held = f"an export to {listed}" if listed else "files that no export has made"
        raise UsageError(f"{target} holds {held}; give another --out")


def _write_card(target: Path, samples: Samples, name: str, form: Form | None) -> None:
    endings = samples.view.endings
    if form:
        files, use = data_files(form, endings), form.use
    else:
        images = [f"images/**/*{ending}" for ending in endings]
        files, use = {"default": ["metadata.jsonl", *images]}, Parquet.use
    write_card(
        target / "README.md",
        samples.view,
        name=name,
        columns=samples.columns,
        data_files=files,
        use=use,
    )
