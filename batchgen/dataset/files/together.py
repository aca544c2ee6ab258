"""Work that waits at the same time is done together, by one hop to another thread."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from batchgen.threads import stand_back

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Hands what waits to one function, in few other threads; each takes all that has come."""

    def __init__(
        self, work: Callable[[Sequence[T]], Sequence[R | Exception]], *, hands: int
    ) -> None:
        """Let *work* do the items of a batch; it returns what came of each, in their order.

        Up to *hands* batches are worked on at once.
        """
        self._work = work
        self._free = hands
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._at_work: set[asyncio.Task[None]] = set()

    async def do(self, item: T) -> R:
        """What came of *item*: its result, or the exception of it, raised.

        A caller that is cancelled meanwhile does not take the item back.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._go_on())
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        return await future

    async def _go_on(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._do_all(batch)
        # Before the task ends: whoever was waiting is called before what watches the end of it, and
        # would find no free hand for the next item.
        self._free += 1

    def _work_aside(self, items: Sequence[T]) -> Sequence[R | Exception]:
        stand_back()
        return self._work(items)

    async def _do_all(self, batch: list[tuple[T, "asyncio.Future[R]"]]) -> None:
        found: Sequence[R | Exception]
        try:
            found = await asyncio.to_thread(self._work_aside, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  # a bug of the work comes out where it is waited for
            found = [error] * len(batch)
        for (_, future), came in zip(batch, found, strict=True):
            if future.done():
                continue  # cancelled
            if isinstance(came, Exception):
                future.set_exception(came)
            else:
                future.set_result(came)
