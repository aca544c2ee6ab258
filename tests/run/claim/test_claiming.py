"""A dataset that another run owns: fail, let it be, or wait for it."""

import asyncio
import json
import signal
import time
from contextlib import ExitStack

import pytest

from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import ExitCode, LockedError
from batchgen.ledger.lock import locked
from batchgen.ledger.parts import Shard
from batchgen.run.claim.claiming import Patience, acquire
from batchgen.run.claim.parting import claim_parts, share
from batchgen.run.pace.stop import Stop
from tests.support.bench import Bench

QUICK_LOOKS = {"batchgen.run.claim.claiming.LOOK_AT_LOCK": 0.02}


async def test_waiting_ends_with_its_time(tmp_path):
    lock, late = tmp_path / "lock", Patience(wait=True, until=time.monotonic() - 1)
    with ExitStack() as stack:
        with locked(lock), pytest.raises(LockedError):
            await acquire(lock, stack, late)
        assert await acquire(lock, stack, late)
        with pytest.raises(LockedError), locked(lock):
            pass


@pytest.mark.parametrize("held", ["lock", "ledgers/00.lock"])
async def test_a_shard_waits_for_a_run_of_the_whole_and_for_another_shard(
    tmp_path, monkeypatch, caplog, held
):
    monkeypatch.setattr("batchgen.run.claim.parting.SHORTLY", 0)
    monkeypatch.setattr("batchgen.run.claim.parting._LOOK", 0)
    monkeypatch.setattr("batchgen.run.claim.claiming.LOOK_AT_LOCK", 0.01)
    folder = DatasetFolder(tmp_path)
    folder.prepare()
    with ExitStack() as first:
        await share(folder, first)
    with ExitStack() as stack:
        with locked(folder.state / held):
            with pytest.raises(LockedError):
                await claim_parts(folder, Shard(0, 2), stack)
            shard = asyncio.ensure_future(
                claim_parts(folder, Shard(0, 2), stack, Patience(wait=True))
            )
            while "waiting: the dataset" not in caplog.text:
                await asyncio.sleep(0)
            assert not shard.done()
        await asyncio.wait_for(shard, 10)


async def test_a_shard_that_waits_leaves_when_it_is_time(tmp_path, monkeypatch):
    monkeypatch.setattr("batchgen.run.claim.parting.SHORTLY", 0)
    stop, folder = Stop(), DatasetFolder(tmp_path)
    folder.prepare()
    stop.leave(ExitCode.TERMINATED, "stopped")
    with locked(folder.lock), ExitStack() as stack, pytest.raises(LockedError):
        await share(folder, stack, Patience(stop=stop, wait=True))


def test_a_start_that_overlaps_fails_skips_or_waits_as_it_was_told(bench: Bench):
    bench.job(2)
    bench.service.hold(completion=0)
    with bench.start() as first:
        first.until_states(submitted=2)
        assert bench.run("--quiet").returncode == 8
        done = bench.run("--if-locked", "skip", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        done = bench.run("--if-locked", "skip", "--json")
        assert (done.returncode, json.loads(done.stdout)["class"]) == (0, "skipped")
        assert f"in use by process {first.process.pid} " in json.loads(done.stdout)["why"]
        assert done.stderr.startswith("batchgen: skipped: nothing was done; the dataset ")
        with bench.start("--if-locked", "wait", patch=QUICK_LOOKS, said_in="second") as second:
            second.process.until(lambda: "waiting: the dataset " in second.process.stderr)
            bench.service.release()
            assert first.process.wait() == 0
            assert second.process.wait() == 0
    bench.check_whole(2)
    bench.check_billed_once(2)


def test_a_signal_ends_the_waiting(bench: Bench):
    bench.job(1)
    bench.dataset.joinpath(".batchgen").mkdir(parents=True)
    with locked(bench.dataset / ".batchgen" / "lock"):
        with bench.start("--if-locked", "wait") as running:
            running.process.until(lambda: "waiting: " in running.process.stderr)
            running.process.signal(signal.SIGTERM)
            assert running.process.wait() == 143
        assert running.process.stderr.endswith("batchgen: signal: stopped by SIGTERM\n")
