"""When to ask for a prediction next, learned from how long the earlier ones took.

A histogram of latencies, forgetting slowly, and the poll times that cost least by it, found by
dynamic programming. Nothing is assumed of its shape.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import accumulate

STEP = 1.05
# Edges of the buckets in seconds, each a twentieth above the last: 10 ms to two hours.
EDGES = tuple(0.01 * STEP**k for k in range(277))
# What is believed before anything is known, as so many observations: any latency from half a second
# to the end of the scale, each doubling alike; from less where a service may be asked sooner.
PRIOR_WEIGHT = 2.0
PRIOR_FROM = 0.5
# What one of them lies apart, in buckets: as with a median of 8 s and one in twenty over 20 s.
PRIOR_APART = 12.0
YOUNG = 30
# Once so much was observed, older observations fade: after as many more they count under a half.
MEMORY = 1_000
# Observations after which the poll times are worked out anew (2 to 10 ms), but for the first few.
RENEW = 500
# Polls that the shortest allowed interval may cost while a finished image lies unnoticed. For a
# median of 8 s and 2 s between polls, 5 gives 3.6 polls and 1.15 s, where asking every 2 s gives
# 5.2 polls and 1.0 s.
LAG_COST = 5.0
# No wait between two polls is longer than this, or than a tenth of the time waited up to the other.
LONGEST_GAP = 5.0
LAST_GAP = 30.0
# While little is known, no wait is longer than a quarter of the time waited so far: the first
# images are noticed soon, and each teaches how long the others take.
EAGER = 4
# Seconds that a poll comes after the latest end that it is to find.
MARGIN = 0.005


class Latencies:
    """The latencies of one kind of request."""

    def __init__(self, counts: Mapping[int, float] | None = None) -> None:
        """Begin with *counts* by bucket, as :meth:`counts` gave them."""
        self._counts = [0.0] * len(EDGES)
        self._latest = [0.0] * len(EDGES)
        for bucket, count in (counts or {}).items():
            self._counts[min(max(bucket, 0), len(EDGES) - 1)] += count
        self._total = sum(self._counts)
        self._fresh = 0
        self._next: dict[float, list[int]] = {}

    def counts(self) -> dict[int, float]:
        """The buckets that hold something, to be kept."""
        return {k: round(count, 3) for k, count in enumerate(self._counts) if count > 0.001}

    @property
    def young(self) -> bool:
        """Whether too little is known to rest on it."""
        return self._total < YOUNG

    def observe(self, seconds: float) -> None:
        """A prediction took so many *seconds* from its submit."""
        bucket = _bucket(seconds)
        self._counts[bucket] += 1
        self._latest[bucket] = max(self._latest[bucket], seconds)
        self._fresh += 1
        self._total += 1
        if self._fresh >= min(RENEW, 1 + self._total / 4):
            if self._total > MEMORY:
                self._counts = [count * MEMORY / self._total for count in self._counts]
                self._total = sum(self._counts)
            self._fresh = 0
            self._next.clear()

    def first_poll(self, *, at_least: float) -> float:
        """Seconds from a submit to its first poll."""
        return min(self._end_of(self._best(at_least)[0]), LONGEST_GAP)

    def next_poll(self, waited: float, *, at_least: float) -> float:
        """Seconds until a prediction is asked for again, *waited* seconds after its submit.

        Never less than *at_least*.
        """
        best = self._end_of(self._best(at_least)[1 + _bucket(waited)]) - waited
        if self.young:
            best = min(best, waited / EAGER)
        return max(at_least, min(best, max(LONGEST_GAP, min(waited / 10, LAST_GAP))))

    def _end_of(self, edge: int) -> float:
        """Seconds after which what ended before that *edge* has ended, by what was seen of it.

        A latency that never varies is met to a hundredth of a second, and not to a twentieth of it.
        """
        latest = self._latest[edge - 1] if edge else 0.0
        return min(EDGES[edge], latest + MARGIN) if latest else EDGES[edge]

    def _best(self, at_least: float) -> list[int]:
        if at_least not in self._next:
            self._next[at_least] = best_polls(self._masses(at_least), at_least)
        return self._next[at_least]

    def _width(self) -> int:
        """How many neighbours each observation is spread over: few of them stand for many.

        In proportion to how far they lie apart, so that a latency that never varies stays sharp.
        """
        total = sum(self._counts)
        middle = sum(k * count for k, count in enumerate(self._counts)) / max(1.0, total)
        apart = sum((k - middle) ** 2 * count for k, count in enumerate(self._counts))
        variance = (apart + PRIOR_APART**2) / (total + 1)
        return round(min(PRIOR_APART, math.sqrt(variance)) / math.cbrt(max(1.0, total)))

    def _masses(self, at_least: float) -> list[float]:
        width = self._width()
        spread = _spread(_spread(self._counts, width), width)
        first = _bucket(min(PRIOR_FROM, at_least / 2))
        each = PRIOR_WEIGHT / (len(EDGES) - first)
        return [count + (each if k >= first else 0.0) for k, count in enumerate(spread)]


def best_polls(masses: list[float], at_least: float) -> list[int]:
    """The edge of the first poll, then for a poll in vain at each edge that of the next one.

    *masses* are weights of the latencies between an edge and the next. Found from the end: what
    still goes on at an edge costs one poll, the lag of what ends before that poll, and whatever the
    rest costs from there.
    """
    size = len(EDGES)
    # Weights, and weights times seconds, of all that ends before each edge.
    ended = [0.0, *accumulate(masses)]
    middles = (mass * edge * STEP**0.5 for mass, edge in zip(masses, EDGES, strict=True))
    seconds = [0.0, *accumulate(middles)]
    price = LAG_COST / max(at_least, 0.1)
    cost, following = [0.0] * size, [size - 1] * size

    def settle(i: int, first: int) -> tuple[float, int]:
        best, at = math.inf, size - 1
        for j in range(first, size):
            lag = EDGES[j] * (ended[j] - ended[i]) - (seconds[j] - seconds[i])
            if price * lag > best:
                break  # it only grows from here
            if price * lag + cost[j] < best:
                best, at = price * lag + cost[j], j
        return best, at

    for i in range(size - 2, -1, -1):
        best, following[i] = settle(i, max(i + 1, bisect_left(EDGES, EDGES[i] + at_least)))
        cost[i] = ended[-1] - ended[i] + (best if best < math.inf else 0.0)
    return [settle(0, 0)[1], *following]


def _spread(counts: list[float], width: int) -> list[float]:
    """Each count shared out evenly among the buckets up to *width* away."""
    sums = [0.0, *accumulate(counts)]
    last = len(counts)
    return [
        (sums[min(k + width + 1, last)] - sums[max(k - width, 0)]) / (2 * width + 1)
        for k in range(last)
    ]


def _bucket(seconds: float) -> int:
    return min(max(bisect_right(EDGES, seconds) - 1, 0), len(EDGES) - 1)
