"""Making a lost or damaged ledger anew from what is left, without forgetting what was paid.

What can still be read of a damaged ledger counts most; images that only the manifest knows are
taken from there. Whatever neither of them shows may have been lost, so the next run holds it as
possibly paid instead of buying it again.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, quarantine, storage_error, sync_folder
from batchgen.dataset.manifest import columns
from batchgen.ledger.entry import DROPPED, Entry, Image, State
from batchgen.ledger.rows import check, is_image_name
from batchgen.ledger.salvage import salvage
from batchgen.ledger.store import Ledger

log = logging.getLogger(__name__)

_KNOWN = frozenset(columns())
_LONGEST = 64 * 1024 * 1024  # bytes of a row
_REQUEST = ("prompt", "negative_prompt", "seed", "aspect_ratio")


async def rebuild_ledger(folder: DatasetFolder) -> int:
    """Make the ledger of *folder* anew; returns how many variants it knows now.

    It is made aside and takes its place when it is whole; a damaged one is moved to the quarantine
    before that. Raises StorageError.
    """
    new = folder.ledger.with_name("rebuilt.sqlite3")
    if new.exists() and not folder.ledger.exists():
        written = _size_of(new)  # an earlier rebuild was stopped in its last step
    else:
        _remove(new)
        written = await _write_new(folder, new)
        for suffix in ("", "-wal", "-shm"):
            quarantine(folder, folder.ledger.with_name(folder.ledger.name + suffix))
    try:
        new.replace(folder.ledger)
        sync_folder(folder.state)
    except OSError as error:
        raise storage_error(error, folder.ledger) from None
    return written


async def _write_new(folder: DatasetFolder, path: Path) -> int:
    old: list[tuple[Entry, list[Image]]] = []
    meta: dict[str, object] = {}
    if folder.ledger.exists():
        old, meta = salvage(folder.ledger)
    written: set[str] = set()
    with Ledger(path) as ledger:
        meta.pop("schema_version", None)
        # Another plan than any: the next run tells the ledger anew what its job asks for.
        ledger.set_meta(**{**meta, "plan": "rebuilt", "lost_records": True})
        for entry, images in [*old, *_from_manifest(folder)]:
            if entry.key not in written:
                # Without its salt a fingerprint fits no key; asking about an id costs nothing.
                kept = entry if "salt" in meta else replace(entry, account=None)
                try:
                    check(kept, *images)
                    await ledger.write(kept, images)
                    written.add(entry.key)
                except (sqlite3.Error, RuntimeError, OverflowError, ValueError) as error:
                    # Nonsense is as good as lost: the next run holds it.
                    log.warning("the record of %.100r is left out: %s", entry.key, error)
    return len(written)


def _size_of(path: Path) -> int:
    with Ledger(path, read_only=True) as ledger:
        return ledger.size()


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _from_manifest(folder: DatasetFolder) -> Iterator[tuple[Entry, list[Image]]]:
    """The variants whose images the manifest lists."""
    rows = _rows(folder.manifest_jsonl)
    for key, group in groupby(rows, key=lambda row: str(row["variant_key"])):
        own = {_whole(row["image_index"]): row for row in group}
        entry = _entry(key, own.values())
        if all(_there(folder, row) for row in own.values()):
            yield entry, [_image(row) for row in own.values()]
        else:  # paid and made: all its images are fetched again, and those that are there kept
            yield replace(entry, state=State.COMPLETED, error_class="missing_file"), []


def _rows(path: Path) -> Iterator[Mapping[str, object]]:
    if not path.exists():
        return
    with path.open("rb") as lines:
        while line := lines.readline(_LONGEST):
            try:
                row = json.loads(line)
                # A manifest is only a file: no name in it is followed that batchgen cannot give.
                known = isinstance(row, dict) and set(row) >= _KNOWN
                if known and is_image_name(row["file_name"]):
                    yield row
            except (ValueError, RecursionError):
                log.warning("a line of %s cannot be read and is left out", path.name)


def _there(folder: DatasetFolder, row: Mapping[str, object]) -> bool:
    if str(row["file_name"]).startswith(DROPPED):
        return True
    path = folder.root / str(row["file_name"])
    return path.is_file() and path.stat().st_size == row["bytes"]


def _entry(key: str, rows: Iterable[Mapping[str, object]]) -> Entry:
    first = next(iter(rows))
    axes = [name for name in first if name not in _KNOWN]
    request = {n: first[n] for n in (*_REQUEST, *axes) if first.get(n) is not None}
    images = len(list(rows))
    cost = first["cost_usd"]
    spent = None
    if isinstance(cost, int | float) and 0 <= cost < 1e6:
        spent = round(cost * images * 1e6)
    return Entry(
        key=key,
        state=State.SAVED,
        revision=1,
        prompt_id=str(first["prompt_id"]),
        model=str(first["model"]),
        request=request,
        images_asked=images,
        attempts=_whole(first["attempts"]),
        prediction_id=_text(first["prediction_id"]),
        spent_micros=spent,
        created_at=_text(first["created_at"]),
        submitted_at=_text(first["submitted_at"]),
        completed_at=_text(first["completed_at"]),
        queue_ms=_optional(first["queue_ms"]),
        inference_ms=_optional(first["inference_ms"]),
        total_ms=_optional(first["total_ms"]),
        polls=_whole(first["polls"]),
    )


def _image(row: Mapping[str, object]) -> Image:
    nsfw = row["nsfw"]
    return Image(
        index=_whole(row["image_index"]),
        file_name=str(row["file_name"]),
        bytes=_whole(row["bytes"]),
        sha256=str(row["sha256"]),
        media_type=str(row["media_type"]),
        width=_whole(row["width"]),
        height=_whole(row["height"]),
        nsfw=nsfw if isinstance(nsfw, bool) else None,
        saved_at=str(row["saved_at"]),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _optional(value: object) -> int | None:
    return value if isinstance(value, int) else None
