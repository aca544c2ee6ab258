"""Handing out shards to workers, and to others when a worker is lost."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from batchgen.cluster.engine import Employed, LostError
from batchgen.cluster.work import Made
from batchgen.errors import ExitCode, UsageError
from batchgen.run.pace.stop import Stop

log = logging.getLogger(__name__)

# The last variants of a shard fill no worker, so the next ones begin meanwhile.
AT_ONCE = 3
# Times that a shard, or a place for a worker, is tried when workers are lost.
ATTEMPTS = 5
# Seconds that the locks of a worker that cannot be reached are waited for.
LOCKED = 60.0
LOCKED_AGAIN = 1.0
# Seconds that runs are given to end after they were told to leave; they take up to 15.
GRACE = 25.0
# Seconds for a worker to hear that it is to stop: one that hangs keeps nothing from the others.
HEARD = 3.0
# Seconds without a worker after which somebody should know, and after which none is hoped for any
# more: a cluster that starts machines when they are asked for takes minutes.
NO_ROOM = 30.0
DESERTED = 1_800.0
# Seconds without an answer after which a worker is taken to hang, or to be out of reach, and how
# often it is asked.
SILENT = 120.0
LISTEN = 10.0


@dataclass(kw_only=True)
class Hands:
    """The workers, and the shards that are left for them."""

    start: Callable[[], Employed]
    stop: Stop
    left: deque[str]
    patience: float = SILENT
    """Seconds that a worker may be silent."""
    _running: set[str] = field(default_factory=set)
    _lost: Counter[str] = field(default_factory=Counter)
    """How often each shard was lost with its worker."""
    _locked: dict[str, float] = field(default_factory=dict)
    """Since when each shard is somebody else's, on the monotonic clock."""
    _ready: set[Employed] = field(default_factory=set)
    _began: bool = False
    """Whether any shard has."""
    _trouble: str = ""
    _seats: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, number: int) -> None:
        """See all shards through with so many workers.

        Raises UsageError when none of them can work, and what is a bug in one of them.
        """
        self._seats = number
        waits = (self._until_over(), self._until_left(), self._until_deserted())
        ends = [self._task(wait) for wait in waits]
        others = [self._task(self._seat()) for _ in range(number)]
        others.append(self._task(self._pass_on()))
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (tasks := [*ends, *others]):
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
        if self._trouble and self.left and not self.stop.leaving:
            why = f"no worker can work: {self._trouble}"
            if not self._began:
                raise UsageError(why)
            self.stop.no_more_submits(ExitCode.INCOMPLETE, why)

    def _task(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()):
                self.stop.leave(ExitCode.BUG, f"an internal error: {type(error).__name__}")

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task

    # The end -------------------------------------------------------------------------------------

    @property
    def _over(self) -> bool:
        return not self._running and (self.stop.leaving or not self.left)

    async def _until_over(self) -> None:
        while self._seats and not self._over:
            await self._something_new()

    async def _something_new(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _until_left(self) -> None:
        """Return when those who were told to leave have had their time."""
        await self.stop.until_left()
        hurried = asyncio.ensure_future(self.stop.hurry.wait())
        await asyncio.wait({hurried}, timeout=GRACE)
        hurried.cancel()

    async def _pass_on(self) -> None:
        """Tell the workers when it is time to stop."""
        await self.stop.submits_end_or(asyncio.Event())
        await self._tell_all()
        await self.stop.until_left()
        self._news.set()
        await self._tell_all()

    async def _until_deserted(self) -> None:
        """Return when no worker has been there for so long that none is to be hoped for."""
        waited = 0.0
        while waited < DESERTED:
            await asyncio.sleep(NO_ROOM)
            waited = 0.0 if self._ready else waited + NO_ROOM
            if waited == NO_ROOM:
                log.warning("no worker is there: waiting for a free processor in the Ray cluster")
        self._trouble = (
            f"none was there for {waited / 60:.0f} minutes; no processor of the cluster is free, "
            "or what should begin there hangs"
        )

    async def _tell_all(self) -> None:
        await asyncio.gather(*map(self._tell, self._ready))

    async def _tell(self, worker: Employed) -> None:
        """Let it know how things are, or have it know when it listens again."""
        stop = self.stop
        with suppress(LostError, TimeoutError):  # one that is lost is told by nobody
            async with asyncio.timeout(HEARD):
                await worker.stop(stop.code, stop.why, leave=stop.leaving)

    # The workers ---------------------------------------------------------------------------------

    async def _seat(self) -> None:
        """Keep a place filled with a worker until no shard is left."""
        try:
            lost = 0
            while not self._over and lost < ATTEMPTS:
                began = time.monotonic()
                try:
                    if await self._employ():
                        return
                except LostError as error:
                    log.warning("a worker was lost; its shards are taken up again: %s", error)
                    self._trouble = str(error)
                    # One that worked for a while is no sign that the next one cannot.
                    lost = lost + 1 if time.monotonic() - began < NO_ROOM else 0
        finally:
            self._seats -= 1
            self._news.set()

    async def _employ(self) -> bool:
        """Feed one worker to its end; whether there will be nothing more to do here."""
        worker = self.start()
        try:
            if trouble := await worker.trouble():
                self._trouble = trouble
                log.warning("a worker cannot work: %s", trouble)
                return True
            self._ready.add(worker)
            if not self.stop.submitting:
                await self._tell(worker)
            await self._feed(worker)
        finally:
            self._ready.discard(worker)
            worker.kill()
        return self._over

    async def _feed(self, worker: Employed) -> None:
        """Give it shards to the end; raises the first that its calls raise."""
        calls = [asyncio.create_task(self._shards(worker)) for _ in range(AT_ONCE)]
        calls.append(asyncio.create_task(self._listen(worker)))
        try:
            done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
        for call in done:
            call.result()

    async def _listen(self, worker: Employed) -> None:
        """Raise LostError when it has not answered for so long that it hangs."""
        while True:
            answer, waited = asyncio.ensure_future(worker.answer()), 0.0
            try:
                # Counted, and not by the clock: the one that leads may have been stopped meanwhile.
                while not answer.done() and waited < self.patience:
                    await asyncio.wait({answer}, timeout=LISTEN)
                    waited += LISTEN
                if not answer.done():
                    raise LostError(f"it has not answered for {waited:.0f} s")
                answer.result()
            finally:
                answer.cancel()
            await asyncio.sleep(LISTEN)

    async def _shards(self, worker: Employed) -> None:
        while (shard := await self._next()) is not None:
            made: Made | None = None
            try:
                made = await worker.make(shard, again=self._lost[shard] > 0)
            finally:
                if made is None:  # a call that is cancelled is one to a worker that was lost, too
                    self._again(shard)
                self._running.discard(shard)
                self._news.set()
            if made.code is ExitCode.LOCKED and self._may_wait(shard):
                await asyncio.sleep(LOCKED_AGAIN)
                self.left.append(shard)
                self._news.set()
            else:
                self._heed(made)

    async def _next(self) -> str | None:
        """A shard that is to be made; None when there will be none."""
        while not self._over:
            if self.left and not self.stop.leaving:
                shard = self.left.popleft()
                self._running.add(shard)
                self._began = True
                return shard
            await self._something_new()
        return None

    def _again(self, shard: str) -> None:
        """Let others take up a shard, and soon: it holds a part of the limits."""
        self._lost[shard] += 1
        self._locked.pop(shard, None)
        if self._lost[shard] < ATTEMPTS:
            self.left.appendleft(shard)
        else:
            why = f"shard {shard} was lost {ATTEMPTS} times with its workers"
            self.stop.note(ExitCode.INCOMPLETE, why)

    def _may_wait(self, shard: str) -> bool:
        now = time.monotonic()
        return now - self._locked.setdefault(shard, now) < LOCKED

    def _heed(self, made: Made) -> None:
        """What ended one run ends them all."""
        if made.code in {ExitCode.STORAGE, ExitCode.BUG}:
            self.stop.leave(made.code, made.why)
        elif made.limited:
            self.stop.no_more_submits(made.code, made.why)
        elif made.code:
            self.stop.note(ExitCode.INCOMPLETE, made.why)
