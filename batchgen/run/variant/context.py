"""What every variant of a run needs on its way."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from batchgen.api.retry import RetryBudget
from batchgen.api.wire import format_time
from batchgen.dataset.files.images import ImageStore
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.manifest import Manifest
from batchgen.dataset.rows.partrows import PartRows
from batchgen.dataset.treatment import Treatment
from batchgen.job.load import Pace
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.store import Ledger
from batchgen.run.pace.breaker import Breaker
from batchgen.run.pace.experience import Experience
from batchgen.run.pace.pacer import Pacer
from batchgen.run.pace.spend import Spend
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.hooks import Hooks
from batchgen.run.telling.tally import Tally
from batchgen.run.terms.prices import Prices

if TYPE_CHECKING:
    from batchgen.run.terms.service import Service

# Four times what the highest tier needs at 0.4 s for an answer; each of them is an open file.
POLLS = 128
# At 0.4 s for an image just enough for the highest tier, 83 a second.
DOWNLOADS = 32
# The service deletes predictions and their outputs after seven days (docs/what-are-predictions).
RETENTION = timedelta(days=7)


Rows = Manifest | PartRows
"""Where the rows of images go: to the manifest, or to the files of a shard's parts."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts of a run, put together once."""

    file_name: str
    """Pattern of an image's name below ``images/``."""
    pace: Pace
    concurrency: int
    """Predictions in flight, at the most."""
    prices: Prices
    account: str
    """Fingerprint of the key and the service."""
    service: "Service"
    ledger: Ledger
    folder: DatasetFolder
    images: ImageStore
    treatment: Treatment
    manifest: Rows
    stop: Stop
    spend: Spend
    pacer: Pacer
    breaker: Breaker
    experience: Experience
    tally: Tally
    hooks: Hooks
    keep: "Callable[[Context], Coroutine[None, None, None]] | None" = None
    """Keeps up, while the run works, the limits that it shares with others."""
    patience: RetryBudget = field(default_factory=RetryBudget)
    unknown: set[str] = field(default_factory=set)
    """Statuses that batchgen does not know and has warned of."""
    polls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(POLLS))
    downloads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DOWNLOADS))

    def cost_micros(self, entry: Entry) -> int | None:
        """What a submit of *entry* costs, in millionths of a US dollar; None when unknown."""
        return self.prices.cost(entry)

    def failed(self, entry: Entry, reason: str) -> None:
        """Count a variant that ended without its images, or may have."""
        self.tally.failed += 1
        if entry.state is State.SUBMITTING:
            self.breaker.submit_failed(entry.prompt_id, reason)
        else:
            self.breaker.making_failed(entry.prompt_id, reason)


def now() -> str:
    """The time as ledger and manifest show it: RFC 3339 in UTC with milliseconds."""
    return format_time(datetime.now(UTC))


def seconds_since(time: str | None) -> float:
    """Seconds from *time* to now; 0 when there is none or the clock was set back."""
    if not time:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds())
