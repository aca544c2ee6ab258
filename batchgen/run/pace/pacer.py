"""Pace: when the next submit may be sent, by the limits of the job and by what the service says.

A lone submit that is turned away is chance, and only its own variant waits. Several, or an answer
that says how long to wait, close the way for all. After that wait one alone goes first; what it
meets decides for the others. When it was the service that turned several away, a limit was met that
nobody told of: of images per minute or of predictions in flight. Both numbers fall to what was
accepted and climb back slowly.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from batchgen.api.outcome import Refusal
from batchgen.api.retry import backoff
from batchgen.errors import ExitCode
from batchgen.run.pace.stop import Stop

log = logging.getLogger(__name__)

# With waits of up to 30 s this is about ten minutes in which nothing was accepted.
STRIKES = 40
# Some ten seconds of that, after which whoever looks wonders.
TOLD = 4
CUT = 0.8
# Seconds in which the rate would grow from nothing to the fastest pace that was seen.
RECOVERY = 30.0
# Where one in ten is turned away by chance, of 20,000 submits four without an acceptance in between
# are met three times, a quarter of the latest answers, each of which counts a 32nd, twice.
IN_A_ROW = 4
SEVERAL = 0.25
WEIGHT = 1 / 32
SLOWEST = 1 / 60  # images per second
# Losing the answer of a submit is expensive: no more than this many can be unanswered when the
# process is killed. At 0.4 s for an answer it is just enough for the highest tier, 83 a second.
POSTS = 32
# Of the predictions in flight, no more than a quarter are being submitted (or an eighth of what is
# allowed): a limit that nobody told of is met by a few submits and not by all of them.
FEW_POSTS = 4
CALM = 0.75
# Near a number in flight that met a limit, one more is tried every so many rounds.
ROUNDS = 10
LATE = 0.1


class Turn:
    """A block that waits for the moment to submit; False when no more may be sent."""

    def __init__(self, pacer: "Pacer", images: int) -> None:
        """Of *pacer*, for one submit of so many *images*."""
        self._pacer = pacer
        self._images = images
        self._go = self._alone = False

    async def __aenter__(self) -> bool:
        """Wait."""
        self._go, self._alone = await self._pacer.begin(self._images)
        return self._go

    async def __aexit__(self, *_: object) -> None:
        """The answer is there."""
        if self._go:
            self._pacer.end(alone=self._alone)


class Pacer:
    """Gives out the moments at which submits may be sent, one after the other."""

    def __init__(
        self,
        stop: Stop,
        images_per_minute: float | None = None,
        *,
        concurrency: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow *images_per_minute*, None for no limit, and *concurrency* predictions in flight."""
        self._stop = stop
        self.now = clock
        self._queue = asyncio.Lock()
        self._most = images_per_minute / 60 if images_per_minute else math.inf
        self.rate = self._most
        """Images per second at the moment; infinite for no limit."""
        now = clock()
        self._next = self._grown = self._since = now
        self._accepted = 0
        self._row = 0
        self._refused = self._troubled = 0.0
        self._fastest = 0.0
        self._strikes = 0
        self._struck = -math.inf
        self._widest = float(concurrency)
        self.window = self._limit = self._widest
        """Predictions in flight at the moment, at the most."""
        self._narrowed = False
        """Whether the window was narrowed since a submit was last turned away and then accepted."""
        self.posting = 0
        """Submits on their way."""
        self.images = 0
        """Images of all submits that were let go."""
        self.expected = 0
        """Predictions of earlier runs that are still to join."""
        self.posts = POSTS
        """Submits on their way at once, at the most."""
        self._shared: tuple[float, float, float] = (math.inf, math.inf, math.inf)
        self._followed = 0
        self._room = asyncio.Event()

    def turn(self, images: int) -> "Turn":
        """The block around one submit of so many *images*."""
        return Turn(self, images)

    async def begin(self, images: int) -> tuple[bool, bool]:
        """Wait for the moment to submit: whether it came, and whether it is for this one alone.

        Time that nobody used is not saved up: a limit per minute counts every minute.
        """
        await self._queue.acquire()
        alone = False
        try:
            if not await self._wait(images):
                return False, False
            self.posting += 1
            self.images += images
            # Timers wake up a little late; that much is caught up with.
            self._next = max(self._next, self.now() - LATE) + images / self.rate
            # Then the others wait in the queue until this one has its answer.
            alone = self._strikes > 0
            return True, alone
        finally:
            if not alone:
                self._queue.release()

    def end(self, *, alone: bool) -> None:
        """A submit that had its moment has its answer."""
        self.posting -= 1
        self._room.set()
        if alone:
            self._queue.release()

    def _full(self, images: int) -> bool:
        # Up to the limit of the job it is the pool that keeps count.
        met = self.window < self._widest and self.posting + self._followed >= int(self.window)
        places, allowed, until = self._shared
        shut = self.in_flight >= places or self.images + images > allowed or self.now() >= until
        return met or shut

    @property
    def in_flight(self) -> int:
        """Submits on their way and predictions being made, those still to join included."""
        return self.posting + self._followed + self.expected

    def allow(self, in_flight: int, images: int | None, until: float) -> None:
        """Keep from now on to what others leave: places in flight, and images altogether.

        Nothing is let go after *until*, a moment of the clock.
        """
        self._shared = (in_flight, math.inf if images is None else images, until)
        self._room.set()

    def unused(self, images: int) -> None:
        """A submit of so many *images* that was let go was not sent."""
        self.images -= images

    async def one_answered(self) -> bool:
        """Wait for the answer to a submit that is on its way; False when there is none."""
        if not self.posting or not self._stop.submitting:
            return False
        self._room.clear()
        await self._stop.submits_end_or(self._room)
        return True

    def joined(self, *, expected: bool) -> None:
        """One more prediction of an earlier run is followed; *expected* if it may be in flight."""
        self._followed += 1
        self.expected = max(0, self.expected - expected)

    def left(self) -> None:
        """A prediction has ended, or is no longer followed."""
        self._followed -= 1
        self._room.set()

    async def _wait(self, images: int) -> bool:
        """Sleep until there is room and it is time; both may change while we sleep."""
        while self._stop.submitting:
            few = max(FEW_POSTS, self._followed // 4, int(self.window) // 8)
            if self.posting >= min(self.posts, few) or self._full(images):
                self._room.clear()
                await self._stop.submits_end_or(self._room)
            elif (seconds := self._next - self.now()) > 0:
                await self._stop.pause_submit(seconds)
            else:
                return True
        return False

    def accepted(self, images: int, sent: float) -> None:
        """A submit that was *sent* at that moment of the clock was accepted and is in flight."""
        now = self.now()
        self._followed += 1
        if not self._accepted:
            self._since = sent
        self._learn()
        self._row = 0
        self._accepted += images
        if sent >= self._struck:
            self._strikes, self._narrowed = 0, False
        if self.window < self._widest:
            rounds = ROUNDS if abs(self.window - self._limit) <= 1 else 1
            self.window = min(self._widest, self.window + 1 / self.window / rounds)
        if self.rate < self._most and self._troubled < SEVERAL:
            step = self._fastest / RECOVERY * (now - self._grown)
            self.rate = min(self._most, self.rate + step)
        self._grown = now

    def turned_away(self, refusal: Refusal, sent: float) -> None:
        """A submit was turned away; after too many in a row the run sends no more."""
        now = self.now()
        self._learn(refused=True)
        self._row += 1
        several = self._row >= IN_A_ROW or self._refused > SEVERAL
        if several:
            self._row, self._refused = 0, 0.0
        if refusal.status is not None:  # a network that is away has no limits
            self._fit(now, several=several)
        if not (several or self._strikes or refusal.retry_after is not None):
            return
        if sent < self._struck:
            # It was on its way with one that has been counted.
            self._next = max(self._next, now + (refusal.retry_after or 0.0))
            return
        self._struck = now
        self._next = max(self._next, now + backoff(self._strikes, refusal.retry_after))
        self._strikes += 1
        if self._strikes == TOLD:
            log.warning("no submit is accepted: %s; trying again", refusal.reason)
        if self._strikes == STRIKES:
            why = f"the service cannot be reached or is too busy: {refusal.reason}"
            self._stop.no_more_submits(ExitCode.INCOMPLETE, why)

    def troubled(self) -> None:
        """A submit met trouble on the other side; while many do, the rate does not grow."""
        self._learn(troubled=True)

    def _learn(self, *, refused: bool = False, troubled: bool = False) -> None:
        self._refused += WEIGHT * (refused - self._refused)
        self._troubled += WEIGHT * (troubled - self._troubled)

    def _fit(self, now: float, *, several: bool) -> None:
        """Go on with as many in flight as were accepted, or slower if that did not help."""
        if self._narrowed and self._followed < max(1.0, CALM * self._limit):
            # With so few in flight it was not their number: it is the images per minute.
            self.window = self._limit = self._widest
            self._slow_down(now)
        elif several and self._followed and not self._narrowed:
            self._narrowed = True
            self.window = self._limit = float(min(self.window, self._followed))
        elif several:
            self._slow_down(now)
        elif 1 <= self.window - self._limit < 2:
            self.window = self._limit  # the one more that is tried, for a round, is one too many

    def _slow_down(self, now: float) -> None:
        """Go on a fifth slower than what was accepted since the last time."""
        seen = self._accepted / max(now - self._since, 1.0)
        if seen:
            self._fastest = max(self._fastest, seen)
            self.rate = min(self._most, max(SLOWEST, CUT * min(self.rate, seen)))
            self._accepted, self._since, self._grown = 0, now, now
