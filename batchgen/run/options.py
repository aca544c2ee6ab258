"""What the command line may say about a run; what it leaves open is the job file's."""

from dataclasses import dataclass, replace
from pathlib import Path

from batchgen.errors import UsageError
from batchgen.job.load import Job, Pace


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Each has a twin in the job file, which holds where the option is None."""

    out: Path | None = None
    """The dataset folder."""
    service: str | None = None
    """``wavespeed`` or ``local``."""
    base_url: str | None = None
    """The address of the service; https, or http on loopback."""
    concurrency: int | None = None
    """Predictions in flight."""
    rate: float | None = None
    """Images per minute."""
    budget: float | None = None
    """US dollars for the dataset as a whole."""

    def pace(self, job: Job) -> Pace:
        """The pace of *job* with these options in place. Raises UsageError for impossible ones."""
        for name in ("concurrency", "rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"expected a {name} of more than 0, got {value}")
        if self.budget is not None and self.budget < 0:
            raise UsageError(f"expected a budget of 0 or more, got {self.budget}")
        pace = job.pace
        if self.concurrency is not None:
            pace = replace(pace, concurrency=self.concurrency)
        if self.rate is not None:
            pace = replace(pace, rate=self.rate)
        if self.budget is not None:
            pace = replace(pace, budget_micros=int(round(self.budget * 1e6, 3)))
        return pace
