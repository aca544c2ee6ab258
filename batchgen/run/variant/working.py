"""Working through what is to be done: the launcher, the pool, and the ways it can end."""

import asyncio
from collections.abc import Iterable
from functools import partial

from batchgen.errors import ExitCode
from batchgen.ledger.entry import Entry
from batchgen.run.pace.pool import Pool
from batchgen.run.pace.stop import Stop
from batchgen.run.variant.context import Context
from batchgen.run.variant.guards import guarded
from batchgen.run.variant.life import PAID, live

# Seconds that downloads and answers in flight are given after a signal.
GRACE = 15.0


async def work_through(
    context: Context, entries: Iterable[Entry], ends_at: float | None = None
) -> None:
    """Take every one of *entries* as far as it goes.

    No submits are sent after *ends_at* on the monotonic clock. Raises the first exception that a
    variant let through, once all the others have come to rest.
    """
    stop = context.stop

    def on_bug(error: BaseException) -> None:
        stop.leave(ExitCode.BUG, f"an internal error: {type(error).__name__}")

    pool = Pool(context.concurrency, on_bug=on_bug)
    async with guarded(context, ends_at):
        work = asyncio.create_task(_launch_all(context, entries, pool))
        try:
            await until_done(work, stop)
        finally:
            work.cancel()
            await pool.drop()
            await asyncio.wait({work})
    if not work.cancelled():
        work.result()
    if pool.bug:
        raise pool.bug


async def _launch_all(context: Context, entries: Iterable[Entry], pool: Pool) -> None:
    """Start what is to be done as slots become free; then see it through."""
    stop = context.stop
    for entry in entries:
        if stop.leaving or not (stop.submitting or entry.state in PAID):
            break
        await pool.spawn(partial(live, context, entry))
    await pool.join()


async def until_done(work: "asyncio.Task[None]", stop: Stop) -> None:
    """Wait for the end of the work; once it is time to leave, no longer than the grace."""
    left = asyncio.create_task(stop.until_left())
    hurried = asyncio.create_task(stop.hurry.wait())
    try:
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({work, hurried}, timeout=GRACE, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left.cancel()
        hurried.cancel()
