"""Handing out shards to workers that die, are slow, or find a shard in use."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable

import pytest

from batchgen.cluster.engine import LostError
from batchgen.cluster.hands import ATTEMPTS, Hands
from batchgen.cluster.work import Made
from batchgen.errors import ExitCode, UsageError
from batchgen.run.pace.stop import Stop

DONE = Made(code=ExitCode.OK, why="", limited=False)
IN_USE = Made(code=ExitCode.LOCKED, why="in use", limited=False)
Make = Callable[[str, bool], Awaitable[Made]]


class Worker:
    """A worker that does what the test says."""

    def __init__(self, make: Make, *, born: bool = True) -> None:
        self._make, self._born = make, born
        self.told: list[tuple[ExitCode, bool]] = []

    async def trouble(self) -> str:
        if not self._born:
            raise LostError("no batchgen there")
        return ""

    async def answer(self) -> None:
        """Nothing is in its way."""

    async def make(self, shard: str, *, again: bool) -> Made:
        return await self._make(shard, again)

    async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
        self.told.append((code, leave))

    def kill(self) -> None:
        """Nothing is left of it."""


def hands(make: Make, shards: int, stop: Stop | None = None, *, born: bool = True) -> Hands:
    names = deque(str(number) for number in range(shards))
    return Hands(start=lambda: Worker(make, born=born), stop=stop or Stop(), left=names)


async def test_every_shard_is_made_once_when_nothing_is_lost():
    made: Counter[str] = Counter()

    async def make(shard: str, again: bool) -> Made:
        await asyncio.sleep(0)
        made[shard] += 1
        return DONE

    await hands(make, 9).work(2)
    assert made == Counter(map(str, range(9)))


async def test_workers_that_die_at_their_birth_are_not_tried_for_ever():
    with pytest.raises(UsageError, match="no worker can work: no batchgen there"):
        await hands(_done, 3, born=False).work(2)


async def _done(shard: str, again: bool) -> Made:
    return DONE


async def test_a_shard_that_is_lost_with_every_worker_is_left_for_the_next_run():
    tries: list[bool] = []

    async def make(shard: str, again: bool) -> Made:
        if shard == "1":
            tries.append(again)
            raise LostError("gone")
        return DONE

    stop = Stop()
    await hands(make, 4, stop).work(2)
    assert tries == [False, *[True] * (ATTEMPTS - 1)]
    assert (stop.code, stop.why) == (
        ExitCode.INCOMPLETE,
        f"shard 1 was lost {ATTEMPTS} times with its workers",
    )


class Hanging(Worker):
    """A worker that stops answering, as one whose process was stopped; *asked* says how often."""

    asked = 0
    killed = False

    async def answer(self) -> None:
        self.asked += 1
        if self.asked > 1:
            await asyncio.Event().wait()

    async def make(self, shard: str, *, again: bool) -> Made:
        await asyncio.Event().wait()
        return DONE

    def kill(self) -> None:
        self.killed = True


async def test_a_worker_that_hangs_is_given_up_and_another_one_makes_its_shards(
    monkeypatch, caplog
):
    monkeypatch.setattr("batchgen.cluster.hands.LISTEN", 0.01)
    made: list[tuple[str, bool]] = []

    async def make(shard: str, again: bool) -> Made:
        made.append((shard, again))
        return DONE

    hanging = Hanging(make)
    workers, stop = [hanging, Worker(make)], Stop()
    work = Hands(start=lambda: workers.pop(0), stop=stop, left=deque("1234"), patience=0.05)
    async with asyncio.timeout(5):
        await work.work(1)
    assert sorted(made) == [("1", True), ("2", True), ("3", True), ("4", False)]
    assert (hanging.killed, hanging.asked, stop.code) == (True, 2, ExitCode.OK)
    assert "it has not answered for" in caplog.text


async def test_a_worker_that_answers_late_is_kept(monkeypatch):
    monkeypatch.setattr("batchgen.cluster.hands.LISTEN", 0.01)
    enough = asyncio.Event()

    class Late(Worker):
        asked = 0

        async def answer(self) -> None:
            self.asked += 1
            await asyncio.sleep(0.05)
            if self.asked == 3:
                enough.set()

    async def make(shard: str, again: bool) -> Made:
        await enough.wait()
        return DONE

    workers = [Late(make)]
    work = Hands(start=lambda: workers.pop(0), stop=Stop(), left=deque("1"), patience=5)
    async with asyncio.timeout(5):
        await work.work(1)


async def test_a_run_without_any_worker_ends(monkeypatch, caplog):
    monkeypatch.setattr("batchgen.cluster.hands.NO_ROOM", 0.01)
    monkeypatch.setattr("batchgen.cluster.hands.DESERTED", 0.03)

    class Unborn(Worker):
        async def trouble(self) -> str:
            await asyncio.Event().wait()
            return ""

    work = Hands(start=lambda: Unborn(_done), stop=Stop(), left=deque("12"))
    async with asyncio.timeout(5):
        with pytest.raises(UsageError, match="no worker can work: none was there for 0 minutes"):
            await work.work(2)
    assert caplog.text.count("waiting for a free processor") == 1


async def test_a_shard_that_is_still_in_use_is_tried_again(monkeypatch):
    monkeypatch.setattr("batchgen.cluster.hands.LOCKED_AGAIN", 0.0)
    answers = deque([IN_USE, IN_USE, DONE])

    async def make(shard: str, again: bool) -> Made:
        return answers.popleft()

    stop = Stop()
    await hands(make, 1, stop).work(1)
    assert (list(answers), stop.code) == ([], ExitCode.OK)
    monkeypatch.setattr("batchgen.cluster.hands.LOCKED", -1.0)
    answers.append(IN_USE)
    await hands(make, 1, stop).work(1)
    assert (stop.code, stop.why) == (ExitCode.INCOMPLETE, "in use")


async def test_a_bug_in_a_worker_comes_through_and_ends_the_others():
    async def make(shard: str, again: bool) -> Made:
        raise ValueError("a bug")

    stop = Stop()
    with pytest.raises(ValueError, match="a bug"):
        await hands(make, 4, stop).work(1)
    assert stop.code is ExitCode.BUG


async def test_a_worker_that_does_not_end_is_left_when_it_is_told_to_hurry():
    began = asyncio.Event()

    async def make(shard: str, again: bool) -> Made:
        began.set()
        await asyncio.Event().wait()
        return DONE

    stop = Stop()
    work = asyncio.create_task(hands(make, 4, stop).work(1))
    await began.wait()
    stop.leave(ExitCode.INTERRUPTED, "stopped")
    stop.hurry.set()
    await asyncio.wait_for(work, 5)
    assert stop.code is ExitCode.INTERRUPTED


async def test_the_disk_of_one_ends_them_all():
    full = Made(code=ExitCode.STORAGE, why="the disk is full", limited=False)
    left = deque([full])

    async def make(shard: str, again: bool) -> Made:
        await asyncio.sleep(0)
        return left.popleft() if left else DONE

    stop = Stop()
    await hands(make, 9, stop).work(1)
    assert (stop.leaving, stop.code, stop.why) == (True, ExitCode.STORAGE, "the disk is full")


async def test_a_worker_that_hears_nothing_keeps_nothing_from_the_others(monkeypatch):
    monkeypatch.setattr("batchgen.cluster.hands.HEARD", 0.01)
    left = asyncio.Event()

    class Deaf(Worker):
        async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
            await asyncio.Event().wait()

    class Hearing(Worker):
        async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
            await super().stop(code, why, leave=leave)
            if leave:
                left.set()
            else:
                end.leave(ExitCode.INCOMPLETE, "time")

    async def make(shard: str, again: bool) -> Made:
        if len(workers) == 0:
            end.no_more_submits(ExitCode.INCOMPLETE, "time")
        await left.wait()
        return DONE

    end = Stop()
    workers = [Deaf(make), Hearing(make)]
    work = Hands(start=lambda: workers.pop(0), stop=end, left=deque("1234"))
    async with asyncio.timeout(5):
        await work.work(2)
    assert left.is_set()
