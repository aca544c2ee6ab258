"""Pace: when the next submit may be sent, by the rate of the job and by what the service says.

A submit that is turned away closes the way for all. After a wait, one alone goes first; what it
meets decides for the others. When several are turned away, the rate falls by a fifth below what was
accepted, and climbs back slowly.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from batchgen.api.outcome import Refusal
from batchgen.api.retry import backoff
from batchgen.errors import ExitCode
from batchgen.run.stop import Stop

# With waits of up to 30 s this is a good ten minutes in which nothing was accepted.
STRIKES = 40
CUT = 0.8
# Seconds in which the rate would grow from nothing to the fastest pace that was seen.
RECOVERY = 30.0
# A lone 429 among many answers is chance; three in a row are a limit. The share is that of the
# latest answers, each of which counts an eighth.
SEVERAL = 0.25
WEIGHT = 1 / 8
SLOWEST = 1 / 60  # images per second
LATE = 0.1


class Pacer:
    """Gives out the moments at which submits may be sent, one after the other."""

    def __init__(
        self,
        stop: Stop,
        images_per_minute: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow *images_per_minute*, None for no limit of our own, until *stop* says so."""
        self._stop = stop
        self.now = clock
        self._queue = asyncio.Lock()
        self._most = images_per_minute / 60 if images_per_minute else math.inf
        self.rate = self._most
        """Images per second at the moment; infinite for no limit."""
        now = clock()
        self._next = self._grown = self._since = now
        self._accepted = 0
        self._refused = self._troubled = 0.0
        self._fastest = 0.0
        self._strikes = 0
        self._struck = -math.inf

    @asynccontextmanager
    async def turn(self, images: int) -> AsyncIterator[bool]:
        """Wait for the moment to submit so many *images*; False when no more may be sent.

        Time that nobody used is not saved up: a limit per minute counts every minute.
        """
        async with self._queue:
            if not await self._wait():
                yield False
                return
            # Timers wake up a little late; that much is caught up with.
            self._next = max(self._next, self.now() - LATE) + images / self.rate
            if self._strikes:
                # The others wait in the queue until this one has its answer.
                yield True
                return
        yield True

    async def _wait(self) -> bool:
        """Sleep until the next moment, which may move while we sleep."""
        while (seconds := self._next - self.now()) > 0:
            if not await self._stop.pause_submit(seconds):
                return False
        return self._stop.submitting

    def accepted(self, images: int, sent: float) -> None:
        """A submit that was *sent* at that moment of the clock was accepted."""
        now = self.now()
        self._learn()
        self._accepted += images
        if sent >= self._struck:
            self._strikes = 0
        if self.rate < self._most and self._troubled < SEVERAL:
            step = self._fastest / RECOVERY * (now - self._grown)
            self.rate = min(self._most, self.rate + step)
        self._grown = now

    def turned_away(self, refusal: Refusal, sent: float) -> None:
        """A submit was turned away; after too many in a row the run sends no more."""
        now = self.now()
        self._learn(refused=refusal.status is not None)
        if self._refused > SEVERAL:
            self._slow_down(now)
        if sent < self._struck:
            # It was on its way with one that has been counted.
            self._next = max(self._next, now + (refusal.retry_after or 0.0))
            return
        self._struck = now
        self._next = max(self._next, now + backoff(self._strikes, refusal.retry_after))
        self._strikes += 1
        if self._strikes == STRIKES:
            why = f"the service cannot be reached or is too busy: {refusal.reason}"
            self._stop.no_more_submits(ExitCode.INCOMPLETE, why)

    def troubled(self) -> None:
        """A submit met trouble on the other side; while many do, the rate does not grow."""
        self._learn(troubled=True)

    def _learn(self, *, refused: bool = False, troubled: bool = False) -> None:
        self._refused += WEIGHT * (refused - self._refused)
        self._troubled += WEIGHT * (troubled - self._troubled)

    def _slow_down(self, now: float) -> None:
        """Go on a fifth slower than what was really accepted since the last time."""
        seen = self._accepted / max(now - self._since, 1.0)
        if seen:
            self._fastest = max(self._fastest, seen)
            self.rate = max(SLOWEST, CUT * min(self.rate, seen))
        self._accepted, self._since, self._grown, self._refused = 0, now, now, 0.0
