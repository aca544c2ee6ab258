"""Thumbnails: small pictures of the images, made once for each content, several at a time."""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, refuse_odd, storage_error
from batchgen.dataset.stores.holdings import Holdings
from batchgen.errors import StorageError
from batchgen.report.contents import Row, is_aside

SIDE = 320  # pixels of the longer side: sharp at 160 CSS pixels on a screen with two dots to each
ENDING = ".webp"
_FORMATS = ("PNG", "JPEG", "WEBP")
Progress = Callable[[int, int], None]
"""Told how many thumbnails are made, and of how many."""

PRESENT, PACKED, ASIDE, MISSING, CHANGED = "", "packed", "put aside", "missing", "changed"


@dataclass(frozen=True, kw_only=True)
class _Order:
    holdings: Holdings
    source: str
    target: Path
    sha256: str


def folder_of(folder: DatasetFolder) -> Path:
    """Where the thumbnails are; hidden, so that loaders of image folders do not take them."""
    return folder.root / ".thumbs"


def thumbnail_of(folder: DatasetFolder, sha256: str) -> Path:
    """The thumbnail of the image with that hash."""
    return folder_of(folder) / sha256[:2] / f"{sha256}{ENDING}"


def make_thumbnails(
    folder: DatasetFolder, rows: Sequence[Row], progress: Progress | None = None
) -> list[str]:
    """Make those thumbnails that are not there yet.

    Returns for each of *rows* what its file is now: PRESENT, PACKED when it stands in a shard,
    ASIDE when the job had it put aside, MISSING, or CHANGED when it is not the image that the
    manifest describes. A hash is computed only where a thumbnail is made; the size is compared
    always. Raises StorageError when thumbnails cannot be written.
    """
    holdings = Holdings(folder)
    found = [_look(holdings, row) for row in rows]
    orders: dict[str, _Order] = {}
    for row, state in zip(rows, found, strict=True):
        sha256 = row["sha256"]
        if state == PRESENT and isinstance(sha256, str) and sha256 not in orders:
            target = thumbnail_of(folder, sha256)
            if not _is_there(target):
                source = str(row["file_name"])
                orders[sha256] = _Order(
                    holdings=holdings, source=source, target=target, sha256=sha256
                )
    _prepare(folder_of(folder), orders)
    changed = set()
    for number, (sha256, made) in enumerate(_make_all(list(orders.values())), 1):
        if not made:
            changed.add(sha256)
        if progress:
            progress(number, len(orders))
    packs = folder.shards.is_dir()
    for number, (row, state) in enumerate(zip(rows, found, strict=True)):
        if state == PRESENT and row["sha256"] in changed:
            found[number] = CHANGED
        elif state == PRESENT and packs and not (folder.root / str(row["file_name"])).is_file():
            found[number] = PACKED
    return found


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _look(holdings: Holdings, row: Row) -> str:
    if row["file_name"] is None:
        return MISSING
    if is_aside(row):
        return ASIDE
    try:
        size = holdings.size(str(row["file_name"]))
    except StorageError:
        size = None
    if size is None:
        return MISSING
    return PRESENT if row.get("bytes") in {size, None} and row["sha256"] else CHANGED


def _prepare(top: Path, hashes: dict[str, _Order]) -> None:
    """Make the folders below *top*; a link there would lead the writing elsewhere."""
    for path in (top, *(top / start for start in sorted({sha[:2] for sha in hashes}))):
        refuse_odd(path, folder=True)
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(error, path) from None


def _make_all(orders: Sequence[_Order]) -> Iterator[tuple[str, bool]]:
    """The hash of each order, and whether there is a thumbnail now. Raises StorageError."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # Processes were up to a third quicker on two cores (8 to 16 ms for an image, threads 12 to 13),
    # but they start the program of whoever calls a second time, which few are written for.
    pool = ThreadPoolExecutor(cores)
    try:
        yield from pool.map(_make, orders)
    finally:
        pool.shutdown(cancel_futures=True)


def _make(order: _Order) -> tuple[str, bool]:
    try:
        data = order.holdings.read(order.source)
    except StorageError:
        data = None
    if data is None:
        return order.sha256, False  # it has gone since it was looked at
    if hashlib.sha256(data).hexdigest() != order.sha256:
        return order.sha256, False
    small = _shrunk(data)
    if small is None:
        return order.sha256, False
    temporary = order.target.with_name(f".{order.target.name}.{threading.get_ident()}")
    try:
        # No fsync: what a crash leaves of it is made again, and a torn one shows as the image.
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:  # never through a link that somebody put there
            file.write(small)
        temporary.replace(order.target)
    except OSError as error:
        raise storage_error(error, order.target) from None
    return order.sha256, True


def _shrunk(data: bytes) -> bytes | None:
    """The image in *data* as a small WebP; None when it cannot be decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            small = image.convert("RGBA" if image.has_transparency_data else "RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        made = io.BytesIO()
        small.save(made, "WEBP", quality=78, method=2)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return made.getvalue()
