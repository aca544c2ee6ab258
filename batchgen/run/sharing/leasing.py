"""A run within limits that it shares with others: its side of the leases.

The grant is renewed a few times a second. While there is no fresh one nothing more is submitted;
what is paid is followed and collected all the same.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from operator import sub
from secrets import token_hex

from batchgen.ledger.entry import State
from batchgen.run.sharing.leases import NOTHING, VALID, Grant, Leases, NoGrantError, Usage
from batchgen.run.telling.tally import Tally
from batchgen.run.variant.context import Context

log = logging.getLogger(__name__)

# Seconds. 48 runs of 16 workers ask 480 times a second then, of about 1,000 that an actor of Ray
# answers; with 0.25 the places that one gives back stay free for so long that a tenth was lost.
EVERY = 0.1
# Submits on their way of each run, several of which share a process: when that is killed they are
# uncertain.
POSTS = 10
# Seconds for which a submit that a killed run left unanswered may be a prediction in flight.
UNSEEN = 30.0

COUNTS = ("images_made", "nsfw", "submits", "polls", "retries", "failed", "lags")
"""What a run tells of itself beside its use of the limits, and its lag in milliseconds."""


@dataclass(kw_only=True)
class Lease:
    """What a run of the shard *name* may use of limits that it shares with others."""

    leases: Leases
    name: str
    unseen: int = 0
    """Submits that were held as unanswered when the run began."""
    _run: str = field(default_factory=lambda: token_hex(4))
    _began: float = field(default_factory=time.monotonic)
    _grant: Grant = NOTHING
    _before: tuple[int, ...] = ()
    """Counts of earlier runs."""

    async def keep(self, context: Context) -> None:
        """Renew the grant of the run in *context* until cancelled."""
        pacer = context.pacer
        pacer.posts, pacer.expected = POSTS, _paid(context)
        pacer.allow(0, 0, pacer.now())
        context.spend.allow(0, 0, last=False)
        self._before = counted(context.tally)
        try:
            while True:
                await self._renew(context)
                await asyncio.sleep(EVERY)
        finally:
            pacer.allow(0, 0, pacer.now())
            await self._end(context)

    async def _renew(self, context: Context) -> None:
        usage, asked = self._usage(context), context.pacer.now()
        try:
            async with asyncio.timeout(VALID):
                grant = await self.leases.renew(self.name, usage)
        except (NoGrantError, TimeoutError) as error:
            log.info("no new grant: %r", error)
            return
        self._grant = grant
        context.pacer.allow(grant.in_flight - self._unseen(), grant.images, asked + VALID)
        context.spend.allow(grant.micros, grant.submits, last=grant.last)

    async def _end(self, context: Context) -> None:
        try:
            async with asyncio.timeout(VALID):
                await self.leases.end(self.name, self._usage(context))
        except (NoGrantError, TimeoutError) as error:
            log.info("the end of a lease was not heard: %r", error)

    def _unseen(self) -> int:
        return self.unseen if time.monotonic() - self._began < UNSEEN else 0

    def _usage(self, context: Context) -> Usage:
        pacer, waiting = context.pacer, context.tally.slots.waiting()
        if self._grant is NOTHING:
            waiting = 1  # they come as soon as the launcher has begun
        return Usage(
            run=self._run,
            grant=self._grant,
            in_flight=pacer.in_flight + self._unseen(),
            waiting=waiting if context.stop.submitting else 0,
            images=pacer.images,
            micros=context.spend.spent_micros,
            submits=context.spend.sent,
            done=tuple(map(sub, counted(context.tally), self._before)),
        )


def _paid(context: Context) -> int:
    """The predictions of earlier runs that this one will follow."""
    found = context.ledger.entries(State.SUBMITTED)
    return sum(entry.account in (None, context.account) for entry in found)


def counted(tally: Tally) -> tuple[int, ...]:
    """The counts of a run as a row of numbers."""
    return (*(getattr(tally, name) for name in COUNTS), round(tally.lag_s * 1000))
