"""Runs of shards that share one set of limits, in one process: as Ray has them in several."""

import asyncio

import pytest

from batchgen.errors import ExitCode
from batchgen.job.load import load_job
from batchgen.run.making import run_job
from batchgen.run.pace.stop import Stop
from batchgen.run.sharing.granting import Limited, LocalLeases
from batchgen.run.sharing.leases import Grant, Leases, NoGrantError, Usage
from batchgen.run.telling.accounts import Outcome
from batchgen.run.terms.options import RunOptions
from batchgen.run.terms.sharding import all_shards
from tests.support.bench import QUICK, Bench


@pytest.fixture(autouse=True)
def here(bench: Bench, monkeypatch):
    """This process asks the service of the bench, too, and often."""
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)
    for name, pause in {**QUICK, "batchgen.run.sharing.leasing.EVERY": 0.01}.items():
        monkeypatch.setattr(name, pause)
    monkeypatch.setenv("HOME", str(bench.folder))


def make(bench: Bench, leases: Leases, shards: int = 3) -> list[Outcome]:
    """Run all shards of the job at once, as their leases let them."""

    async def all_of_them() -> list[Outcome]:
        job = load_job(bench.folder / "job.yaml")
        runs = (run_job(job, RunOptions(shard=s), leases=leases) for s in all_shards(shards))
        return await asyncio.gather(*runs)

    return asyncio.run(all_of_them())


def test_places_in_flight_are_those_of_all(bench: Bench):
    bench.job(40, run={"concurrency": 40})
    leases = LocalLeases(Limited(in_flight=5))
    outcomes = make(bench, leases)
    assert [outcome.exit_code for outcome in outcomes] == [ExitCode.OK] * 3
    assert bench.service.counts()["most_open"] == 5
    progress = asyncio.run(leases.progress())
    assert (progress.done[0], progress.done[2], progress.in_flight) == (40, 40, 0)
    assert progress.micros == 40 * 40_000
    bench.check_billed_once(40)


def test_money_is_spent_to_the_last_image_and_no_further(bench: Bench):
    bench.job(30, run={"budget": 2})
    outcomes = make(bench, LocalLeases(Limited(in_flight=9, micros=210_000, most_micros=40_000)))
    assert {outcome.exit_code for outcome in outcomes} == {ExitCode.INCOMPLETE}
    assert "exceed the budget of $2" in outcomes[0].why
    assert bench.service.counts()["billed"] == 5


def test_submits_are_sent_to_the_last_and_no_further(bench: Bench):
    bench.job(30, run={"limit": 7})
    outcomes = make(bench, LocalLeases(Limited(in_flight=9, submits=7)))
    assert {outcome.why for outcome in outcomes} == {"this run was limited to 7 submits"}
    assert bench.service.counts()["billed"] == 7


class Failing(LocalLeases):
    """Grants a few times, and then cannot be reached."""

    def __init__(self, times: int) -> None:
        super().__init__(Limited(in_flight=2))
        self.times = times

    async def renew(self, name: str, usage: Usage) -> Grant:
        self.times -= 1
        if self.times < 0:
            raise NoGrantError("gone")
        return await super().renew(name, usage)

    async def end(self, name: str, usage: Usage) -> None:
        raise NoGrantError("gone")


async def test_without_a_fresh_grant_nothing_is_sent_and_what_is_paid_is_collected(
    bench: Bench, monkeypatch
):
    monkeypatch.setattr("batchgen.run.sharing.leasing.VALID", 0.2)
    bench.job(20)
    bench.service.hold(completion=0)
    stop = Stop()
    job = load_job(bench.folder / "job.yaml")
    leases = Failing(times=3)
    run = asyncio.create_task(run_job(job, RunOptions(shard="0/1"), stop=stop, leases=leases))
    while leases.times > -30:  # so often in vain
        await asyncio.sleep(0.01)
    billed = bench.service.counts()["billed"]
    assert billed == 2
    bench.service.release()
    while len(bench.image_files()) < 2:
        await asyncio.sleep(0.01)
    stop.no_more_submits(ExitCode.INCOMPLETE, "enough")
    assert (await run).counts.saved == 2
    assert bench.service.counts()["billed"] == billed
