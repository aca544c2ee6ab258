"""How many variants are on their way at once, and what becomes of those that break."""

import asyncio
from functools import partial

import pytest

from batchgen.run.pace import pool as module
from batchgen.run.pace.pool import Pool, Release


def never(error: BaseException) -> None:
    raise AssertionError(error)


@pytest.mark.parametrize("slots", [1, 3, 10])
async def test_no_more_run_at_once_than_there_are_slots(slots):
    pool = Pool(slots, on_bug=never)
    running, most, done = 0, 0, 0

    async def work(release: Release) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1
        done += 1

    for _ in range(40):
        await pool.spawn(work)
    await pool.join()
    assert (running, most, done) == (0, slots, 40)


async def test_a_slot_given_back_early_lets_the_next_one_start_and_is_given_once(monkeypatch):
    monkeypatch.setattr(module, "BACKLOG", 2)
    pool = Pool(1, on_bug=never)
    end = asyncio.Event()
    started = 0

    async def work(release: Release) -> None:
        nonlocal started
        started += 1
        release()
        release()
        await end.wait()

    for _ in range(3):  # one slot, and a backlog of two
        await asyncio.wait_for(pool.spawn(work), 5)
    fourth = asyncio.create_task(pool.spawn(work))
    for _ in range(5):
        await asyncio.sleep(0)
    assert (started, fourth.done()) == (3, False)
    end.set()
    await asyncio.wait_for(fourth, 5)
    await pool.join()
    assert started == 4


async def test_the_first_bug_surfaces_and_the_others_go_on():
    heard: list[BaseException] = []
    pool = Pool(2, on_bug=heard.append)
    done = []

    async def work(number: int, release: Release) -> None:
        await asyncio.sleep(0)
        if number in (1, 2):
            raise ValueError(number)
        done.append(number)

    for number in range(5):
        await pool.spawn(partial(work, number))
    await pool.join()
    assert done == [0, 3, 4]
    assert [str(error) for error in heard] == ["1"]
    assert pool.bug is heard[0]


async def test_dropping_cancels_what_runs_and_that_is_no_bug():
    pool = Pool(3, on_bug=never)
    ended = []

    async def work(release: Release) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    for _ in range(3):
        await pool.spawn(work)
    await asyncio.sleep(0)
    await asyncio.wait_for(pool.drop(), 5)
    assert (len(ended), pool.bug) == (3, None)
    await asyncio.wait_for(pool.join(), 5)
