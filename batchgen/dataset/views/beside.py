"""What lies beside the images when a job asks for it: captions, rows, checksums, a description.

All of it is made from the manifest, so a run that was killed loses nothing: the next one writes
what is missing and leaves alone what is right.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from batchgen.dataset.folder import json_line, storage_error, write_whole
from batchgen.dataset.stores.members import read_listing
from batchgen.dataset.views.croissant import write_croissant
from batchgen.dataset.views.view import View

SIDE_FILES = {"captions": ".txt", "rows": ".json"}
"""Endings of the files that stand beside an image under its own name."""


def write_beside(view: View, name: str) -> None:
    """Write what the job wants beside the images of *view*. Raises StorageError."""
    folder, also = view.folder, view.treatment.also
    if also & SIDE_FILES.keys():
        _write_side_files(view)
    if "croissant" in also:
        write_croissant(view, name)
    if "checksums" in also:
        write_whole(folder.root / "SHA256SUMS", _checksums(view))


def _write_side_files(view: View) -> None:
    root = view.folder.root
    inside = root.resolve()
    for row in view.rows():
        image = root / str(row.asked["file_name"])
        if not image.resolve().is_relative_to(inside):
            continue  # a manifest is only a file: no name in it leads out of the dataset
        if "captions" in view.treatment.also:
            keep(image.with_suffix(SIDE_FILES["captions"]), f"{row.values['text']}\n".encode())
        if "rows" in view.treatment.also:
            keep(image.with_suffix(SIDE_FILES["rows"]), json_line(row.asked).encode())


def keep(path: Path, data: bytes) -> None:
    """Let the file have that content, and leave it alone if it has; never half of it.

    Not through a link, and not durable before somebody syncs it. Raises StorageError.
    """
    try:
        if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
            return
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError as error:
        raise storage_error(error, path) from None


def _checksums(view: View) -> Iterator[str]:
    """Lines for ``sha256sum -c``."""
    if listing := read_listing(view.folder):
        for shard in listing.shards:
            yield f"{shard.sha256}  {view.folder.shards.name}/{shard.file}\n"
        return
    for row in view.rows():
        yield f"{row.asked['sha256']}  {row.asked['file_name']}\n"
    if view.folder.metadata.exists():
        with view.folder.metadata.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield f"{digest}  metadata.jsonl\n"
