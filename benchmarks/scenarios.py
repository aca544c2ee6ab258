"""What is measured: so many images, at once, of such a latency and size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.latency import ideal_makespan, read_latency
from benchmarks.making import Settings

QUICK: Mapping[str, Mapping[str, Any]] = {
    "zero": {"n": 200, "concurrency": 32},
    "steady": {"n": 64, "concurrency": 32},
    "realistic": {"n": 48, "concurrency": 32, "latency": "lognormal:2,4"},
}
"""What ``--quick`` changes."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The work that every case is given."""

    name: str
    about: str
    n: int
    """Images, each of a submit of its own."""
    concurrency: int
    """How many a client may have on their way at once."""
    poll: float
    """Seconds between two polls of one prediction that all clients are told to keep."""
    latency: str = "fixed:0"
    size: int = 200_000
    """Bytes of an image."""
    max_concurrent: int = 0
    workers: int = 0
    rpm: int = 0
    rtt: float = 0.0
    """Seconds by which every answer is late."""

    def settings(self) -> Settings:
        """How the server is to behave."""
        return Settings(
            latency=self.latency,
            size=self.size,
            max_concurrent=self.max_concurrent,
            workers=self.workers,
            rpm=self.rpm,
            rtt=self.rtt,
        )

    def ideal(self) -> float:
        """Seconds that a perfect client would be active: no answer late, no work of its own."""
        latency = read_latency(self.latency)
        limits = (self.concurrency, self.max_concurrent, self.workers)
        slots = min(limit for limit in limits if limit)
        return ideal_makespan(map(latency.of, range(self.n)), slots, per_window=self.rpm)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="zero",
            about="images are ready at once: what the client itself costs",
            n=1000,
            concurrency=64,
            poll=0.01,
        ),
        Scenario(
            name="steady",
            about="every image takes 2 s: bursts that start and end together",
            n=256,
            concurrency=64,
            poll=2.0,
            latency="fixed:2",
        ),
        Scenario(
            name="realistic",
            about="half of the images take more than 8 s, one in twenty more than 20 s",
            n=192,
            concurrency=64,
            poll=2.0,
            latency="lognormal:8,20",
        ),
    )
}
