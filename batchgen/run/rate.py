"""Pace: images per minute, started evenly rather than in bursts."""

import time
from collections.abc import Callable


class Rate:
    """Gives out the moments at which submits may start."""

    def __init__(
        self, images_per_minute: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Allow *images_per_minute*; None allows everything at once."""
        self._seconds_per_image = 60 / images_per_minute if images_per_minute else 0.0
        self._clock = clock
        self._next = clock()

    def wait_for(self, images: int) -> float:
        """Book a submit of *images* and return the seconds until it may start.

        Time that nobody used is not saved up: a limit per minute counts every minute.
        """
        now = self._clock()
        start = max(self._next, now)
        self._next = start + images * self._seconds_per_image
        return start - now
