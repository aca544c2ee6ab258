"""What keeps an eye on a run while it works: its time, its window, the disk, and whether it moves.

Each guard is a coroutine that ends when there is nothing left to guard. None cancels anything.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from batchgen.dataset.disk import free_bytes
from batchgen.errors import ExitCode
from batchgen.job.grammar.units import Window, read_window
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.tally import Tally
from batchgen.run.variant.context import Context

log = logging.getLogger(__name__)

# Seconds that paid predictions are followed after the time of a run is up.
COLLECTING = 600.0
TIME_IS_UP = "the time of this run is up"
# Clocks are set, and computers sleep: the window is looked at this often.
LOOK_AT_CLOCK = 60.0
LOOK_AT_DISK = 5.0
# Bytes that a disk keeps free unless told otherwise: 32 downloads of the largest pictures that
# Imagen makes, 6 MB each, may be on their way.
MIN_FREE = 200_000_000
# Seconds without a submit, an image or a failure after which a run is taken to be stuck. Imagen
# takes 5 to 15; polls that wait longest are a minute apart.
STALLED = 300.0
# How many of the slowest are named then.
NAMED = 5


@asynccontextmanager
async def guarded(context: Context, ends_at: float | None) -> AsyncIterator[None]:
    """Guard the run while the block lasts. No submits are sent after *ends_at* (monotonic)."""
    stop, pace = context.stop, context.pace
    guards: list[Coroutine[None, None, None]] = [
        watch_disk(stop, context.folder.root, MIN_FREE if pace.min_free is None else pace.min_free),
        watch_moves(stop, context.tally, _patience(context.tally.rate_limit)),
    ]
    if context.keep:
        guards.append(context.keep(context))
    if ends_at is not None:
        guards.append(end_at(stop, ends_at))
    # A repair sends no submits and may take its time.
    if pace.window is not None and stop.submitting:
        guards.append(keep_window(stop, read_window(pace.window)))
    tasks = [asyncio.create_task(guard) for guard in guards]

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()):
            # Money is not spent unguarded; what is paid is collected before the bug comes through.
            stop.no_more_submits(ExitCode.BUG, f"an internal error: {type(bug).__name__}")

    for task in tasks:
        task.add_done_callback(ended)
    try:
        # What holds from the beginning has to be known before the first submit.
        await asyncio.sleep(0)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def end_at(stop: Stop, ends_at: float) -> None:
    """End the submits at that moment of the monotonic clock, and a while later the following."""
    left = ends_at - time.monotonic()
    if left <= 0 or await stop.pause(left):
        await _close(stop, TIME_IS_UP)


async def keep_window(
    stop: Stop, window: Window, clock: Callable[[], datetime] = datetime.now
) -> None:
    """Send submits only inside the *window*, by the local time of this computer."""
    while left := window.seconds_left(clock().time()):
        if not await stop.pause(min(left, LOOK_AT_CLOCK)):
            return
    await _close(stop, f"it is not between {window}, the window of this run")


async def _close(stop: Stop, why: str) -> None:
    stop.no_more_submits(ExitCode.INCOMPLETE, why)
    if await stop.pause(COLLECTING):
        stop.leave(ExitCode.INCOMPLETE, why)


async def watch_disk(
    stop: Stop, folder: Path, least: int, free: Callable[[Path], int] = free_bytes
) -> None:
    """End the submits, and collect what is paid, when less than *least* bytes are free."""
    told = False
    while True:
        try:
            found = free(folder)
        except OSError as error:  # whoever writes there meets it too, and ends the run
            found = least
            if not told:
                log.warning("the room on the disk of %s cannot be watched: %s", folder, error)
            told = True
        if found < least:
            break
        if not await stop.pause(LOOK_AT_DISK):
            return
    why = f"{found / 1e6:,.0f} MB are free on the disk of {folder}, less than {least / 1e6:,.0f} MB"
    stop.no_more_submits(ExitCode.STORAGE, why)


async def watch_moves(stop: Stop, tally: Tally, patience: float) -> None:
    """Say who is slow whenever nothing has moved for *patience* seconds, then for twice that."""
    waited = patience
    while True:
        before = _moves(tally)
        if not await stop.pause(waited):
            return
        if _moves(tally) != before or not len(tally.slots):
            waited = patience
            continue
        log.warning("nothing has moved for %.0f s; the slowest of what is on its way:", waited)
        for sentence in tally.slots.slowest(NAMED):
            log.warning("%s", sentence)
        waited *= 2


def _moves(tally: Tally) -> tuple[int, int, int]:
    return tally.submits, tally.images_made, tally.failed


def _patience(rate_limit: float | None) -> float:
    """Seconds without a move that are too many; a slow pace has fewer moves."""
    return max(STALLED, 3 * 60 / rate_limit if rate_limit else 0.0)
