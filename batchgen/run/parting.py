"""Claiming some parts of a dataset for the length of a run."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import yaml

from batchgen.dataset.folder import DatasetFolder, storage_error, sync_folder, write_whole
from batchgen.dataset.uploads import bucket_of
from batchgen.errors import LockedError, UsageError
from batchgen.ledger.lock import locked
from batchgen.ledger.parts import Shard, divide, lock_of, part_of
from batchgen.ledger.store import Ledger
from batchgen.run.opening import has_parts, open_ledger

# Seconds that a shard waits for another one to divide the dataset: that took 2.3 s for 200,000
# variants. A run of the whole dataset keeps it longer, and then the shard gives up.
PATIENCE = 60.0
_AGAIN = 0.05
_LOOK = 2.0  # for another shard that only looks whether a part is owned


async def claim_parts(folder: DatasetFolder, shard: Shard, stack: ExitStack) -> Ledger:
    """Own the parts of *shard* until *stack* ends; returns their ledger.

    The first shard divides the dataset, once and for ever: the whole of it is all parts from then
    on. Raises LockedError when another run owns any of them, StorageError for their ledgers,
    UsageError for a dataset that goes to a bucket.
    """
    if bucket := bucket_of(folder):
        raise UsageError(f"shards cannot share {bucket}; run without --shard, or --out a folder")
    await share(folder, stack)
    parts = shard.parts
    for part in parts:
        await soon(lock_of(folder.ledgers, part), stack, patience=_LOOK)
    clear_parts(folder, lambda name: part_of(name) in parts)
    return stack.enter_context(open_ledger(folder, parts=parts))


async def share(folder: DatasetFolder, stack: ExitStack) -> None:
    """Keep runs of the whole dataset away until *stack* ends; divide it first if need be.

    Raises LockedError.
    """
    ends = time.monotonic() + PATIENCE
    while not has_parts(folder):
        try:
            with locked(folder.lock):
                if not has_parts(folder):
                    divide_dataset(folder)
        except LockedError:  # perhaps by another shard, which divides it
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(_AGAIN)
    await soon(folder.lock, stack, shared=True)


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


async def soon(
    path: Path, stack: ExitStack, *, shared: bool = False, patience: float | None = None
) -> None:
    """Hold the lock at *path* until *stack* ends; wait for a while when it is taken.

    Raises LockedError.
    """
    ends = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        lock: AbstractContextManager[None] = locked(path, shared=shared)
        try:
            stack.enter_context(lock)
        except LockedError:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(_AGAIN)
        else:
            return


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


async def keep_job(folder: DatasetFolder, resolved: Mapping[str, object], *, shared: bool) -> None:
    """Leave the *resolved* job in *folder*: how images are treated is read there.

    Of a dataset that is *shared*, other shards may write it at the same time. Raises StorageError.
    """
    text = yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True)
    with ExitStack() as stack:
        if shared:
            await soon(folder.ledgers / "job.lock", stack)
        write_whole(folder.job, [text])
