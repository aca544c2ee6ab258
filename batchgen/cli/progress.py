"""What a run shows while it goes on: a bar on a terminal, a line every 30 s without one."""

import asyncio
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Never, Protocol, Self

from batchgen.cli.logs import ASKED
from batchgen.cli.screen import fitted, tell, tell_above
from batchgen.run.telling.tally import Tally
from batchgen.text import duration, money

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY = 30.0
DRAW_EVERY = 0.1
# Seconds over which images per minute are counted: a tier's limit is one of a minute.
RATE_OVER = 60.0
# More would fill a screen; the slowest come first.
MOST_SLOTS = 20

log = logging.getLogger(__name__)


class Progress(Protocol):
    """Shows a tally; a context manager around the run."""

    def __call__(self, tally: Tally) -> None:
        """Take the latest counts."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal tidy."""

    async def tick(self) -> None:
        """Show what is due by time alone, until cancelled."""

    def write(self, line: str, level: str, /) -> None:
        """Show a line without tearing what is there; *level* says how grave it is."""

    def explain(self) -> None:
        """Show what is in flight now, asked for by whoever wonders."""


class Silence:
    """Shows nothing that was not asked for."""

    def __init__(self) -> None:
        """Begin without a tally: the totals come with the first one."""
        self._tally: Tally | None = None

    def __call__(self, tally: Tally) -> None:
        """Keep the latest counts."""
        self._tally = tally

    def __enter__(self) -> Self:
        """Nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""

    async def tick(self) -> None:
        """Nothing, for ever."""

    def write(self, line: str, level: str, /) -> None:
        """Nothing."""

    def explain(self) -> None:
        """A line for each of the slowest, in run.log and on a screen that shows anything."""
        lines = ["nothing is on its way yet"]
        if self._tally and len(self._tally.slots):
            lines = [f"{len(self._tally.slots):,} on their way, the slowest first:"]
            lines += self._tally.slots.slowest(MOST_SLOTS)
        for line in lines:
            log.info("%s", line, extra={ASKED: True})


class Lines(Silence):
    """One line every 30 seconds, for logs."""

    def __init__(self) -> None:
        """Begin to count."""
        super().__init__()
        self._rate = Rate()

    async def tick(self) -> None:
        """Print the lines."""
        while True:
            await asyncio.sleep(LINE_EVERY)
            if self._tally:
                self._line(self._tally)

    def write(self, line: str, level: str, /) -> None:
        """Print *line* on stderr."""
        tell(line, level)

    def _line(self, tally: Tally) -> None:
        rate = self._rate.per_minute(tally.images_made)
        done = f"{tally.images_done:,} of {tally.images_planned:,} images"
        tell(
            f"batchgen: {', '.join([done, *details(tally, rate)])}",
            images=tally.images_done,
            images_planned=tally.images_planned,
            images_per_minute=None if rate is None else round(rate, 1),
            in_flight=tally.in_flight,
            failed=tally.failed,
            nsfw=tally.nsfw,
            spent_usd=tally.spent_micros / 1e6,
        )


class Bar(Silence):
    """A tqdm bar on a terminal."""

    def __init__(self) -> None:
        """Begin without a bar."""
        super().__init__()
        self._bar: tqdm[Never] | None = None
        self._rate = Rate()
        self._due = 0.0

    def __call__(self, tally: Tally) -> None:
        """Show the latest counts, ten times a second at most."""
        self._tally = tally
        if time.monotonic() >= self._due:
            self._show(tally)
            self._due = time.monotonic() + DRAW_EVERY

    async def tick(self) -> None:
        """Let the time that is left go on where nothing else does."""
        while True:
            await asyncio.sleep(1)
            if self._tally:
                self(self._tally)

    def _show(self, tally: Tally) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=tally.images_planned,
                initial=tally.images_done,
                bar_format="{percentage:3.0f}%|{bar}| {n:,}/{total:,}{postfix}",
                file=sys.stderr,
                dynamic_ncols=True,
                mininterval=0,
            )
        rate = self._rate.per_minute(tally.images_made)
        self._bar.set_postfix_str(fitted(", ".join(details(tally, rate))), refresh=False)
        self._bar.n = tally.images_done
        self._bar.refresh()

    def __exit__(self, *_: object) -> None:
        """Leave the finished bar on the screen, with the last counts."""
        if self._bar is not None:
            assert self._tally
            self._show(self._tally)
            self._bar.close()

    def write(self, line: str, _level: str, /) -> None:
        """Print *line* above the bar."""
        tell_above(line)


class Rate:
    """Images per minute over the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count."""
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def per_minute(self, made: int) -> float | None:
        """With so many *made* by now; None before anything can be said."""
        now = self._clock()
        # A look each second is enough, and bounds what is kept.
        if not self._seen or now >= self._seen[-1][0] + 1:
            self._seen.append((now, made))
        while len(self._seen) > 1 and self._seen[1][0] <= now - RATE_OVER:
            self._seen.popleft()
        then, before = self._seen[0]
        return (made - before) / (now - then) * 60 if now > then else None


def choose(*, quiet: bool, lines: bool = False) -> Progress:
    """The progress for the stream that stderr is; *lines* for lines in any case."""
    if quiet:
        return Silence()
    # A dumb terminal cannot go back to the beginning of a line.
    clever = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Bar() if clever and not lines else Lines()


def details(tally: Tally, rate: float | None) -> list[str]:
    """What matters of a run that goes on, weightiest first; what there is none of is left out."""
    parts = []
    if rate is not None:
        limit = f" of {tally.rate_limit:g}" if tally.rate_limit else ""
        parts.append(f"{rate:.0f}{limit}/min")
    left = tally.images_planned - tally.images_done
    if rate and left:
        parts.append(f"{duration(left / rate * 60)} left")
    if tally.spent_micros:
        projected = tally.projected_micros or 0
        of = f" of {money(projected / 1e6)}" if projected > tally.spent_micros else ""
        parts.append(money(tally.spent_micros / 1e6) + of)
    counts = {"failed": tally.failed, "in flight": tally.in_flight, "NSFW": tally.nsfw}
    return parts + [f"{number:,} {name}" for name, number in counts.items() if number]
