"""How far a dataset is, read from its ledger without a lock, while a run goes on or after."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.reading import no_dataset
from batchgen.errors import UsageError
from batchgen.job.source.files import read_regular_file
from batchgen.ledger.entry import State
from batchgen.ledger.parts import PARTS, lock_of
from batchgen.ledger.store import Ledger
from batchgen.run.claim.looking import known_ledger
from batchgen.run.telling.accounts import Counts, count
from batchgen.run.terms.planned import chosen, is_mixed, knows_plan, told_of


@dataclass(frozen=True, kw_only=True)
class Flight:
    """A variant on its way, as the ledger knows it."""

    variant_key: str
    prompt_id: str
    state: str
    prediction_id: str | None
    seconds: float
    """Since its submit."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What ``batchgen status`` shows."""

    job: str
    service: str
    running: bool
    counts: Counts
    images: int
    images_unwanted: int
    """Of these, those of an earlier form of the job, which wants them no longer."""
    images_planned: int
    nsfw: int
    spent_usd: float | None
    reserved_usd: float | None
    refund_expected_usd: float | None
    projected_usd: float | None
    """What the dataset will have cost when the job is done, as the last run saw it."""
    started_at: str
    """Of the run that goes on, or else of the last one."""
    images_per_minute: float | None
    """Since then; None when no run goes on."""
    rate_limit: float | None
    """Images per minute that the last run was allowed; None for no limit."""
    seconds_left: float | None
    in_flight: tuple[Flight, ...]
    """Variants on their way, the oldest first; empty when no run goes on."""
    only: tuple[str, ...]
    """The ``--only`` of the last run, to which all that is planned is limited."""
    caveat: str
    """Why what is planned may not be what the job asks for; empty when it is."""

    def as_json(self) -> dict[str, object]:
        """Plain values, counts first."""
        rest = {name: value for name, value in asdict(self).items() if name != "counts"}
        return {**asdict(self.counts), **rest}


def standing(root: Path) -> Standing:
    """How far the dataset in *root* is. Raises UsageError when there is none."""
    with known_ledger(root) as ledger:
        if ledger is None:
            raise no_dataset(root, "ledger")
        meta = ledger.meta()
        started_at = str(meta.get("started_at", ""))
        planned = told_of(ledger)
        totals, priced = ledger.totals(), meta.get("price_micros") is not None
        running = any(map(_running, _locks(DatasetFolder(root))))
        rate = left = None
        if running and (elapsed := _seconds_since(started_at)) > 0:
            rate = ledger.images_since(started_at) / elapsed
            to_come = max(0, planned.images + totals.images_unwanted - totals.images)
            left = to_come / rate if rate else None
        return Standing(
            job=str(meta.get("job", "")),
            service=str(meta.get("service", "")),
            running=running,
            counts=count(ledger, planned.variants, totals),
            images=totals.images,
            images_unwanted=totals.images_unwanted,
            images_planned=planned.images,
            nsfw=totals.nsfw,
            spent_usd=totals.spent_micros / 1e6 if priced else None,
            reserved_usd=totals.reserved_micros / 1e6 if priced else None,
            refund_expected_usd=totals.refund_micros / 1e6 if priced else None,
            projected_usd=_usd(meta.get("projected_micros")),
            started_at=started_at,
            images_per_minute=None if rate is None else round(rate * 60, 1),
            rate_limit=_number(meta.get("rate_limit")),
            seconds_left=None if left is None else round(left, 1),
            in_flight=_in_flight(ledger) if running else (),
            only=chosen(meta),
            caveat=_caveat(ledger),
        )


def _caveat(ledger: Ledger) -> str:
    if not knows_plan(ledger):
        return "the ledger was made anew and knows only what there is; a run tells it of its job"
    if is_mixed(ledger):
        return "its shards last ran with different forms of the job; each is counted by its own"
    return ""


def _in_flight(ledger: Ledger) -> tuple[Flight, ...]:
    # No more than a run has places, and what earlier runs left to be collected.
    entries = ledger.entries(State.SUBMITTING, State.SUBMITTED, State.COMPLETED)
    flights = [
        Flight(
            variant_key=entry.key,
            prompt_id=entry.prompt_id,
            state=str(entry.state),
            prediction_id=entry.prediction_id,
            seconds=round(_seconds_since(entry.submitted_at or ""), 1),
        )
        for entry in entries
    ]
    return tuple(sorted(flights, key=lambda flight: -flight.seconds))


def _locks(folder: DatasetFolder) -> Iterator[Path]:
    yield folder.lock
    if folder.ledgers.is_dir():
        yield from (lock_of(folder.ledgers, part) for part in range(PARTS))


def _seconds_since(time: str) -> float:
    # A run in the making needs all of the network; without one, status starts much quicker.
    from batchgen.run.variant.context import seconds_since

    return seconds_since(time)


def _running(lock: Path) -> bool:
    """Whether the process that the lock names is alive.

    Trying the lock itself would make a run that starts in this moment believe it is taken.
    """
    try:
        holder = json.loads(read_regular_file(lock, max_bytes=10_000, what="a lock"))
        if holder["host"] != socket.gethostname():
            return False
        os.kill(int(holder["pid"]), 0)
    except PermissionError:
        return True  # alive, and somebody else's
    except (OSError, UsageError, ValueError, OverflowError, KeyError, TypeError):
        return False
    return True


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def _usd(micros: object) -> float | None:
    return micros / 1e6 if isinstance(micros, int) else None
