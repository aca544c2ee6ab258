"""Some work on many things: how many at once, and what an exception does to the others."""

import asyncio

import pytest

from batchgen.run.pace.hands import handled


async def test_all_are_done_and_not_more_at_once_than_there_are_hands():
    done, busy, most = [], 0, 0

    async def work(thing: int) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        done.append(thing)

    await handled(range(20), work, hands=4)
    assert sorted(done) == list(range(20))
    assert most == 4
    await handled([], work, hands=4)


async def test_an_exception_ends_the_others_and_none_is_left_unseen():
    begun: list[int] = []

    async def work(thing: int) -> None:
        begun.append(thing)
        await asyncio.sleep(0)
        if thing in (1, 2):
            raise ValueError(str(thing))
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="1"):
        await handled(range(100), work, hands=3)
    assert begun == [0, 1, 2]


async def test_being_cancelled_ends_all_hands():
    ended = []

    async def work(thing: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(thing)

    task = asyncio.create_task(handled(range(5), work, hands=2))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == [0, 1]
