"""Owning the bucket of a dataset for the length of a run, with a mirror to it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.bucket import Bucket
from batchgen.dataset.stores.uploads import Uploads, uploads_of
from batchgen.errors import LockedError, StorageError, UsageError
from batchgen.run.bucket.bringing import bring
from batchgen.run.bucket.claims import Hold, is_dead, is_ours, look, refuse, take
from batchgen.run.bucket.mirror import Mirror
from batchgen.run.claim.claiming import Patience, acquire
from batchgen.run.pace.stop import Stop

log = logging.getLogger(__name__)

LOOK_AT_CLAIM = 30.0  # seconds


@asynccontextmanager
async def owned(folder: DatasetFolder, patience: Patience) -> AsyncIterator[Mirror | None]:
    """Own *folder*, and its bucket if it has one, while the block lasts.

    The mirror to the bucket. Raises LockedError when either cannot be had, StorageError and
    UsageError.
    """
    with ExitStack() as stack:
        await acquire(folder.lock, stack, patience)
        async with mirrored(folder, patience.stop, wait=patience.wait) as mirror:
            yield mirror


@asynccontextmanager
async def mirrored(
    folder: DatasetFolder, stop: Stop, *, wait: bool = False, lost: bool = False
) -> AsyncIterator[Mirror | None]:
    """Own the bucket that *folder* belongs to while the block lasts; None where it has none.

    The folder must be ours, and is brought up to date. With *wait*, another owner is waited for.
    With *lost*, the folder of a run that was killed is given up. Raises LockedError when another
    run owns the bucket, UsageError and StorageError when it cannot be used.
    """
    uploads = uploads_of(folder)
    if uploads is None:
        yield None
        return
    bucket = Bucket.open(uploads.url)
    hold = await _own_soon(bucket, folder, uploads, stop, wait=wait, lost=lost)
    mirror = Mirror(folder=folder, hold=hold, uploads=uploads, stop=stop)
    beating = asyncio.create_task(mirror.beat())
    try:
        yield mirror
    except UsageError:
        await _give_back(mirror)
        raise
    finally:
        beating.cancel()
        await asyncio.wait({beating})
        await mirror.leave()
    if not beating.cancelled():
        beating.result()


async def _give_back(mirror: Mirror) -> None:
    """Let go of a bucket in which a run that cannot begin has done nothing."""
    try:
        if mirror.folder.ledger.exists():
            await mirror.save()
    except StorageError as error:
        log.warning("%s; only a run from here can go on", error)


async def _own_soon(  # all but four have names
    bucket: Bucket, folder: DatasetFolder, uploads: Uploads, stop: Stop, *, wait: bool, lost: bool
) -> Hold:
    while True:
        try:
            return await asyncio.to_thread(own, bucket, folder, uploads, lost=lost)
        except LockedError as error:
            if not wait:
                raise
            log.warning("waiting: %s", error)
            if not await stop.pause(LOOK_AT_CLAIM):
                raise


def own(bucket: Bucket, folder: DatasetFolder, uploads: Uploads, *, lost: bool = False) -> Hold:
    """Claim *bucket*, with a ledger in *folder* that knows all that was ever bought for it.

    Raises LockedError, UsageError and StorageError, in each of which nothing may be bought.
    """
    claim, there = look(bucket)
    missing = bool(uploads.fact("ledger")) and not folder.ledger.exists()
    if claim is None:
        if lost:
            raise UsageError(f"expected a dataset at {bucket.address}, but there is none")
        if not uploads.none:
            raise StorageError(
                f"{bucket.address} is empty, but images were put there before; look whether it is "
                "the same store, and whether somebody has deleted them"
            )
    elif lost and not claim.ended and is_dead(claim, uploads):
        if missing or not is_ours(claim, uploads):
            bring(bucket, claim, folder, uploads, lost=True)
    else:
        refuse(claim, uploads, bucket.address)
        # A folder that was copied while that run went on, as by a backup, knows its claim, too.
        if claim.ended and (missing or uploads.fact("released") != claim.run):
            bring(bucket, claim, folder, uploads)
        elif missing:
            raise StorageError(
                f"the ledger in {folder.root} is missing; nothing is submitted, because that may "
                f"pay twice. Go on with what is in the bucket:  batchgen verify {bucket.address} "
                "--repair"
            )
    hold = take(bucket, there, uploads, folder)
    # A power cut may have taken the last of what was remembered, whose files are here no more.
    if not uploads.fact("listed") or (claim and not claim.ended):
        uploads.relist(bucket.list())
    return hold
