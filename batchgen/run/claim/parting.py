"""Claiming some parts of a dataset for the length of a run."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import yaml

from batchgen.dataset.folder import DatasetFolder, storage_error, sync_folder, write_whole
from batchgen.dataset.stores.uploads import bucket_of
from batchgen.errors import UsageError
from batchgen.ledger.parts import Shard, divide, lock_of, part_of
from batchgen.ledger.store import Ledger
from batchgen.run.claim.claiming import SHORTLY, Patience, acquire
from batchgen.run.claim.looking import has_parts
from batchgen.run.claim.opening import open_ledger
from batchgen.run.pace.stop import Stop

_LOOK = 2.0  # seconds for another shard that only looks whether a part is owned


async def claim_parts(
    folder: DatasetFolder,
    shard: Shard,
    stack: ExitStack,
    patience: Patience | None = None,
    *,
    led: bool = False,
) -> Ledger:
    """Own the parts of *shard* until *stack* ends; returns their ledger.

    With *led*, another process leads, and lends its parts to those it has told to make shards.

    The first shard divides the dataset, once and for ever: the whole of it is all parts from then
    on. Raises LockedError when another run owns any of them, StorageError for their ledgers,
    UsageError for a dataset that goes to a bucket.
    """
    await share(folder, stack, patience)
    if not led:
        await acquire(lead_lock(folder), stack, patience, shared=True, seconds=_LOOK)
    parts = shard.parts
    await own_parts(folder, parts, stack, patience)
    clear_parts(folder, lambda name: part_of(name) in parts)
    return stack.enter_context(open_ledger(folder, parts=parts))


def lead_lock(folder: DatasetFolder) -> Path:
    """The lock of whoever leads, shared by all shards that nobody leads."""
    return folder.ledgers / "lead.lock"


async def own_parts(
    folder: DatasetFolder,
    parts: Iterable[int],
    stack: ExitStack,
    patience: Patience | None = None,
    *,
    seconds: float = _LOOK,
) -> None:
    """Own *parts* until *stack* ends; so many *seconds* are waited for all of them together.

    Raises LockedError when one of them cannot be had.
    """
    ends = time.monotonic() + seconds
    for part in parts:  # in one order for all: no two shards can wait for one another
        left = ends - time.monotonic()
        await acquire(lock_of(folder.ledgers, part), stack, patience, seconds=left)


async def share(folder: DatasetFolder, stack: ExitStack, patience: Patience | None = None) -> None:
    """Keep runs of the whole dataset away until *stack* ends; divide it first if need be.

    Raises LockedError, and UsageError for a dataset that goes to a bucket.
    """
    if bucket := bucket_of(folder):
        raise UsageError(
            f"shards cannot share {bucket}; run without --shard and --on, or --out a folder"
        )

    def divided() -> bool:
        return has_parts(folder)

    with ExitStack() as alone:
        # Perhaps another shard has it, and divides the dataset.
        ours = await acquire(folder.lock, alone, patience, seconds=SHORTLY, unless=divided)
        if ours and not divided():
            divide_dataset(folder)
    await acquire(folder.lock, stack, patience, shared=True, seconds=SHORTLY)


def divide_dataset(folder: DatasetFolder) -> None:
    """Divide the ledger of a dataset that is ours alone; it is kept beside those of the parts."""
    with open_ledger(folder) as ledger:
        salt = ledger.meta().get("salt") or secrets.token_hex(8)
    divide(folder.ledger, folder.ledgers, salt=salt)
    try:
        for end in ("", "-wal", "-shm"):
            old = folder.ledger.with_name(folder.ledger.name + end)
            if old.exists():
                old.replace(folder.ledgers / f"undivided.sqlite3{end}")
        sync_folder(folder.state)
    except OSError as error:
        raise storage_error(error, folder.ledger) from None


def clear_all(folder: DatasetFolder) -> None:
    """Throw away what a run that was killed was writing, in a folder that is ours alone."""
    clear_parts(folder)
    try:
        for half in folder.state.glob(".*.new"):
            half.unlink()
    except OSError as error:
        raise storage_error(error, folder.state) from None


def clear_parts(folder: DatasetFolder, ours: Callable[[str], bool] = lambda _: True) -> None:
    """Throw away downloads that earlier runs left unfinished; only their owner may do so.

    Those whose names, which begin with the key of a variant, are *ours*.
    """
    try:
        for part in folder.parts.iterdir():
            if ours(part.name):
                part.unlink()
    except OSError as error:
        raise storage_error(error, folder.parts) from None


async def keep_job(
    folder: DatasetFolder, resolved: Mapping[str, object], stop: Stop, *, shared: bool
) -> None:
    """Leave the *resolved* job in *folder*: how images are treated is read there.

    Of a dataset that is *shared*, other shards may write it at the same time. Raises StorageError,
    and LockedError when one of them takes too long.
    """
    text = yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True)
    with ExitStack() as stack:
        if shared:
            await acquire(folder.ledgers / "job.lock", stack, Patience(stop=stop), seconds=SHORTLY)
        write_whole(folder.job, [text])
