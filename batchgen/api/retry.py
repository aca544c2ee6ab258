"""When a request may be sent again, and after how long: pure functions of what happened so far.

Different errors have different budgets. A submit is repeated only when nothing can have been
created; polls and downloads create nothing.
"""

import random

from batchgen.api.outcome import Fate, Refusal

BACKOFF_BASE = 0.5
BACKOFF_CAP = 30.0
SUBMIT_RETRIES = 7
DOWNLOAD_RETRIES = 2


def may_submit_again(refusal: Refusal, failures: int, allowed: int | None = None) -> bool:
    """Whether a submit may be sent again that was refused *failures* times, the last as told.

    *allowed* is the user's own number of repetitions, None for ours.
    """
    safe = refusal.fate in {Fate.NOT_SENT, Fate.THROTTLED}
    return safe and failures <= (SUBMIT_RETRIES if allowed is None else allowed)


def may_download_again(failures: int, allowed: int | None = None) -> bool:
    """Whether an image may be asked for again that could not be had *failures* times."""
    return failures <= (DOWNLOAD_RETRIES if allowed is None else allowed)


def backoff(tries: int, asked: float | None = None, *, chance: float | None = None) -> float:
    """Seconds to wait after *tries* failures: exponential with full jitter, at most 30.

    What the service *asked* for comes on top, so that a crowd does not return at one moment.
    """
    chance = random.random() if chance is None else chance  # noqa: S311  # no secret
    ceiling = min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(tries, 10))
    return (asked or 0.0) + chance * ceiling


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
