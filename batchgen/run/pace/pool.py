"""The pool: how many variants are on their way at once.

The launcher waits for a slot before a variant becomes a task, so a million of them hold no more
memory than the pool has slots.
"""

import asyncio
from collections.abc import Callable, Coroutine

# Finished predictions that wait for their download do not hold a slot: it is paid time. They are
# bounded all the same, or a dead image host would fill the memory.
BACKLOG = 2_000

Release = Callable[[], None]


class Pool:
    """Runs at most *slots* variants that hold a slot, and *slots* + 2,000 altogether."""

    def __init__(self, slots: int, *, on_bug: Callable[[BaseException], None]) -> None:
        """Make a pool of *slots* predictions in flight; *on_bug* hears of the first exception."""
        self._on_bug = on_bug
        self._slots = asyncio.Semaphore(slots)
        self._places = asyncio.Semaphore(slots + BACKLOG)
        self._tasks: set[asyncio.Task[None]] = set()
        self.bug: BaseException | None = None
        """The first exception that a variant's task let through."""

    async def spawn(self, work: Callable[[Release], Coroutine[None, None, None]]) -> None:
        """Wait for a slot, then start *work*; it gives the slot back early by what it is handed."""
        await self._places.acquire()
        await self._slots.acquire()
        held = [self._slots]

        def release() -> None:
            if held:
                held.pop().release()

        task = asyncio.create_task(work(release))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            release()
            self._places.release()
            error = None if task.cancelled() else task.exception()
            if error and self.bug is None:
                self.bug = error
                self._on_bug(error)

        task.add_done_callback(ended)

    async def join(self) -> None:
        """Wait until every task has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def drop(self) -> None:
        """Cancel what still runs and wait for it to be gone."""
        for task in self._tasks:
            task.cancel()
        await self.join()
