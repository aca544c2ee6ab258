"""The tiers of accounts: how many images may be started in a minute, and how many be in the making.

The service has published two tables that disagree; this is the newer one (docs/account-levels).
``run.rate`` and ``run.concurrency`` of a job stand above it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Tier:
    """The two limits of an account."""

    images_per_minute: int
    """Over it, a submit is turned away with 429."""
    concurrent: int
    """Predictions worked on at once; over it, they are accepted and wait."""


TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "bronze": Tier(images_per_minute=2, concurrent=2),
        "silver": Tier(images_per_minute=500, concurrent=300),
        "gold": Tier(images_per_minute=3_000, concurrent=3_000),
        "ultra": Tier(images_per_minute=5_000, concurrent=10_000),
    }
)
LOWEST = "bronze"
