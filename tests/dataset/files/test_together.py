"""Work that waits together: done in batches, each item with its own end."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence

import pytest

from batchgen.dataset.files.together import Together


class Bench:
    """Work that waits until it is let go, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()

    def work(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append([*items])
        assert self.go_on.wait(10)
        return [ValueError(str(item)) if item < 0 else item * 10 for item in items]


async def _until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_is_done_as_one_and_each_gets_its_own():
    bench = Bench()
    together = Together(bench.work, hands=1)
    tasks = [asyncio.create_task(together.do(1))]
    await _until(lambda: bench.batches)
    tasks += [asyncio.create_task(together.do(item)) for item in (2, -3, 4)]
    await asyncio.sleep(0)
    bench.go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert bench.batches == [[1], [2, -3, 4]]
    assert [found[0], found[1], found[3]] == [10, 20, 40]
    assert isinstance(found[2], ValueError)


async def test_a_second_pair_of_hands_does_not_wait_for_the_first():
    bench = Bench()
    together = Together(bench.work, hands=2)
    tasks: list[asyncio.Task[int]] = []
    for item in (1, 2, 3, 4):
        tasks.append(asyncio.create_task(together.do(item)))
        await _until(lambda: len(bench.batches) == min(len(tasks), 2))
        await asyncio.sleep(0)
    bench.go_on.set()
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40]
    assert bench.batches == [[1], [2], [3, 4]]


async def test_one_that_is_cancelled_keeps_nobody_else_waiting():
    bench = Bench()
    together = Together(bench.work, hands=1)
    tasks = [asyncio.create_task(together.do(item)) for item in (1, 2)]
    await _until(lambda: bench.batches)
    tasks[0].cancel()
    bench.go_on.set()
    assert await tasks[1] == 20
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_a_bug_in_the_work_comes_out_where_it_is_waited_for():
    def broken(items: Sequence[int]) -> list[int | Exception]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Together(broken, hands=1).do(1)


async def test_what_comes_as_a_hand_lets_go_is_not_forgotten():
    together = Together[int, int](lambda items: items, hands=1)

    async def one_after_the_other() -> list[int]:
        return [await together.do(number) for number in range(3)]

    assert await asyncio.wait_for(one_after_the_other(), 10) == [0, 1, 2]


async def test_its_threads_stand_back_for_the_event_loop():
    def work(items: Sequence[int]) -> list[int | Exception]:
        return [os.sched_getscheduler(0) for _ in items]

    assert await Together(work, hands=1).do(1) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
