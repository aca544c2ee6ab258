"""A dataset's time without its pauses: nights of work side by side, not the days between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

PAUSE = 30 * 60.0  # seconds without an image after which the next one begins another stretch


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Stretches of work, in seconds since 1970, as one line from 0 to 1."""

    stretches: Sequence[tuple[float, float]]

    @property
    def seconds(self) -> float:
        """Of work, pauses left out; at the least one, so that anything can be divided by it."""
        return max(1.0, sum(end - start for start, end in self.stretches))

    def place(self, time: float) -> float:
        """Where *time* is on the line."""
        before = 0.0
        for start, end in self.stretches:
            if time <= end:
                return min(1.0, (before + max(0.0, time - start)) / self.seconds)
            before += end - start
        return 1.0

    def starts(self) -> list[tuple[float, float]]:
        """Where each stretch begins on the line, and when."""
        return [(self.place(start), start) for start, _ in self.stretches]


def timeline(times: Iterable[float]) -> Timeline:
    """The stretches of work that *times* show."""
    stretches: list[tuple[float, float]] = []
    for time in sorted(times):
        if stretches and time - stretches[-1][1] <= PAUSE:
            stretches[-1] = (stretches[-1][0], time)
        else:
            stretches.append((time, time))
    return Timeline(stretches=stretches)


def seconds_of(value: object) -> float | None:
    """The moment in a text as seconds since 1970; None when it is no moment."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        # In UTC it may be of no year at all, and then no clock can show it.
        return moment.astimezone(UTC).timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def clock(seconds: float, *, date: bool) -> str:
    """``27 Nov 01:17`` or ``01:17``, UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%b %H:%M}" if date else f"{moment:%H:%M}"
