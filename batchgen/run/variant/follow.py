"""The second step of a variant's life: polling its prediction until it has ended."""

import asyncio
import logging
import random
from collections.abc import Callable

from batchgen.api.outcome import Poll, PollProblem
from batchgen.api.retry import BACKOFF_CAP, backoff
from batchgen.api.wire import Prediction
from batchgen.errors import ExitCode
from batchgen.ledger.entry import Entry, State
from batchgen.run.variant.context import RETENTION, Context, now, seconds_since

log = logging.getLogger(__name__)

# A service may not know a prediction for a moment after it has accepted it.
MISSING_GRACE = 60.0
# One answer may come from a server that is just being replaced.
MISSING_POLLS = 3
# A service that invents statuses is not reported for ever.
MOST_UNKNOWN = 10
# A prediction may be called completed a moment before its images are listed.
EMPTY_POLLS = 4

# Business codes of a failed prediction, from the service's error page.
_CLASSES = {1200: "moderation", 1400: "parameter", 1401: "parameter", 1402: "parameter"}


async def follow(run: Context, entry: Entry) -> tuple[Entry, Prediction | None]:
    """Poll until the prediction has ended; it comes back itself when it has images to collect.

    The entry stays submitted when the run ends first or patience does: the next run goes on with
    it, and nothing is ever submitted again because of a wait. Raises StorageError.
    """
    age, learned, at_least = _age(entry), run.experience.of(entry), run.service.poll_interval
    # When an earlier run asked last for a prediction of its own, nobody knows.
    asked = 0.0 if age() < at_least else None
    delay = 0.0 if asked is None else learned.first_poll(at_least=at_least)
    troubles = empty = missing = 0
    while await run.stop.pause(_apart(delay)):
        async with run.polls:
            answer = await run.service.client.result(str(entry.prediction_id))
        entry = entry.polled()
        run.tally.polls += 1
        run.hooks.progress(run.tally)
        delay = learned.next_poll(age(), at_least=at_least)
        if isinstance(answer, PollProblem):
            log.info("poll of %s: %s", entry.prediction_id, answer.reason)
            troubles += 1
            missing = missing + 1 if answer.kind is Poll.MISSING else 0
            lost = missing >= MISSING_POLLS and age() > MISSING_GRACE
            if answer.kind is Poll.ACCOUNT or lost:
                return await _ended(run, entry, answer), None
            delay = max(at_least, _again_after(run, answer, troubles))
        else:
            troubles = missing = 0
            run.patience.earn()
            if answer.completed and any(answer.outputs):
                if asked is not None:
                    took = _took(answer, asked, age(), young=learned.young)
                    learned.observe(took)
                    run.tally.noticed(age() - took)
                return await _completed(run, entry, answer), answer
            empty += answer.completed
            if answer.ended_badly or empty == EMPTY_POLLS:
                return await _failed(run, entry, answer), None
            entry = _waiting(run, entry, answer, age())
            asked = age()
        verdict_near = 0 < missing < MISSING_POLLS
        if age() > run.pace.prediction_timeout and not verdict_near:
            log.warning("prediction %s has not ended after %.0f s", entry.prediction_id, age())
            # A service that accepts and never finishes must not be paid for everything.
            run.breaker.making_failed(entry.prompt_id, "it has not ended in time")
            break
    return entry, None


def _age(entry: Entry) -> Callable[[], float]:
    """Seconds since the submit, by a clock that never jumps."""
    clock = asyncio.get_running_loop().time
    start = clock() - seconds_since(entry.submitted_at)
    return lambda: clock() - start


def _apart(delay: float) -> float:
    """A little more than *delay*, so that predictions that began together are not asked so."""
    return delay * (1 + random.random() / 100)  # noqa: S311  # no secret


def _took(answer: Prediction, asked: float, noticed: float, *, young: bool) -> float:
    """Seconds from submit to end, which came somewhere between the last two polls."""
    made = (answer.inference_ms or 0) / 1000
    if asked < made < noticed:
        return made  # the whole of it when nothing had to wait
    # A first poll that finds the end says little: a quick service shows itself sooner like this.
    return noticed / 8 if young and not asked else (asked + noticed) / 2


def _again_after(run: Context, problem: PollProblem, troubles: int) -> float:
    run.tally.retries += 1
    # Out of patience with the service as a whole, the run asks no more often than it must.
    again = backoff(troubles, problem.retry_after) if run.patience.take() else BACKOFF_CAP
    return max(again, problem.retry_after or 0.0)


def _waiting(run: Context, entry: Entry, answer: Prediction, age: float) -> Entry:
    known = answer.waiting or answer.completed or answer.status in run.unknown
    if not known and len(run.unknown) < MOST_UNKNOWN:
        run.unknown.add(answer.status)
        log.warning(
            "prediction %s has the unknown status %r, taken for one that still goes on",
            entry.prediction_id,
            answer.status,
        )
    if answer.status == "processing" and entry.queue_ms is None:
        return entry.begun(round(age * 1000))
    return entry


async def _completed(run: Context, entry: Entry, answer: Prediction) -> Entry:
    if entry.state is State.COMPLETED:
        return entry  # an earlier run noticed; this poll was for fresh addresses
    entry = entry.move(
        State.COMPLETED,
        completed_at=now(),
        inference_ms=answer.inference_ms,
        total_ms=round(seconds_since(entry.submitted_at) * 1000),
    )
    await run.ledger.write(entry)
    return entry


async def _failed(run: Context, entry: Entry, answer: Prediction) -> Entry:
    if answer.completed:
        error_class, error = "empty_outputs", "completed without any image"
    else:
        error_class = _CLASSES.get(answer.error_code or 0, answer.status)
        error = answer.error or f"the service says {answer.status}"
    if entry.state is State.COMPLETED:  # it was made and billed: nothing is given back
        return await _lost(run, entry, error)
    run.failed(entry, error)
    log.warning("variant %s failed (%s): %s", entry.key, error_class, error)
    entry = entry.move(State.FAILED, completed_at=now(), error_class=error_class, error=error)
    await run.ledger.write(entry)
    return entry


async def _ended(run: Context, entry: Entry, answer: PollProblem) -> Entry:
    """What becomes of a prediction that the service will not tell us of."""
    if answer.kind is Poll.ACCOUNT:
        why = f"the service refuses the account: {answer.reason}"
        run.stop.no_more_submits(ExitCode.ACCOUNT, why)
        return entry
    return await _lost(run, entry, answer.reason)


async def _lost(run: Context, entry: Entry, error: str) -> Entry:
    """A paid prediction that is not there any more, because of its age or for no good reason."""
    run.failed(entry, error)
    log.warning("the service has lost prediction %s: %s", entry.prediction_id, error)
    old = seconds_since(entry.created_at or entry.submitted_at) > RETENTION.total_seconds()
    # "missing_file" stays: the images were here once, and were lost here.
    error_class = entry.error_class or ("expired" if old else "lost")
    entry = entry.move(State.EXPIRED, error_class=error_class, error=error)
    await run.ledger.write(entry)
    return entry
