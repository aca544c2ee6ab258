"""The limits of a run as the job file gives them."""

import math
from collections.abc import Callable, Iterator
from functools import partial

from batchgen.job.grammar.sections import Run
from batchgen.job.grammar.units import (
    read_duration,
    read_engine,
    read_failures,
    read_size,
    read_window,
)
from batchgen.job.job import Pace
from batchgen.job.source.document import Keys


def wrong_limits(run: Run) -> Iterator[tuple[Keys, str]]:
    """The keys of *run* that hold no limit, each with what was expected."""
    readers: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("max_duration", read_duration),
        ("max_failures", partial(read_failures, 0)),
        ("window", read_window),
        ("min_free", read_size),
        ("on", read_engine),
    )
    for name, reader in readers:
        try:
            _ = getattr(run, name) is not None and reader(getattr(run, name))
        except ValueError as error:
            yield ("run", name), str(error)


def read_pace(run: Run) -> Pace:
    """The pace in *run*, whose limits are right."""
    wait = run.timeouts
    return Pace(
        tier=run.tier,
        concurrency=run.concurrency,
        rate=run.rate,
        retries=run.retries,
        # Rounded down: a budget is never exceeded by a fraction of its last cent.
        budget_micros=None if run.budget is None else math.floor(round(run.budget * 1e6, 3)),
        max_duration=None if run.max_duration is None else read_duration(run.max_duration),
        max_failures=run.max_failures,
        limit=run.limit,
        window=run.window,
        on=run.on,
        min_free=None if run.min_free is None else read_size(run.min_free),
        resubmit_uncertain=run.on_uncertain == "resubmit",
        poll_min_interval=run.poll.min_interval,
        submit_timeout=wait.submit,
        poll_timeout=wait.poll,
        download_timeout=wait.download,
        prediction_timeout=wait.prediction,
    )
