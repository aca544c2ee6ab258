"""How fast a run may go: the job's own numbers, else those of the account's tier."""

import math
from dataclasses import dataclass

from batchgen.job.load import Pace
from batchgen.job.tiers import LOWEST, TIERS

# For a service on this machine, which has no tiers unless it is told to.
CONCURRENCY = 8


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What holds for a run."""

    concurrency: int
    """Predictions in flight."""
    rate: float | None
    """Images per minute; None for no limit."""
    assumed: str | None
    """The tier that was taken because none was named and a limit is missing."""

    def sentence(self, images: int) -> str:
        """What the assumption means for so many *images*."""
        rate, time = "", ""
        if self.rate:
            rate = f"{self.rate:g} images per minute, "
            if images > self.rate:
                minutes = math.ceil(images / self.rate)
                took = f"{minutes / 60:.1f} hours" if minutes >= 60 else f"{minutes} minutes"
                time = f", so {images:,} images take {took}"
        return (
            f"no tier is named, so the account is taken for {self.assumed}: "
            f"{rate}{self.concurrency} in flight{time}; name yours with run.tier or --tier"
        )


def settle_limits(pace: Pace, *, remote: bool) -> Limits:
    """Fill in what *pace* leaves open; the real service is met with the lowest tier's limits."""
    name = pace.tier or (LOWEST if remote else None)
    tier = TIERS[name] if name else None
    return Limits(
        concurrency=pace.concurrency or (tier.concurrent if tier else CONCURRENCY),
        rate=pace.rate or (tier.images_per_minute if tier else None),
        assumed=None if pace.tier or (pace.rate and pace.concurrency) else name,
    )
