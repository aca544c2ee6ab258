"""Workers in this process, in the place of a cluster: what is lost with them, is lost here too."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from batchgen.cluster.engine import LostError
from batchgen.cluster.work import Made, Work
from batchgen.cluster.worker import Worker
from batchgen.errors import ExitCode
from batchgen.run.sharing.granting import Limited, LocalLeases
from batchgen.run.sharing.leases import Leases

T = TypeVar("T")


class WorkerHere:
    """A worker that can be killed, as one in another process."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.made: list[tuple[str, bool]] = []
        self.killed = False
        self._calls: set[asyncio.Task[Any]] = set()

    async def trouble(self) -> str:
        return await self._call(self.worker.trouble())

    async def answer(self) -> None:
        await self._call(self.worker.answer())

    async def make(self, shard: str, *, again: bool) -> Made:
        self.made.append((shard, again))
        return await self._call(self.worker.make(shard, again=again))

    async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
        await self._call(self.worker.stop(code, why, leave=leave))

    def kill(self) -> None:
        self.killed = True
        for call in self._calls:
            call.cancel()

    async def _call(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._calls.add(task)
        try:
            await asyncio.wait({task})
        finally:
            self._calls.discard(task)
        if task.cancelled():
            raise LostError("it was killed")
        return task.result()


class ClusterHere:
    """Starts such workers."""

    def __init__(self, workers: int = 2) -> None:
        self.workers = workers
        self.all: list[WorkerHere] = []
        self.leases: LocalLeases | None = None
        self.wrong: dict[str, object] = {}
        """What the workers are told that is not so."""

    @asynccontextmanager
    async def joined(self, address: str):
        yield self

    def start_leases(self, limited: Limited) -> LocalLeases:
        self.leases = LocalLeases(limited)
        return self.leases

    def worker_maker(self, work: Work, leases: Leases) -> Callable[[], WorkerHere]:
        from dataclasses import replace

        told = replace(work, **self.wrong)  # type: ignore[arg-type]

        def start() -> WorkerHere:
            self.all.append(WorkerHere(Worker(told, leases)))
            return self.all[-1]

        return start
