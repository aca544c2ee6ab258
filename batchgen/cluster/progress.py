"""The progress of all workers, for the bar of the driver, and the limits it keeps for them."""

import asyncio
from typing import Protocol

from batchgen.errors import ExitCode
from batchgen.job.grammar.units import read_failures
from batchgen.run.sharing.leases import NoGrantError, Progress
from batchgen.run.sharing.leasing import COUNTS
from batchgen.run.telling.tally import Tally
from batchgen.run.variant.context import Context

_LOOK = 0.25  # seconds
_ANSWER = 15.0  # seconds


class Watched(Protocol):
    """What knows the progress of all."""

    async def progress(self) -> Progress:
        """Raises NoGrantError."""


async def watch(leases: Watched, context: Context, planned: int) -> None:
    """Keep the tally of *context* that of all workers, until cancelled."""
    tally, allowed = context.tally, context.pace.max_failures
    most = None if allowed is None else read_failures(planned, allowed)
    before = (tally.images, tally.nsfw, tally.spent_micros)
    try:
        while True:
            await asyncio.sleep(_LOOK)
            await _look(leases, context, before)
            if most is not None and tally.failed > most:
                why = f"{tally.failed} variants failed, more than the failure limit allows"
                context.stop.no_more_submits(ExitCode.INCOMPLETE, why)
    finally:
        await _look(leases, context, before)


async def _look(leases: Watched, context: Context, before: tuple[int, int, int]) -> None:
    try:
        async with asyncio.timeout(_ANSWER):
            found = await leases.progress()
    except (NoGrantError, TimeoutError):
        # Without it nobody submits any more, and another one would not know what is in flight.
        why = "the process that shares out the limits among the workers was lost"
        context.stop.no_more_submits(ExitCode.INCOMPLETE, why)
        return
    _apply(context.tally, found, before)
    context.spend.spent_micros = context.tally.spent_micros
    context.hooks.progress(context.tally)


def _apply(tally: Tally, found: Progress, before: tuple[int, int, int]) -> None:
    if not found.done:
        return
    *counts, lag_ms = found.done
    for name, count in zip(COUNTS, counts, strict=True):
        setattr(tally, name, count)
    images, nsfw, spent_micros = before
    tally.images = images + tally.images_made
    tally.nsfw += nsfw
    tally.spent_micros = spent_micros + found.micros
    tally.lag_s = lag_ms / 1000
    tally.in_flight = found.in_flight
