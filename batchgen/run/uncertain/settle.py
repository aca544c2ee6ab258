"""Settling uncertain submits: what the service's history proves about each of them.

Nothing here buys anything. A submit is adopted or called absent only when the history covers its
whole time and has had time to catch up; everything else stays held.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from batchgen.api.account import Listed
from batchgen.api.wire import format_time
from batchgen.dataset.folder import DatasetFolder, append_lines
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.store import Ledger
from batchgen.run.plan.planning import longest_wait
from batchgen.run.uncertain.adoption import Attempt, Decisions, decide
from batchgen.run.variant.context import RETENTION, Context, now

if TYPE_CHECKING:
    from batchgen.api.client import ServiceClient

log = logging.getLogger(__name__)

# How long the history may take to show a prediction, and a gateway to hand a submit on.
GRACE = 90.0
SKEW = timedelta(seconds=5)
MAX_PAGES = 1_000
# Seconds for one reading; a service that drips its pages would otherwise hold a run for hours.
READING = 600.0
BETWEEN_READINGS = 10.0


@dataclass(kw_only=True)
class Settled:
    """What became of the uncertain submits of a dataset."""

    adopted: int = 0
    absent: int = 0
    held: int = 0
    strangers: int = 0
    """Predictions in the time of these submits that nothing in this dataset accounts for."""
    why: str = ""
    """Why one of the held submits is held; the evidence has the reason of each."""


@dataclass(frozen=True, kw_only=True)
class Settler:
    """Settles the uncertain submits of one dataset."""

    client: "ServiceClient"
    ledger: Ledger
    folder: DatasetFolder
    account: str
    """Fingerprint of the key and service that are asked now."""
    submit_timeout: float
    cost_micros: Callable[[Entry], int | None]
    pause: Callable[[float], Awaitable[bool]]
    grace: float = GRACE

    async def settle(self, *, wait: bool) -> Settled:
        """Settle what can be settled now; with *wait*, first wait until all of it can be.

        Raises StorageError.
        """
        entries = {e.key: e for e in self.ledger.entries(State.UNCERTAIN)}
        if entries:
            # Intents are on the service's clock, and any answer tells how far ours is from it.
            await self.client.balance()
        attempts = {key: self._attempt(entry) for key, entry in entries.items()}
        ours = {key: a for key, a in attempts.items() if isinstance(a, Attempt)}
        settled = Settled(held=len(entries) - len(ours))
        if settled.held:
            settled.why = next(a for a in attempts.values() if isinstance(a, str))
        ripe_in = max((self._ripe_in(entries[key]) for key in ours), default=0.0)
        if wait and ripe_in > 0:
            log.info("waiting %.0f s for the history to catch up", ripe_in)
            await self.pause(ripe_in)
        ripe = [a for key, a in ours.items() if self._ripe_in(entries[key]) <= 0]
        if len(ripe) < len(ours):
            settled.held += len(ours) - len(ripe)
            settled.why = "the history needs a moment longer"
        if not ripe:
            return settled
        history = await self._read_twice(min(a.earliest for a in ripe), max(a.latest for a in ripe))
        if isinstance(history, str):
            settled.held += len(ripe)
            settled.why = history
            return settled
        # Those that cannot be settled yet may still have made what the history shows.
        return await self._apply(entries, ripe, list(ours.values()), history, settled)

    def _attempt(self, entry: Entry) -> Attempt | str:
        """When the service may have created what *entry* asked for, or why nobody can know."""
        if entry.account not in (None, self.account):
            return "they were sent with another key or to another service"
        if self._age(entry) < -timedelta(days=1):
            return "a clock was wrong when they were sent: that is still to come"
        oldest = self._clock() - RETENTION
        # A record that was lost with its ledger: it may have been sent at any time, or never.
        earliest, latest = oldest, self._clock() - timedelta(seconds=self.grace)
        if sent := [_time(t) for t in (entry.intent_at, entry.submitted_at) if t]:
            # By the service's clock as it was told then, and by ours: either may be wrong.
            earliest, latest = min(sent) - SKEW, max(sent) + self._slack
        if earliest < oldest:
            return "they are older than the seven days the history covers"
        return Attempt(
            key=entry.key,
            model=entry.model,
            request=entry.request,
            earliest=format_time(earliest),
            latest=format_time(latest),
            timed=entry.intent_at is not None,
        )

    @property
    def _slack(self) -> timedelta:
        """How long after its intent a submit may have been accepted."""
        return timedelta(seconds=self.submit_timeout + min(60.0, self.grace))

    def _ripe_in(self, entry: Entry) -> float:
        """Seconds until the history must show what *entry* may have made, by either clock."""
        return (self._slack + timedelta(seconds=self.grace) - self._age(entry)).total_seconds()

    def _age(self, entry: Entry) -> timedelta:
        """How long ago *entry* was sent, by the clock that has it later."""
        clocks = ((entry.intent_at, self._clock()), (entry.submitted_at, datetime.now(UTC)))
        return min((read - _time(t) for t, read in clocks if t), default=RETENTION)

    def _clock(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.client.clock_offset)

    async def _read_twice(self, since: str, until: str) -> list[Listed] | str:
        """The history back to *since*, read twice alike as far as *until*, or why there is none."""
        first = await self._read(since)
        if isinstance(first, str):
            return first
        if not await self.pause(min(BETWEEN_READINGS, self.grace)):
            return "the run is ending"
        second = await self._read(since)
        if isinstance(second, str):
            return second
        same = _between(first, since, until) == _between(second, since, until)
        return second if same else "the history is still changing"

    async def _read(self, since: str) -> list[Listed] | str:
        found: dict[str, Listed] = {}
        clock = asyncio.get_running_loop().time
        ends = clock() + READING
        for page in range(1, MAX_PAGES + 1):
            if not await self.pause(0):
                return "the run is ending"
            if clock() > ends:
                return "the history takes too long to be read"
            items = await self.client.history(page)
            if isinstance(items, str):
                return f"the history cannot be read: {items}"
            found |= {item.id: item for item in items}
            # A page that is short may be all that a service gives at once, and one old item does
            # not show that all that follow are older: only what leaves no doubt ends the reading.
            if all(item.created_at and item.created_at < since for item in items):
                return list(found.values())
        return "the history is too long to be read"

    async def _apply(
        self,
        entries: dict[str, Entry],
        ripe: list[Attempt],
        attempts: list[Attempt],
        history: list[Listed],
        done: Settled,
    ) -> Settled:
        known: set[str] = set()
        ids = [item.id for item in history]
        for start in range(0, len(ids), 500):
            known |= self.ledger.known_predictions(ids[start : start + 500])
        found = decide(attempts, history, known)
        # First, so that no decision can be without its evidence.
        append_lines(self.folder.decisions, *(_evidence(attempt, found) for attempt in ripe))
        for attempt in ripe:
            entry = entries[attempt.key]
            if attempt.key in found.adopted:
                await self._adopt(entry, found.adopted[attempt.key])
            elif attempt.key in found.absent:
                await self._absent(entry)
        keys = {attempt.key for attempt in ripe}
        held = found.held.keys() & keys
        done.adopted, done.absent = len(found.adopted.keys() & keys), len(found.absent & keys)
        done.held += len(held)
        done.strangers = len(found.strangers)
        done.why = next((found.held[key] for key in sorted(held)), done.why)
        return done

    async def _adopt(self, entry: Entry, item: Listed) -> None:
        await self.ledger.write(
            entry.move(
                State.SUBMITTED,
                prediction_id=item.id,
                created_at=item.created_at,
                submitted_at=self._our_time(item.created_at or entry.intent_at),
                account=self.account,
                error_class=None,
                error=None,
            )
        )

    def _our_time(self, theirs: str | None) -> str:
        return format_time(_time(theirs) - timedelta(seconds=self.client.clock_offset))

    async def _absent(self, entry: Entry) -> None:
        spent = entry.spent_micros
        if spent is not None:
            spent = max(0, spent - (self.cost_micros(entry) or 0))
        await self.ledger.write(
            entry.move(State.PLANNED, spent_micros=spent, error_class=None, error=None)
        )


async def settle_earlier(run: Context) -> None:
    """Ask the history about uncertain submits of earlier runs, without waiting for it.

    Raises StorageError.
    """
    settler = Settler(
        client=run.service.client,
        ledger=run.ledger,
        folder=run.folder,
        account=run.account,
        submit_timeout=longest_wait(run.ledger.meta(), run.pace.submit_timeout),
        cost_micros=run.cost_micros,
        pause=run.stop.pause,
    )
    await settler.settle(wait=False)
    run.spend.spent_micros = run.ledger.totals().spent_micros


def _evidence(attempt: Attempt, found: Decisions) -> dict[str, object]:
    """What was decided, and by what: a decision about money has to be open to a second look."""
    adopted = found.adopted.get(attempt.key)
    held = found.held.get(attempt.key)
    decision = "adopted" if adopted else "held" if held else "absent"
    log.info("uncertain submit of %s: %s", attempt.key, decision)
    return {
        "at": now(),
        "variant_key": attempt.key,
        "decision": decision,
        "prediction_id": adopted.id if adopted else None,
        "why": held,
        "earliest": attempt.earliest,
        "latest": attempt.latest,
        "strangers": [item.id for item in found.strangers[:20]],
    }


def _between(items: list[Listed], since: str, until: str) -> set[str]:
    return {i.id for i in items if i.created_at is None or since <= i.created_at <= until}


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.now(UTC)
