"""What the command line may say about a run; what it leaves open is the job file's."""

from dataclasses import dataclass, replace
from pathlib import Path

from batchgen.dataset.stores.uploads import dataset_path
from batchgen.errors import UsageError
from batchgen.job.grammar.units import (
    read_duration,
    read_engine,
    read_failures,
    read_size,
    read_window,
)
from batchgen.job.load import Job, Pace
from batchgen.job.tiers import TIERS


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Most have a twin in the job file, which holds where the option is None."""

    out: str | Path | None = None
    """The dataset folder, or an address such as ``s3://bucket/prefix``."""
    service: str | None = None
    """``wavespeed`` or ``local``."""
    base_url: str | None = None
    """The address of the service; https, or http on loopback."""
    tier: str | None = None
    """Of the account: ``bronze``, ``silver``, ``gold`` or ``ultra``."""
    concurrency: int | None = None
    """Predictions in flight."""
    rate: float | None = None
    """Images per minute."""
    budget: float | None = None
    """US dollars for the dataset as a whole."""
    yes: bool = False
    """Run also when it may cost more than ``approval.ASK_OVER``; a budget says as much."""
    limit: int | None = None
    """Submits in this run."""
    max_duration: str | None = None
    """After which no new submits are sent: ``6h``, ``90m``, or seconds."""
    window: str | None = None
    """The part of the day in which submits may be sent, local time: ``22:00-06:00``."""
    min_free: str | None = None
    """What the disk has to keep free: ``2GB``."""
    wait_if_locked: bool = False
    """Wait for the end of another run that owns the dataset, and do not fail."""
    max_failures: str | None = None
    """Variants that may fail in this run: a count, or ``5%``."""
    on_uncertain: str | None = None
    """``hold`` or ``resubmit`` what may have been paid."""
    shard: str | None = None
    """Make one shard of the dataset only: ``0/3`` to ``2/3``, ``auto`` or ``auto/3``."""
    on: str | None = None
    """``ray`` or ``ray://HOST:PORT``: what an engine for :func:`run_job` is made of."""
    retry_failed: bool = False
    """Submit again what failed for good."""
    resubmit_expired: bool = False
    """Submit again what was paid and expired before it could be downloaded."""
    resubmit_lost: bool = False
    """Submit again what was paid and lost: by the service, or as a file here."""

    def folder(self, job: Job) -> Path:
        """The dataset folder of a run of *job*; the working folder of one that goes to a bucket.

        Raises UsageError for an address that cannot be used.
        """
        return dataset_path(self.out or job.address or job.folder)

    def pace(self, job: Job) -> Pace:
        """The pace of *job* with these options in place. Raises UsageError for impossible ones."""
        for name in ("concurrency", "rate", "limit"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"expected a {name} of more than 0, got {value}")
        if self.tier is not None and self.tier not in TIERS:
            raise UsageError(f"expected a tier of {', '.join(TIERS)}, got {self.tier!r}")
        if self.budget is not None and not 0 <= self.budget <= 1e9:
            raise UsageError(f"expected a budget from 0 to 1,000,000,000, got {self.budget}")
        try:
            seconds = None if self.max_duration is None else read_duration(self.max_duration)
            min_free = None if self.min_free is None else read_size(self.min_free)
            if self.max_failures is not None:
                read_failures(0, self.max_failures)
            if self.window is not None:
                read_window(self.window)
            if self.on is not None:
                read_engine(self.on)
        except ValueError as error:
            raise UsageError(str(error)) from None
        given = {
            "tier": self.tier,
            "concurrency": self.concurrency,
            "rate": self.rate,
            "limit": self.limit,
            "max_duration": seconds,
            "max_failures": self.max_failures,
            "window": self.window,
            "on": self.on,
            "min_free": min_free,
            # Rounded down: a budget is never exceeded by a fraction of its last cent.
            "budget_micros": None if self.budget is None else int(round(self.budget * 1e6, 3)),
            "resubmit_uncertain": self.on_uncertain and self.on_uncertain == "resubmit",
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(job.pace, **chosen)  # type: ignore[arg-type]  # typed above, one by one
