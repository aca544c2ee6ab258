"""Making a lost or damaged ledger anew from what is left, without forgetting what was paid.

What can still be read of a damaged ledger counts most; images that only the manifest knows are
taken from there. Whatever neither of them shows may have been lost, so the next run holds it as
possibly paid instead of buying it again.
"""

import asyncio
import json
import logging
import shutil
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, quarantine, storage_error, sync_folder
from batchgen.dataset.rows.manifest import columns
from batchgen.dataset.stores.holdings import Holdings
from batchgen.dataset.treatment import read_job, read_treatment
from batchgen.errors import StorageError
from batchgen.ledger.entry import DROPPED, Entry, Image, State
from batchgen.ledger.parts import PARTS, ledger_of, part_of, rows_of
from batchgen.ledger.rows import MAX_VALUE, check, is_image_name
from batchgen.ledger.salvage import Found, Listed, salvage, salvaged_facts
from batchgen.ledger.store import Ledger
from batchgen.run.claim.looking import has_parts
from batchgen.run.terms.planned import REBUILT

log = logging.getLogger(__name__)

Row = Mapping[str, object]
_KNOWN = frozenset(columns())
_AT_ONCE = 500  # records, made durable by one commit
_REQUEST = ("prompt", "negative_prompt", "seed", "aspect_ratio")


async def rebuild_ledger(folder: DatasetFolder) -> int:
    """Make the ledger of *folder* anew; returns how many variants it knows now.

    Of a dataset that is divided, those of its parts that are damaged. Raises StorageError.
    """
    _keep(folder, folder.manifest_jsonl)
    if not has_parts(folder):
        return await _rebuild(folder, folder.ledger, {})
    salts = [salt for part in range(PARTS) if (salt := _salt_of(_part(folder, part)))]
    known = {"salt": salts[0]} if salts else {}
    damaged = [part for part in range(PARTS) if not _salt_of(_part(folder, part))]
    for part in damaged:
        _keep(folder, rows_of(folder.ledgers, part))
    return sum([await _rebuild(folder, _part(folder, part), known, part) for part in damaged])


def _keep(folder: DatasetFolder, rows: Path) -> None:
    """A copy of the file *rows*, before it is cut back to what the new ledger knows."""
    copy = folder.state / rows.name
    try:
        shutil.copyfile(rows, copy)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, copy) from None
    quarantine(folder, copy)


def _part(folder: DatasetFolder, part: int) -> Path:
    return ledger_of(folder.ledgers, part)


def _salt_of(path: Path) -> object:
    """What every sound ledger of a part knows; None when the one at *path* is damaged."""
    try:
        with Ledger(path, read_only=True) as ledger:
            ledger.check()
            deque(chain(ledger.images(), ledger.entries(*State)), maxlen=0)
            return ledger.meta().get("salt")
    except (StorageError, sqlite3.Error):
        return None


async def _rebuild(
    folder: DatasetFolder, path: Path, known: Mapping[str, object], part: int | None = None
) -> int:
    """Make the ledger at *path* anew, with facts that are *known*.

    It is made aside, gets a name of its own once it is whole, and takes its place when a damaged
    one is out of the way. A rebuild that was stopped before that begins anew, or is finished.
    """
    whole = path.with_name("rebuilt.sqlite3" if part is None else f"rebuilt-{part:02d}.sqlite3")
    if not _was_stopped(path, whole):
        half = whole.with_name(f"{whole.name}.half")
        _remove(half)
        await _write_new(folder, path, half, known, part)
        if half.with_name(f"{half.name}-wal").exists():  # SQLite does not say that it had no room
            raise StorageError(f"cannot write all of {half}: make room on its disk, repair again")
        _rename(half, whole)
    for suffix in ("", "-wal", "-shm"):
        quarantine(folder, path.with_name(path.name + suffix))
    _rename(whole, path)
    with Ledger(path, read_only=True) as ledger:
        return ledger.size()


def _was_stopped(path: Path, whole: Path) -> bool:
    """Whether an earlier rebuild was stopped in its last steps."""
    return whole.exists() and not path.exists()


def _rename(old: Path, new: Path) -> None:
    try:
        old.replace(new)
        sync_folder(new.parent)
    except OSError as error:
        raise storage_error(error, new) from None


async def _write_new(
    folder: DatasetFolder, path: Path, half: Path, known: Mapping[str, object], part: int | None
) -> None:
    facts = _facts_of_job(folder) | salvaged_facts(path)
    salted = "salt" in facts
    with Ledger(half) as ledger:
        facts.pop("schema_version", None)
        # Another plan than any: the next run tells the ledger anew what its job asks for.
        ledger.set_meta(**{**known, **facts, "plan": REBUILT, "lost_records": True})
        old = salvage(path, _listed(folder, part))
        new = _from_rows(folder, _rows_of(folder, part))
        for batch in _batches(chain(old, new), salted=salted):
            await _write(ledger, batch)


