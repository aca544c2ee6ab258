"""Predictions of the stand-in service: when each starts and ends, and which submits are refused.

Nothing runs: a start and an end are computed at the submit and compared with the clock later.
"""

import heapq
from dataclasses import asdict, dataclass

from benchmarks.latency import read_latency


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the service behaves."""

    latency: str = "fixed:0"
    size: int = 200_000
    """Bytes of an image."""
    max_concurrent: int = 0
    """Submits are refused with 429 while so many predictions are in the making; 0 for no limit."""
    workers: int = 0
    """So many are worked on, the others are accepted and wait; 0 for no limit."""
    rpm: int = 0
    """Submits are refused with 429 beyond so many in each window; 0 for no limit."""
    window: float = 60.0
    """Seconds of that window."""
    rtt: float = 0.0
    """Seconds by which every answer is late."""

    def changed(self, told: dict[str, object]) -> "Settings":
        """These with what was *told* in their place. Raises TypeError or ValueError."""
        known = asdict(self)
        for name, value in told.items():
            if name not in known:
                raise ValueError(f"there is no setting {name!r}")
            known[name] = type(known[name])(value)
        return Settings(**known)


@dataclass(kw_only=True, slots=True)
class Prediction:
    """One accepted submit; times on the monotonic clock."""

    submitted: float
    started: float
    ends: float
    created_at: bytes
    polled: float = 0.0
    """When it was last asked for; 0 before the first time."""
    seen: bool = False
    """Whether the client was told that it has ended."""
    downloads: int = 0


class Making:
    """Accepts submits, one after the other, within the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Start with no prediction. Raises ValueError for a latency that cannot be read."""
        self._settings = settings
        self._latency = read_latency(settings.latency)
        self._ends: list[float] = []
        self._free: list[float] = []
        self._window_end = self._in_window = 0.0
        self.predictions: list[Prediction] = []
        self.most = 0
        """The most predictions that were in the making at once."""

    def accept(self, now: float, created_at: bytes) -> Prediction | None:
        """A new prediction, or None when a limit stands against it."""
        settings = self._settings
        ends = self._ends
        while ends and ends[0] <= now:
            heapq.heappop(ends)
        if settings.max_concurrent and len(ends) >= settings.max_concurrent:
            return None
        if settings.rpm and not self._within_window(now):
            return None
        started = now
        if settings.workers and len(self._free) >= settings.workers:
            started = max(now, heapq.heappop(self._free))
        end = started + self._latency.of(len(self.predictions))
        if settings.workers:
            heapq.heappush(self._free, end)
        heapq.heappush(ends, end)
        self.most = max(self.most, len(ends))
        made = Prediction(submitted=now, started=started, ends=end, created_at=created_at)
        self.predictions.append(made)
        return made

    def busiest(self) -> int:
        """The most predictions that began within any window."""
        times = [made.submitted for made in self.predictions]
        first = most = 0
        for last, time in enumerate(times):
            while times[first] <= time - self._settings.window:
                first += 1
            most = max(most, last - first + 1)
        return most

    def _within_window(self, now: float) -> bool:
        if now >= self._window_end:
            self._window_end, self._in_window = now + self._settings.window, 0
        self._in_window += 1
        return self._in_window <= self._settings.rpm
