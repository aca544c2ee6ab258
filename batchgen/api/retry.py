"""How long to wait before asking again: pure functions of what happened so far."""

import random

BACKOFF_BASE = 0.5
BACKOFF_CAP = 30.0
DOWNLOAD_TRIES = 3
SUBMIT_TRIES = 8  # turned away or not sent; about two minutes of backoff in all


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
