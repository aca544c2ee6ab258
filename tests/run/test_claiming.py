"""A dataset that another run owns: fail, let it be, or wait for it."""

import json
import signal
import time

import pytest

from batchgen.errors import LockedError
from batchgen.ledger.lock import locked
from batchgen.run import claiming
from batchgen.run.stop import Stop
from tests.support.bench import Bench

QUICK_LOOKS = {"batchgen.run.claiming.LOOK_AT_LOCK": 0.02}


async def test_waiting_ends_with_its_time(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(LockedError):
        async with claiming.claimed(
            tmp_path / "lock", Stop(), wait=True, until=time.monotonic() - 1
        ):
            raise AssertionError
    async with claiming.claimed(tmp_path / "lock", Stop(), wait=True):
        with pytest.raises(LockedError), locked(tmp_path / "lock"):
            pass


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
