"""The first step of a variant's life: intent, POST, and what its answer means.

There is no idempotency key. The intent is on disk before the POST is sent, and the POST is sent
again only after an answer that proves that nothing was created.
"""

import logging

from batchgen.api.outcome import Fate, Refusal
from batchgen.api.retry import SUBMIT_TRIES, backoff
from batchgen.api.wire import Prediction
from batchgen.errors import ExitCode, StorageError
from batchgen.ledger.entry import Entry, State
from batchgen.run.context import Context, now

log = logging.getLogger(__name__)


async def submit(run: Context, entry: Entry) -> Entry:
    """Submit *entry* until a prediction was created, may have been, or never will be.

    It comes back still planned when the run ends first. Raises StorageError.
    """
    cost = run.cost_micros(entry)
    for tries in range(1, SUBMIT_TRIES + 1):
        if not await run.stop.pause(run.rate.wait_for(entry.images_asked)):
            return entry
        # Asked only after the wait: another variant may have met the end meanwhile.
        if not run.stop.submitting or not _reserve(run, cost):
            return entry
        entry, refusal = await _post(run, entry, cost)
        if refusal is None or entry.state is not State.PLANNED:
            return entry
        if refusal.fate in {Fate.ACCOUNT, Fate.MISDIRECTED}:
            _end_submits(run, refusal)
            return entry
        run.tally.retries += 1
        log.info("submit of %s turned away, try %d: %s", entry.key, tries, refusal.reason)
        if not await run.stop.pause(backoff(tries, refusal.retry_after)):
            return entry
    run.stop.no_more_submits(
        ExitCode.INCOMPLETE, f"the service cannot be reached or is too busy: {entry.error}"
    )
    return entry


async def _post(run: Context, entry: Entry, cost: int | None) -> tuple[Entry, Refusal | None]:
    """One POST, with its intent durable before and its meaning durable after."""
    unspent = entry.spent_micros
    async with run.posts:
        entry = entry.move(
            State.SUBMITTING,
            attempts=entry.attempts + 1,
            spent_micros=None if cost is None else (unspent or 0) + cost,
            error_class=None,
            error=None,
        )
        await run.ledger.write(entry)
        run.tally.submits += 1
        answer = await run.service.client.submit(entry.model, entry.request)
        if isinstance(answer, Prediction):
            return await _accepted(run, entry, answer), None
        entry = _refused(run, entry, answer, unspent)
        await run.ledger.write(entry)
        if entry.state is not State.UNCERTAIN:
            run.spend.give_back(cost)
        run.tally.spent_micros = run.spend.spent_micros
        return entry, answer


async def _accepted(run: Context, entry: Entry, prediction: Prediction) -> Entry:
    entry = entry.move(
        State.SUBMITTED,
        prediction_id=prediction.id,
        submitted_at=now(),
        created_at=prediction.created_at,
    )
    try:
        await run.ledger.write(entry)
    except StorageError as error:
        # The last place where a paid id can still be kept.
        lost = f"not recorded: variant {entry.key} is prediction {prediction.id}"
        raise StorageError(f"{error}; {lost}") from None
    run.tally.spent_micros = run.spend.spent_micros
    return entry


def _refused(run: Context, entry: Entry, refusal: Refusal, unspent: int | None) -> Entry:
    if refusal.fate is Fate.UNCERTAIN:
        run.tally.failed += 1
        log.warning("variant %s may have been paid: %s", entry.key, refusal.reason)
        return entry.move(State.UNCERTAIN, error_class="unanswered", error=refusal.reason)
    if refusal.fate is Fate.REJECTED:
        run.tally.failed += 1
        log.warning("variant %s was rejected: %s", entry.key, refusal.reason)
        return entry.move(
            State.FAILED, spent_micros=unspent, error_class="rejected", error=refusal.reason
        )
    return entry.move(State.PLANNED, spent_micros=unspent, error=refusal.reason)


def _reserve(run: Context, cost: int | None) -> bool:
    if run.spend.reserve(cost):
        return True
    budget = (run.spend.budget_micros or 0) / 1e6
    run.stop.no_more_submits(
        ExitCode.INCOMPLETE, f"the next submit would exceed the budget of ${budget:g}"
    )
    return False


def _end_submits(run: Context, refusal: Refusal) -> None:
    if refusal.fate is Fate.ACCOUNT:
        why = f"the service refuses the account: {refusal.reason}"
        run.stop.no_more_submits(ExitCode.ACCOUNT, why)
    else:
        why = f"the service does not offer {run.job.model.id} at this address: {refusal.reason}"
        run.stop.no_more_submits(ExitCode.INCOMPLETE, why)
