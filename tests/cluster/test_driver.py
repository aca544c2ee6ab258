"""A dataset made by workers, which are in this process: everything but Ray itself."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

import pytest

from batchgen.cluster import ray_engine
from batchgen.errors import ExitCode, LockedError, NotGivenBackError, UsageError
from batchgen.job.load import load_job
from batchgen.ledger.lock import locked
from batchgen.ledger.parts import lock_of
from batchgen.run.making import run_job
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.accounts import Outcome
from batchgen.run.terms.options import RunOptions
from batchgen.run.variant.context import Context
from tests.cluster.here import ClusterHere
from tests.support import cli
from tests.support.bench import QUICK, Bench


@pytest.fixture
def workers(bench: Bench, monkeypatch) -> ClusterHere:
    """Workers that renew often; this process asks the service of the bench, too."""
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)
    for name, pause in {**QUICK, "batchgen.run.sharing.leasing.EVERY": 0.01}.items():
        monkeypatch.setattr(name, pause)
    monkeypatch.setenv("HOME", str(bench.folder))
    monkeypatch.setattr("batchgen.cluster.driver.SHARDS_PER_WORKER", 2)
    here = ClusterHere()
    monkeypatch.setattr("batchgen.cluster.driver.check_ray", lambda _: None)
    monkeypatch.setattr("batchgen.cluster.driver.cluster", here.joined)
    return here


def make(
    bench: Bench,
    during: Callable[[Stop], Coroutine[Any, Any, None]] | None = None,
    **options: object,
) -> Outcome:
    """Run the job on the workers; *during* is an async function that meddles."""

    async def run() -> Outcome:
        job, stop = load_job(bench.folder / "job.yaml"), Stop()
        meddling = asyncio.create_task(during(stop)) if during else None
        chosen = RunOptions(on="ray", **options)  # type: ignore[arg-type]
        try:
            return await run_job(job, chosen, stop=stop, engine=ray_engine("ray"))
        finally:
            if meddling:
                await meddling

    return asyncio.run(run())


def test_workers_make_what_one_process_would(bench: Bench, workers: ClusterHere):
    bench.job(30, run={"concurrency": 6})
    outcome = make(bench)
    assert (outcome.exit_code, outcome.counts.saved, outcome.images_made) == (ExitCode.OK, 30, 30)
    assert outcome.submits == 30
    assert bench.service.counts()["most_open"] == 6
    bench.check_billed_once(30)
    bench.check_whole(30)
    assert cli.summary(bench.dataset)["class"] == "ok"
    assert len((bench.dataset / ".batchgen" / "runs.jsonl").read_text().splitlines()) == 2
    before = bench.service.counts().requests
    assert make(bench).exit_code == ExitCode.OK
    assert bench.service.counts().requests == before
    assert len(workers.all) == 2  # none was started for the second run


def test_shards_of_a_lost_worker_are_taken_up_and_nothing_is_bought_again(
    bench: Bench, workers: ClusterHere
):
    bench.job(30, run={"concurrency": 6})
    bench.service.hold(completion=0)

    async def kill_one(_: Stop) -> None:
        while bench.service.counts()["billed"] < 6:
            await asyncio.sleep(0.01)
        workers.all[0].kill()
        while len(workers.all) < 3:
            await asyncio.sleep(0.01)
        bench.service.release()

    outcome = make(bench, kill_one)
    assert outcome.counts.saved + outcome.counts.uncertain == 30
    assert any(again for worker in workers.all for _, again in worker.made)
    bench.check_billed_once(30)


def test_money_ends_all_of_them(bench: Bench, workers: ClusterHere):
    bench.job(20)
    outcome = make(bench, budget=0.21)
    assert outcome.exit_code == ExitCode.INCOMPLETE
    assert "exceed the budget of $0.21" in outcome.sentence()
    assert bench.service.counts()["billed"] == 5
    bench.check_whole(5)


def test_failures_of_all_are_counted_together(bench: Bench, workers: ClusterHere, monkeypatch):
    monkeypatch.setattr("batchgen.cluster.progress._LOOK", 0.01)
    bench.job([f"[submit=400] {n}" for n in range(12)], run={"max_failures": 0, "concurrency": 2})
    outcome = make(bench)
    assert "more than the failure limit allows" in outcome.why
    assert outcome.counts.failed < 12


def test_a_signal_drains_them(bench: Bench, workers: ClusterHere):
    bench.job(20, run={"concurrency": 4})
    bench.service.hold(completion=0)

    async def interrupt(stop: Stop) -> None:
        while bench.service.counts()["billed"] < 4:
            await asyncio.sleep(0.01)
        stop.leave(ExitCode.INTERRUPTED, f"stopped by {signal.SIGINT.name}")

    outcome = make(bench, interrupt)
    assert (outcome.exit_code, outcome.counts.uncertain) == (ExitCode.INTERRUPTED, 0)
    bench.service.release()
    assert make(bench).exit_code == ExitCode.OK
    bench.check_billed_once(20)
    bench.check_whole(20)


def test_what_is_refused_to_one_ends_all(bench: Bench, workers: ClusterHere):
    bench.job(["[submit=401] a", *(f"b {n}" for n in range(9))], run={"concurrency": 1})
    outcome = make(bench)
    assert (outcome.exit_code, outcome.counts.failed) == (ExitCode.ACCOUNT, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"version": "9.9"}, "it has batchgen .*, the driver 9.9"),
        ({"account": "another"}, "another API key than the driver"),
        ({"token": "x"}, "another API key"),
    ],
)
def test_a_worker_that_sees_something_else_is_not_used(
    bench: Bench, workers: ClusterHere, wrong, words
):
    bench.job(3)
    workers.wrong = wrong
    with pytest.raises(UsageError, match=words):
        make(bench)
    assert bench.service.counts()["received"] == 0


def test_others_are_kept_away_while_parts_are_lent(bench: Bench, workers: ClusterHere, monkeypatch):
    for name in ("claim.parting.SHORTLY", "claim.parting._LOOK", "sharing.lending.SHORTLY"):
        monkeypatch.setattr(f"batchgen.run.{name}", 0.05)
    bench.job(6)
    bench.service.hold(completion=0)

    async def intrude(_: Stop) -> None:
        while bench.service.counts()["billed"] < 6:
            await asyncio.sleep(0.01)
        job = load_job(bench.folder / "job.yaml")
        for options in (RunOptions(shard="0/3"), RunOptions()):
            with pytest.raises(LockedError):
                await run_job(job, options)
        with pytest.raises(LockedError):
            await run_job(job, RunOptions(on="ray"), engine=ray_engine("ray"))
        bench.service.release()

    assert make(bench, intrude).exit_code == ExitCode.OK
    bench.check_billed_once(6)


def test_an_engine_has_to_be_there_when_it_is_asked_for(bench: Bench, workers: ClusterHere):
    job = load_job(bench.job(2, run={"on": "ray"}))
    with pytest.raises(UsageError, match="the job runs on ray: hand run_job engine="):
        asyncio.run(run_job(job))
    with pytest.raises(UsageError, match="not both"):
        asyncio.run(run_job(job, RunOptions(shard="0/2"), engine=ray_engine("ray")))
    with pytest.raises(
        UsageError, match="expected an engine of ray or ray://HOST:PORT, got 'spark'"
    ):
        ray_engine("spark")
    assert not bench.dataset.exists()


def lead(bench: Bench, stop: Stop, raised: Exception | None = None) -> None:
    """Run the job with a worker that keeps a part when all is over; *raised* ends the engine."""

    async def run() -> None:
        with ExitStack() as worker:

            async def engine(_: object, __: object, context: Context) -> None:
                worker.enter_context(locked(lock_of(context.folder.ledgers, 5)))
                if stop.why:
                    asyncio.get_running_loop().call_later(
                        0.05, stop.leave, ExitCode.TERMINATED, "stopped by SIGTERM"
                    )
                if raised:
                    raise raised

            async with asyncio.timeout(20):
                await run_job(load_job(bench.folder / "job.yaml"), stop=stop, engine=engine)

    asyncio.run(run())


def test_a_part_that_is_kept_for_good_ends_the_run_and_the_next_one_goes_on(
    bench: Bench, workers: ClusterHere, monkeypatch
):
    bench.job(3)
    monkeypatch.setattr("batchgen.run.sharing.lending.SHORTLY", 0.05)
    with pytest.raises(NotGivenBackError, match=r"keeps its part .* in use by process") as ended:
        lead(bench, Stop())
    assert ended.value.exit_code is ExitCode.INCOMPLETE
    assert bench.service.counts()["received"] == 0
    assert make(bench).exit_code == ExitCode.OK
    bench.check_billed_once(3)


def test_a_signal_ends_the_wait_for_parts(bench: Bench, workers: ClusterHere, monkeypatch):
    bench.job(3)
    monkeypatch.setattr("batchgen.run.variant.working.GRACE", 0.05)
    stop = Stop()
    stop.note(ExitCode.INCOMPLETE, "a shard was lost")
    with pytest.raises(NotGivenBackError, match=r"^stopped by SIGTERM; a worker .* keeps") as ended:
        lead(bench, stop)
    assert ended.value.exit_code is ExitCode.TERMINATED


def test_what_ends_the_engine_is_told_before_parts_that_are_kept(
    bench: Bench, workers: ClusterHere, monkeypatch
):
    bench.job(3)
    monkeypatch.setattr("batchgen.run.sharing.lending.SHORTLY", 0.05)
    with pytest.raises(UsageError, match="no worker can work"):
        lead(bench, Stop(), UsageError("no worker can work"))