def _facts_of_job(folder: DatasetFolder) -> dict[str, object]:
    """What a lost ledger knew of its job for people to read; the service may have been another."""
    name = read_job(folder).get("name")
    return {"job": name} if isinstance(name, str) else {}


def _batches(found: Iterable[Found], *, salted: bool) -> Iterator[dict[str, Found]]:
    """What makes sense of *found* by its key, a few hundred at a time."""
    batch: dict[str, Found] = {}
    for entry, images in found:
        # Without its salt a fingerprint fits no key; asking about an id costs nothing.
        kept = entry if salted else replace(entry, account=None)
        try:
            check(kept, *images)
        except ValueError as error:
            _leave_out(entry, error)
            continue
        if entry.key in batch or len(batch) == _AT_ONCE:
            yield batch
            batch = {}
        batch[entry.key] = kept, images
    yield batch


async def _write(ledger: Ledger, batch: Mapping[str, Found]) -> None:
    """Write those that *ledger* does not know yet, by one commit."""
    known = ledger.states([*batch])
    new = [each for key, each in batch.items() if key not in known]
    ends = await asyncio.gather(*(ledger.write(*each) for each in new), return_exceptions=True)
    again: dict[str, Found] = {}
    for (entry, images), error in zip(new, ends, strict=True):
        if isinstance(error, sqlite3.IntegrityError) and images:
            # One of them has the name of another's: what is paid stays, and is fetched again.
            lost = replace(entry, state=State.COMPLETED, error_class="missing_file")
            again[entry.key] = lost, []
        elif isinstance(error, sqlite3.Error | RuntimeError | OverflowError | ValueError):
            _leave_out(entry, error)
        elif error:
            raise error
    if again:
        await _write(ledger, again)


def _leave_out(entry: Entry, error: Exception) -> None:
    """Nonsense is as good as lost: the next run holds it."""
    log.warning("the record of %.100r is left out: %s", entry.key, error)


def _remove(path: Path) -> None:
    try:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from None


def _rows_of(folder: DatasetFolder, part: int | None) -> Iterator[Row]:
    """The rows of the manifest, or of a *part*."""
    if part is None:
        return _rows(folder.manifest_jsonl)
    merged = _rows(folder.manifest_jsonl)
    own = (row for row in merged if part_of(str(row["variant_key"])) == part)
    return chain(_rows(rows_of(folder.ledgers, part)), own)


def _listed(folder: DatasetFolder, part: int | None) -> Iterator[Listed]:
    """The images that a manifest knows and that are there, or are dropped as the job asks."""
    holdings, drops = Holdings(folder), read_treatment(folder).nsfw == "drop"
    for row in _rows_of(folder, part):
        prediction_id, dropped = row["prediction_id"], str(row["file_name"]).startswith(DROPPED)
        if isinstance(prediction_id, str) and (drops or not dropped) and _there(holdings, row):
            yield str(row["variant_key"]), prediction_id, _image(row)


def _from_rows(folder: DatasetFolder, rows: Iterable[Row]) -> Iterator[Found]:
    holdings = Holdings(folder)
    for key, group in groupby(rows, key=lambda row: str(row["variant_key"])):
        own = {_whole(row["image_index"]): row for row in group}
        entry = _entry(key, own.values())
        if all(_there(holdings, row) for row in own.values()):
            yield entry, [_image(row) for row in own.values()]
        else:  # paid and made: all its images are fetched again, and those that are there kept
            yield replace(entry, state=State.COMPLETED, error_class="missing_file"), []


def _rows(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    with path.open("rb") as lines:
        while line := lines.readline(MAX_VALUE):
            try:
                row = json.loads(line)
                # A manifest is only a file: no name in it is followed that batchgen cannot give.
                known = isinstance(row, dict) and set(row) >= _KNOWN
                if known and is_image_name(row["file_name"]):
                    yield row
            except (ValueError, RecursionError):
                log.warning("a line of %s cannot be read and is left out", path.name)


def _there(holdings: Holdings, row: Row) -> bool:
    if str(row["file_name"]).startswith(DROPPED):
        return True
    return holdings.size(str(row["file_name"])) == row["bytes"]


def _entry(key: str, rows: Iterable[Row]) -> Entry:
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


def _image(row: Row) -> Image:
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
