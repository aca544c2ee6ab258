"""What a run shows while it goes on: a bar on a terminal, a line every 30 s without one."""

import asyncio
import sys
import time
from types import TracebackType
from typing import Never, Protocol, Self

from tqdm import tqdm

from batchgen.cli.screen import fitted, tell, tell_above
from batchgen.run.tally import Tally
from batchgen.text import duration

LINE_EVERY = 30.0
DRAW_EVERY = 0.1


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

    def write(self, line: str) -> None:
        """Show a line without tearing what is there."""


class Silence:
    """Shows nothing."""

    def __call__(self, tally: Tally) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        """Nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""

    async def tick(self) -> None:
        """Nothing, for ever."""

    def write(self, line: str) -> None:
        """Nothing."""


class Lines(Silence):
    """One line every 30 seconds, for logs."""

    def __init__(self) -> None:
        """Begin without a tally."""
        self._tally: Tally | None = None
        self._made = 0

    def __call__(self, tally: Tally) -> None:
        """Keep the latest counts for the next line."""
        self._tally = tally

    async def tick(self) -> None:
        """Print the lines."""
        while True:
            await asyncio.sleep(LINE_EVERY)
            if self._tally:
                self.write(self._line(self._tally))

    def write(self, line: str) -> None:
        """Print *line* on stderr."""
        tell(line)

    def _line(self, tally: Tally) -> str:
        rate = (tally.images_made - self._made) / LINE_EVERY
        self._made = tally.images_made
        left = tally.images_planned - tally.images
        eta = f", about {duration(left / rate)} left" if rate > 0 else ""
        return (
            f"batchgen: {tally.images:,} of {tally.images_planned:,} images, "
            f"{rate * 60:.0f}/min{eta}; {_details(tally)}"
        )


class Bar(Silence):
    """A tqdm bar on a terminal."""

    def __init__(self) -> None:
        """Begin without a bar: the totals come with the first tally."""
        self._bar: tqdm[Never] | None = None
        self._tally: Tally | None = None
        self._due = 0.0

    def __call__(self, tally: Tally) -> None:
        """Show the latest counts, ten times a second at most."""
        self._tally = tally
        if time.monotonic() >= self._due:
            self._show(tally)
            self._due = time.monotonic() + DRAW_EVERY

    def _show(self, tally: Tally) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=tally.images_planned,
                initial=tally.images - tally.images_made,
                unit="img",
                file=sys.stderr,
                dynamic_ncols=True,
            )
        self._bar.set_postfix_str(fitted(_details(tally)), refresh=False)
        self._bar.update(tally.images - self._bar.n)

    def __exit__(self, *_: object) -> None:
        """Leave the finished bar on the screen, with the last counts."""
        if self._bar is not None:
            assert self._tally
            self._show(self._tally)
            self._bar.close()

    def write(self, line: str) -> None:
        """Print *line* above the bar."""
        tell_above(line)


def choose(*, quiet: bool) -> Progress:
    """The progress for the stream that stderr is."""
    if quiet:
        return Silence()
    return Bar() if sys.stderr.isatty() else Lines()


def _details(tally: Tally) -> str:
    spend = f", ${tally.spent_micros / 1e6:.2f}" if tally.spent_micros else ""
    return f"{tally.in_flight} in flight, {tally.failed} failed, {tally.nsfw} nsfw{spend}"
