"""The limits of one account, shared out among runs: a plain object, in this process or another's.

A run that is not heard of any more has died, or cannot be reached and so sends nothing. Its pace is
given to the others at once, its places when its predictions must have ended, its money when the
next run of its shard has told what was spent of it.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from batchgen.run.sharing.leases import NOTHING, VALID, Grant, Progress, Usage

# Clocks of two machines do not run apart so far, messages may.
LOST = 2 * VALID
# Imagen takes 5 to 15 seconds.
MADE = 60.0
# A minute's worth of images is spread over 61 seconds, and one second's worth may be saved up: so
# no minute sees more than the limit.
MINUTE = 61.0

_Counted = Literal["micros", "submits"]


@dataclass(frozen=True, kw_only=True)
class Limited:
    """What is shared out; None for no limit."""

    in_flight: int
    rate: float | None = None
    """Images per minute."""
    micros: int | None = None
    """New money, in millionths of a US dollar."""
    submits: int | None = None
    most_images: int = 1
    """That one submit asks for."""
    most_micros: int = 0
    """That one submit costs."""


@dataclass(kw_only=True)
class _Shard:
    """What the run of a shard may be using."""

    usage: Usage
    before: dict[str, int]
    """What is not to be counted of what it tells: money that its parts had cost before."""
    grants: tuple[Grant, ...] = ()
    """Those it may go by: none when it has ended."""
    heard: float = 0.0
    lost: bool = False
    done_before: tuple[int, ...] = ()
    """By runs of it that were lost."""
    past: set[str] = field(default_factory=set)
    """The ids of those runs."""

    @property
    def wants(self) -> bool:
        return bool(self.grants) and not self.lost and self.usage.waiting > 0

    def in_flight(self) -> int:
        return max([self.usage.in_flight, *(grant.in_flight for grant in self.grants)])

    def unused_images(self) -> int:
        if self.lost:
            return 0  # they were taken for used
        return max([0, *((g.images or 0) - self.usage.images for g in self.grants)])

    def used(self, what: _Counted) -> int:
        used: int = getattr(self.usage, what) - self.before[what]
        return used

    def held(self, what: _Counted) -> int:
        levels: list[int] = [getattr(told, what) or 0 for told in (self.usage, *self.grants)]
        return max(levels) - self.before[what]


class LocalLeases:
    """Grants shares of what is limited; see :class:`batchgen.run.sharing.leases.Leases`."""

    def __init__(self, limited: Limited, clock: Callable[[], float] = time.monotonic) -> None:
        """Share out what is *limited*."""
        self._limited = limited
        self._clock = clock
        self._shards: dict[str, _Shard] = {}
        self._images = float(limited.most_images)
        """That may be submitted now, those that were granted and not used included."""
        self._filled = clock()

    async def renew(self, name: str, usage: Usage) -> Grant:
        """A new grant for the run of the shard *name*; nothing when another one has followed it."""
        if self._is_past(name, usage):
            return NOTHING
        shard = self._hear(name, usage)
        self._look_for_lost()
        shard.grants = (usage.grant,)
        places = self._in_flight(shard)
        grant = Grant(
            in_flight=places,
            images=self._images_for(shard, max(0, places - usage.in_flight) + 1),
            micros=self._level("micros", shard, self._limited.most_micros),
            submits=self._level("submits", shard, 1),
            last=self._is_over("micros", self._limited.most_micros) or self._is_over("submits", 1),
        )
        shard.grants = (usage.grant, grant)
        return grant

    async def end(self, name: str, usage: Usage) -> None:
        """The run of the shard *name* has ended."""
        if not self._is_past(name, usage):
            self._hear(name, usage).grants = ()

    async def progress(self) -> Progress:
        """What all runs have done."""
        shards = self._shards.values()
        done: tuple[int, ...] = ()
        for shard in shards:
            done = _added(_added(done, shard.done_before), shard.usage.done)
        return Progress(
            in_flight=sum(shard.usage.in_flight for shard in shards),
            micros=sum(shard.used("micros") for shard in shards),
            done=done,
        )

    def _is_past(self, name: str, usage: Usage) -> bool:
        """Whether the run was taken for lost, and its shard taken up by another one."""
        shard = self._shards.get(name)
        return shard is not None and usage.run in shard.past

    def _hear(self, name: str, usage: Usage) -> _Shard:
        """Take note of what the run of that shard tells."""
        shard = self._shards.get(name)
        if shard is None:
            before = {"micros": usage.micros, "submits": 0}
            shard = self._shards[name] = _Shard(usage=usage, before=before)
            self._images -= usage.images
        elif usage.run != shard.usage.run:
            # Its ledger tells what was spent; that all submits were sent is possible.
            shard.before["submits"] = -shard.held("submits")
            shard.done_before = _added(shard.done_before, shard.usage.done)
            shard.past.add(shard.usage.run)
            self._images -= usage.images + shard.unused_images()
        else:
            self._images -= usage.images - shard.usage.images
        shard.usage, shard.heard, shard.lost = usage, self._clock(), False
        return shard

    def _look_for_lost(self) -> None:
        now = self._clock()
        for shard in self._shards.values():
            if shard.grants and not shard.lost and now - shard.heard > LOST:
                self._images -= shard.unused_images()
                shard.lost = True

    def _others(self, shard: _Shard) -> Iterator[_Shard]:
        return (other for other in self._shards.values() if other is not shard)

    def _wanting(self) -> int:
        return max(1, sum(shard.wants for shard in self._shards.values()))

    def _in_flight(self, shard: _Shard) -> int:
        """An equal share of what those leave who want no more."""
        now, total = self._clock(), self._limited.in_flight
        others = [o for o in self._others(shard) if not o.lost or now - o.heard < MADE]
        left = total - sum(other.in_flight() for other in others)
        content = sum(other.in_flight() for other in others if not other.wants)
        share = math.ceil((total - content) / self._wanting())
        return max(0, min(left, share if shard.wants else shard.usage.in_flight))

    def _images_for(self, shard: _Shard, submits: int) -> int | None:
        """Enough for so many *submits*, which it can send before it asks again, or for none."""
        if self._limited.rate is None:
            return None
        self._fill(self._limited.rate / MINUTE)
        most, usage = self._limited.most_images, shard.usage
        if not shard.wants:
            return usage.images
        kept = shard.unused_images()
        free = int(self._images - sum(one.unused_images() for one in self._shards.values()))
        more = min(free, min(usage.waiting, submits) * most - kept)
        return usage.images + kept + (more if more > 0 and kept + more >= most else 0)

    def _fill(self, each_second: float) -> None:
        now = self._clock()
        # Runs may each keep what is too little for their next submit.
        kept = (self._limited.most_images - 1) * len(self._shards)
        room = max(each_second, self._limited.most_images) + kept
        filled = self._images + each_second * (now - self._filled)
        self._images, self._filled = max(self._images, min(room, filled)), now

    def _level(self, what: _Counted, shard: _Shard, least: int) -> int | None:
        """Half of an equal share of what is left, so that there is something for who comes."""
        total: int | None = getattr(self._limited, what)
        if total is None:
            return None
        others = sum(other.held(what) for other in self._others(shard))
        free = total - others - shard.used(what)
        more = max(free // (2 * self._wanting()), least)
        used: int = getattr(shard.usage, what)
        return used + (more if shard.wants and more <= free else 0)

    def _is_over(self, what: _Counted, least: int) -> bool:
        """Whether so much is used, or was held by a run that was lost, that nobody gets more."""
        total: int | None = getattr(self._limited, what)
        used = sum(s.held(what) if s.lost else s.used(what) for s in self._shards.values())
        return total is not None and total - used < least


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The sums of two rows of numbers, of which either may be empty."""
    return tuple(a + b for a, b in zip(one, other, strict=True)) if one and other else one or other
