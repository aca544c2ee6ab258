"""The first step of a variant's life: intent, POST, and what its answer means.

There is no idempotency key. The intent is on disk before the POST is sent, and the POST is sent
again only after an answer that proves that nothing was created.
"""

import logging
from datetime import UTC, datetime, timedelta
from itertools import count

from batchgen.api.outcome import Fate, Refusal
from batchgen.api.retry import backoff, may_submit_again
from batchgen.api.wire import Prediction, format_time
from batchgen.errors import ExitCode, StorageError
from batchgen.ledger.entry import Entry, State, TakenIdError
from batchgen.ledger.fields import Fields
from batchgen.run.telling.slots import Step
from batchgen.run.variant.context import Context, now
from batchgen.text import counted

log = logging.getLogger(__name__)

WORRYING = 4  # tries after which the screen, too, hears that submits are turned away

# A variant that is submitted again starts with a clean record; what it spent stays.
_FRESH: Fields = {
    "prediction_id": None,
    "created_at": None,
    "submitted_at": None,
    "completed_at": None,
    "queue_ms": None,
    "inference_ms": None,
    "total_ms": None,
    "polls": 0,
    "error_class": None,
    "error": None,
}


async def submit(run: Context, entry: Entry) -> Entry:
    """Submit *entry* until a prediction was created, may have been, or never will be.

    It comes back as it was, or planned, when the run ends first. Raises StorageError.
    """
    cost = run.cost_micros(entry)
    for tries in count(1):
        async with run.pacer.turn(entry.images_asked) as go:
            if not go:
                return entry
            refusal = None
            if reserved := run.spend.reserve(cost):
                run.tally.slots.now(Step.SUBMITTING, entry)
                entry, refusal = await _post(run, entry, cost)
        if not reserved:
            run.pacer.unused(entry.images_asked)
            # What the others hold may come back.
            if await run.pacer.one_answered() or await run.spend.more(run.stop):
                continue
            _say_spent(run)
            return entry
        if run.spend.submits_left == 0 and run.spend.last and not run.pacer.posting:
            _say_spent(run)  # now, and not after the others have waited for their moments
        if refusal is None or entry.state is not State.PLANNED:
            return entry
        if refusal.fate in {Fate.ACCOUNT, Fate.MISDIRECTED}:
            _end_submits(run, refusal, entry.model)
            return entry
        level = logging.WARNING if tries == WORRYING else logging.INFO
        log.log(level, "submit of %s turned away, try %d: %s", entry.key, tries, refusal.reason)
        if not may_submit_again(refusal, tries, run.pace.retries):
            why = f"the service cannot be reached or is too busy: {refusal.reason}"
            run.stop.note(ExitCode.INCOMPLETE, why)
            return entry
        run.tally.retries += 1
        run.tally.slots.now(Step.WAITING, entry)
        # Outside of the queue: the others need not wait for this one.
        await run.stop.pause_submit(backoff(tries - 1))
    raise AssertionError("a count has no end")


async def _post(run: Context, entry: Entry, cost: int | None) -> tuple[Entry, Refusal | None]:
    """One POST, with its intent durable before and its meaning durable after."""
    unspent, moment = entry.spent_micros, datetime.now(UTC)
    intent: Fields = {
        **_FRESH,
        "attempts": entry.attempts + 1,
        # What an earlier attempt may have cost stays, also when the price is unknown now.
        "spent_micros": unspent if cost is None else (unspent or 0) + cost,
        "account": run.account,
        # By both clocks: either may be wrong, and the history is searched by both.
        "intent_at": format_time(moment + timedelta(seconds=run.service.client.clock_offset)),
        "submitted_at": format_time(moment),
    }
    if entry.prediction_id:  # which the ledger forgets now
        log.info("variant %s was prediction %s and is made again", entry.key, entry.prediction_id)
    entry = entry.move(State.SUBMITTING, **intent)
    await run.ledger.write(entry)
    run.tally.submits += 1
    sent = run.pacer.now()
    answer = await run.service.client.submit(entry.model, entry.request)
    if isinstance(answer, Prediction):
        run.pacer.accepted(entry.images_asked, sent)
        run.breaker.accepted()
        return await _accepted(run, entry, answer), None
    _tell_pacer(run, answer, sent)
    entry = _refused(run, entry, answer, unspent)
    await run.ledger.write(entry)
    if entry.state is State.PLANNED:
        run.spend.return_slot()
    if entry.state is not State.UNCERTAIN:
        run.spend.give_back(cost)
    if entry.state is State.FAILED:
        run.tally.not_bought(cost)
    run.tally.spent_micros = run.spend.spent_micros
    return entry, answer


def _tell_pacer(run: Context, refusal: Refusal, sent: float) -> None:
    if refusal.fate in {Fate.NOT_SENT, Fate.THROTTLED}:
        run.pacer.turned_away(refusal, sent)
    elif refusal.fate is Fate.UNCERTAIN:
        run.pacer.troubled()


async def _accepted(run: Context, intent: Entry, prediction: Prediction) -> Entry:
    entry = intent.move(
        State.SUBMITTED,
        prediction_id=prediction.id,
        submitted_at=now(),
        created_at=prediction.created_at,
    )
    try:
        await run.ledger.write(entry)
    except TakenIdError as error:
        # Not attached to anything: it would label one variant's picture with another's prompt.
        run.failed(entry, str(error))
        run.pacer.left()
        entry = intent.move(State.UNCERTAIN, error_class="protocol", error=str(error))
        await run.ledger.write(entry)
    except StorageError:
        # The last place where a paid id can still be kept.
        run.stop.last_words.append(
            f"not recorded: variant {entry.key} is prediction {prediction.id}"
        )
        raise
    run.tally.spent_micros = run.spend.spent_micros
    return entry


def _refused(run: Context, entry: Entry, refusal: Refusal, unspent: int | None) -> Entry:
    if refusal.fate is Fate.UNCERTAIN:
        run.failed(entry, refusal.reason)
        log.warning("variant %s may have been paid: %s", entry.key, refusal.reason)
        return entry.move(State.UNCERTAIN, error_class="unanswered", error=refusal.reason)
    if refusal.fate is Fate.REJECTED:
        run.failed(entry, refusal.reason)
        log.warning("variant %s was rejected: %s", entry.key, refusal.reason)
        return entry.move(
            State.FAILED, spent_micros=unspent, error_class="rejected", error=refusal.reason
        )
    return entry.move(State.PLANNED, spent_micros=unspent, error=refusal.reason)


def _say_spent(run: Context) -> None:
    budget = (run.pace.budget_micros or 0) / 1e6
    why = f"the next submit would exceed the budget of ${budget:g}: raise it"
    if run.spend.submits_left == 0 and run.pace.limit is not None:
        why = f"this run was limited to {counted(run.pace.limit, 'submit')}"
    run.stop.no_more_submits(ExitCode.INCOMPLETE, why)


def _end_submits(run: Context, refusal: Refusal, model: str) -> None:
    if refusal.fate is Fate.ACCOUNT:
        why = f"the service refuses the account: {refusal.reason}"
        run.stop.no_more_submits(ExitCode.ACCOUNT, why)
    else:
        why = f"the service does not offer {model} at this address: {refusal.reason}"
        run.stop.no_more_submits(ExitCode.INCOMPLETE, why)
