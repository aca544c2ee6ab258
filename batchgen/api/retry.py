"""When a request may be sent again, and after how long: pure functions of what happened so far.

Different errors have different budgets. A submit is repeated only when nothing can have been
created; polls and downloads create nothing.
"""

import random
from enum import Enum

from batchgen.api.outcome import Fate, Poll, PollProblem, Refusal

BACKOFF_BASE = 0.5
BACKOFF_CAP = 30.0
SUBMIT_RETRIES = 7
DOWNLOAD_RETRIES = 2


class Kind(Enum):
    """What was asked for."""

    SUBMIT = "submit"
    POLL = "poll"
    DOWNLOAD = "download"


def may_repeat(
    kind: Kind, outcome: Refusal | PollProblem | None, failures: int, allowed: int | None = None
) -> bool:
    """Whether this run may send a request again that has failed *failures* times.

    *outcome* is the latest answer, None for a download. *allowed* is the user's own number of
    repetitions, None for ours. Polls have no number: the time for the prediction bounds them.
    """
    match kind, outcome:
        case Kind.SUBMIT, Refusal(fate=Fate.NOT_SENT | Fate.THROTTLED):
            return failures <= (SUBMIT_RETRIES if allowed is None else allowed)
        case Kind.POLL, PollProblem(kind=Poll.TRANSIENT | Poll.MISSING):
            return True
        case Kind.DOWNLOAD, None:
            return failures <= (DOWNLOAD_RETRIES if allowed is None else allowed)
    return False


def backoff(tries: int, asked: float | None = None, *, chance: float | None = None) -> float:
    """Seconds to wait after *tries* failures: exponential with full jitter, at most 30.

    What the service *asked* for comes on top, so that a crowd does not return at one moment.
    """
    chance = random.random() if chance is None else chance  # noqa: S311  # no secret
    ceiling = min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(tries, 10))
    return (asked or 0.0) + chance * ceiling


def next_poll(waited: float, *, at_least: float, chance: float | None = None) -> float:
    """Seconds until a prediction is asked for again, *waited* seconds after its submit.

    Starts at the documented 2 s for images and grows with the time waited up to 5 s; never less
    than *at_least*. A tenth of jitter keeps predictions that started together apart.
    """
    chance = random.random() if chance is None else chance  # noqa: S311  # no secret
    growing = min(max(at_least, 5.0), at_least + waited / 8)
    return growing * (1 + chance / 10)


class RetryBudget:
    """Repetitions that a run may still afford, so that retries never become most of its traffic.

    Starts with *tokens*; a retry costs two, a success earns one. A service that fails a third of
    everything can be worked with for ever; one that fails more is asked less and less.
    """

    def __init__(self, tokens: int = 500) -> None:
        """Begin with a full budget."""
        self._most = self._left = tokens

    def earn(self) -> None:
        """A request succeeded."""
        self._left = min(self._most, self._left + 1)

    def take(self) -> bool:
        """Pay for a retry; False, and nothing taken, when the budget is used up."""
        if self._left < 2:
            return False
        self._left -= 2
        return True
