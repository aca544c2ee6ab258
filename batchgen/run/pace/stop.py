"""When a run ends before its work does, and why.

Two steps: *no more submits* lets paid work be followed and collected; *leave* also stops following,
so that what is in flight stays for the next run. Neither cancels anything.
"""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from batchgen.errors import ExitCode

T = TypeVar("T")

log = logging.getLogger(__name__)

# The first that holds names the exit, as the contract orders them; a bug comes before all.
PRECEDENCE = (
    ExitCode.BUG,
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.STORAGE,
    ExitCode.ACCOUNT,
    ExitCode.UNCERTAIN,
    ExitCode.INCOMPLETE,
    ExitCode.PARTIAL,
    ExitCode.OK,
)


class Stop:
    """Tells a run to end; remembers the weightiest reason."""

    def __init__(self) -> None:
        """Nothing has been said yet."""
        self.code = ExitCode.OK
        self.why = ""
        self.limited = False
        """Whether that reason only ended the submits: it is none when nothing was left to do."""
        self.last_words: list[str] = []
        """What has to be said at the end, too: ids that could not be recorded, and bugs."""
        self.hurry = asyncio.Event()
        """Set by a second signal: leave without waiting for anything."""
        self._closed = _Ending()
        self._woken: set[asyncio.Event] = set()
        self._leave = _Ending()

    @property
    def submitting(self) -> bool:
        """Whether new submits may be sent."""
        return not self._closed.is_set()

    @property
    def leaving(self) -> bool:
        """Whether predictions in flight are left for the next run."""
        return self._leave.is_set()

    @property
    def signalled(self) -> bool:
        """Whether a signal ended the run: a scheduler kills what does not leave soon."""
        return self.code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}

    def note(self, code: ExitCode, why: str) -> None:
        """Remember a reason why the work will not be finished, without ending anything."""
        self._note(code, why, limited=False)

    def _note(self, code: ExitCode, why: str, *, limited: bool) -> None:
        weightier = PRECEDENCE.index(code) < PRECEDENCE.index(self.code)
        if weightier or (code is self.code and self.limited and not limited):
            self.code, self.why, self.limited = code, why, limited

    def no_more_submits(self, code: ExitCode, why: str) -> None:
        """End the submits, go on collecting what is paid."""
        self._close()
        self._note(code, why, limited=True)

    def _close(self) -> None:
        self._closed.set()
        for event in self._woken:
            event.set()

    def leave(self, code: ExitCode, why: str) -> None:
        """End the submits and the following; downloads that are running may finish."""
        self._close()
        self.note(code, why)
        self._leave.set()

    async def pause(self, seconds: float) -> bool:
        """Sleep; False, and at once, when it is time to leave."""
        return await self._leave.pause(seconds)

    async def pause_submit(self, seconds: float) -> bool:
        """Sleep before a submit; False, and at once, when no more of them may be sent."""
        return await self._closed.pause(seconds)

    async def unless_left(self, work: Coroutine[None, None, T]) -> T | None:
        """What *work* returns; None, and it is dropped, when it is time to leave."""
        task = asyncio.ensure_future(work)
        left = asyncio.ensure_future(self.until_left())
        try:
            await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            left.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    async def submits_end_or(self, event: asyncio.Event) -> None:
        """Return when *event* is set, which happens too when no more submits may be sent."""
        self._woken.add(event)
        if self.submitting:
            await event.wait()

    async def until_left(self) -> None:
        """Return when it is time to leave."""
        await self._leave.wait()


class _Ending(asyncio.Event):
    """An event that also cuts sleeps short: each costs one timer, and no exception at its end."""

    def __init__(self) -> None:
        """Nothing has ended, and nobody sleeps."""
        super().__init__()
        self._sleepers: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        """It has ended, for sleepers too."""
        super().set()
        for sleeper in self._sleepers:
            _wake(sleeper)

    async def pause(self, seconds: float) -> bool:
        """Sleep; False, and at once, when it has ended."""
        if self.is_set():
            return False
        loop = asyncio.get_running_loop()
        sleeper = loop.create_future()
        self._sleepers.add(sleeper)
        timer = loop.call_later(seconds, _wake, sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            self._sleepers.discard(sleeper)
        return not self.is_set()


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """Let INT, TERM and HUP drain the run while the block lasts; a second one hurries it.

    A HUP that is ignored stays so: that is what ``nohup`` promises.
    """
    loop = asyncio.get_running_loop()

    def receive(number: signal.Signals) -> None:
        if stop.leaving:
            stop.hurry.set()
        else:
            log.warning(
                "%s: no more submits; downloads end, predictions in flight are left for the next "
                "run; a second one leaves at once",
                number.name,
            )
        code = ExitCode.INTERRUPTED if number is signal.SIGINT else ExitCode.TERMINATED
        stop.leave(code, f"stopped by {number.name}")

    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    for number in before:
        loop.add_signal_handler(number, receive, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # a library in C has set it, and Python cannot set it again
                signal.signal(number, handler)
