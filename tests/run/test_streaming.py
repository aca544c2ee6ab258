"""A run from Python: its images as they land, stopping it, and the twin without asyncio."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from batchgen import Hooks, Job, RunOptions, load_job, run_job_sync, start_job
from batchgen.errors import ExitCode, LockedError, UsageError
from batchgen.ledger.lock import locked
from batchgen.run.streaming import Running
from batchgen.run.telling.accounts import Outcome
from tests.support.bench import Bench


@pytest.fixture(autouse=True)
def account(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(bench.folder))


async def test_images_come_as_they_land_and_only_those_of_this_run(bench: Bench):
    first = load_job(bench.job(2))
    async with start_job(first) as run:
        before = [row async for row in run]
    assert before == bench.rows()
    called: list[object] = []
    seen = []
    hooks = Hooks(begun=called.append, image=called.append)
    bench.service.hold(completion=1)
    async with start_job(load_job(bench.job(4)), hooks=hooks) as run:
        async for row in run:
            assert (bench.dataset / str(row["file_name"])).exists()
            seen.append(row)
            bench.service.release()  # the second comes while this is being read
    assert before + seen == bench.rows()
    assert called[1:] == seen
    assert (await run.outcome()).exit_code == ExitCode.OK
    async with start_job(load_job(bench.job(4))) as run:
        assert [row async for row in run] == [], "there was nothing to do"


async def test_a_block_that_raises_stops_the_run_tidily(bench: Bench):
    bench.service.hold(completion=1)
    job, runs = load_job(bench.job(3, run={"concurrency": 3})), list[Running]()

    async def first_alone() -> None:
        async with start_job(job) as run:
            runs.append(run)
            async for _ in run:
                raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        await first_alone()
    outcome = await runs[0].outcome()
    assert (outcome.exit_code, outcome.images) == (ExitCode.INCOMPLETE, 1)
    assert bench.states() == {"saved": 1, "submitted": 2}


async def test_what_ends_a_run_comes_through_the_iteration_and_the_block(bench: Bench):
    job = load_job(bench.job(1))
    (bench.dataset / ".batchgen").mkdir(parents=True)

    async def without_reading() -> None:
        async with start_job(job):
            pass

    with locked(bench.dataset / ".batchgen" / "lock"):
        with pytest.raises(LockedError):
            await _rows(job, RunOptions())
        with pytest.raises(LockedError):
            await without_reading()


async def test_the_twin_sends_whoever_has_an_event_loop_to_the_other(bench: Bench):
    with pytest.raises(UsageError, match=r"use: await batchgen.run_job\(job\)"):
        run_job_sync(load_job(bench.job(1)))


def test_a_signal_ends_the_twin_tidily_and_its_handlers_are_put_back(bench: Bench):
    before = signal.getsignal(signal.SIGINT)

    def interrupt(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    job = load_job(bench.job(2, run={"concurrency": 1}))
    outcome = run_job_sync(job, hooks=Hooks(image=interrupt))
    assert (outcome.exit_code, outcome.images) == (ExitCode.INTERRUPTED, 1)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_twin_works_in_a_thread_where_there_are_no_signals(bench: Bench):
    job, found = load_job(bench.job(1)), list[Outcome]()
    options = RunOptions(out=Path(bench.folder / "there"))
    thread = threading.Thread(target=lambda: found.append(run_job_sync(job, options)))
    thread.start()
    thread.join()
    assert found[0].exit_code == ExitCode.OK
    assert len(asyncio.run(_rows(job, options))) == 0


async def _rows(job: Job, options: RunOptions) -> list[object]:
    async with start_job(job, options) as run:
        return [row async for row in run]


async def test_a_shard_gives_its_images_too(bench: Bench):
    job, seen = load_job(bench.job(4, run={"concurrency": 2})), []
    for shard in ("0/2", "1/2"):
        async with start_job(job, RunOptions(shard=shard)) as run:
            seen += [row async for row in run]
    assert sorted(str(row["prompt"]) for row in seen) == sorted(
        str(row["prompt"]) for row in bench.rows()
    )
