"""One variant's life, in order: submit, follow, collect.

Every step ends in a ledger entry. What goes wrong on the way becomes a state of that entry or ends
the run through ``Stop``; other exceptions are bugs and come through.
"""

from batchgen.api.wire import Prediction
from batchgen.errors import ExitCode, StorageError
from batchgen.ledger.entry import Entry, State
from batchgen.run.pace.pool import Release
from batchgen.run.telling.rows import failure_row
from batchgen.run.telling.slots import Step
from batchgen.run.variant.collect import collect
from batchgen.run.variant.context import Context
from batchgen.run.variant.follow import follow
from batchgen.run.variant.submit import submit

PAID = frozenset({State.SUBMITTED, State.COMPLETED})
"""States in which a prediction exists and its images do not yet."""
LOST = frozenset({State.FAILED, State.UNCERTAIN, State.EXPIRED})
"""States in which a variant ends without its images, or may have."""


async def live(run: Context, entry: Entry, release: Release) -> None:
    """Take one variant as far as it goes; *release* gives its place in flight back.

    The place is free as soon as the prediction has ended: downloads are bounded on their own, so a
    slow image host never idles a paid slot.
    """
    run.tally.slots.begin(entry)
    try:
        entry, prediction = await _make(run, entry, release)
        if prediction:
            run.tally.slots.now(Step.COLLECTING, entry)
            entry = await collect(run, entry, prediction)
        if entry.state in LOST:
            run.hooks.failure(failure_row(entry))
    except StorageError as error:
        run.stop.leave(ExitCode.STORAGE, str(error))
    finally:
        run.tally.slots.end(entry)
        run.hooks.progress(run.tally)


async def _make(run: Context, entry: Entry, release: Release) -> tuple[Entry, Prediction | None]:
    """Submit and follow; the prediction comes back when it has images to collect."""
    run.tally.in_flight += 1
    try:
        if entry.state not in PAID:
            entry = await submit(run, entry)
            if entry.state not in PAID:
                return entry, None
        else:
            run.pacer.joined(expected=entry.state is State.SUBMITTED)
        run.tally.slots.now(Step.FOLLOWING, entry)
        try:
            return await follow(run, entry)
        finally:
            run.pacer.left()
    finally:
        run.tally.in_flight -= 1
        run.hooks.progress(run.tally)
        release()
