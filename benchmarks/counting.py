"""What the stand-in service counts of its clients."""

from collections.abc import Sequence
from dataclasses import dataclass, field

POLITE = 2.0
"""Seconds that the documentation of the service asks for between two polls of one image."""
_EARLY = 0.005  # what timers and the way to the server may shave off


@dataclass(kw_only=True)
class Counters:
    """Sums since the last reset; times on the monotonic clock, 0 before there is one."""

    submits: int = 0
    duplicate_submits: int = 0
    """Accepted submits whose body had been accepted before."""
    refused: int = 0
    """Answers 429."""
    polls: int = 0
    hasty_polls: int = 0
    """Polls less than 2 s after the last one of the same prediction."""
    histories: int = 0
    downloads: int = 0
    duplicate_downloads: int = 0
    bytes: int = 0
    """Of images."""
    keys_on_images: int = 0
    unknown: int = 0
    """Answers 4xx other than 429."""
    first_submit: float = 0.0
    last_download: float = 0.0
    lags: list[float] = field(default_factory=list)
    """Seconds from the end of each prediction to the poll that told of it."""

    def polled_again(self, gap: float) -> None:
        """A prediction was polled *gap* seconds after its last poll."""
        if gap < POLITE - _EARLY:
            self.hasty_polls += 1

    def as_json(self) -> dict[str, float | None]:
        """The sums, the active time and the detection lag."""
        sums = {name: value for name, value in vars(self).items() if name != "lags"}
        lags = sorted(self.lags)
        active = self.last_download - self.first_submit
        return {
            **sums,
            "active_s": active if self.downloads else None,
            "lag_mean_s": sum(lags) / len(lags) if lags else None,
            "lag_p50_s": percentile(lags, 0.5),
            "lag_p95_s": percentile(lags, 0.95),
        }


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which that *share* of the *ordered* values lies; None without values."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
