"""INT, TERM and HUP: the run drains, says so by its exit code, and leaves nothing in doubt."""

import signal
import time

import pytest

from tests.support.bench import Bench
from tests.support.cli import failures, summary


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
    ids=["INT", "TERM", "HUP"],
)
def test_a_signal_leaves_paid_work_for_the_next_run(bench: Bench, number, code):
    bench.job(20, run={"concurrency": 8})
    bench.service.hold(completion=3)
    with bench.start() as running:
        running.until_rows(3)
        running.until_counts(lambda c: c["billed"] == 11)
        running.process.signal(number)
        assert running.process.wait() == code
        last = running.process.stderr.splitlines()[-1]
    assert last == (
        f"batchgen: signal: stopped by {number.name}; 17 variants are left, run again to go on"
    )
    assert bench.states() == {"saved": 3, "submitted": 8}
    found = summary(bench.dataset)
    assert (found["pending"], found["exit_code"], found["class"]) == (17, code, "signal")
    bench.service.release()
    assert bench.run().returncode == 0
    bench.check_whole(20)
    bench.check_billed_once(20)


def test_submits_in_flight_at_a_signal_are_answered_and_recorded(bench: Bench):
    bench.job(20, run={"concurrency": 4})
    bench.service.hold(submit=0)
    with bench.start() as running:
        running.until_counts(lambda c: c["held_submit"] == 4)
        running.process.signal(signal.SIGTERM)
        bench.service.release()
        assert running.process.wait() == 143
    assert bench.states() == {"submitted": 4}
    assert bench.run().returncode == 0
    bench.check_whole(20)
    bench.check_billed_once(20)


def test_downloads_in_flight_at_a_signal_are_finished(bench: Bench):
    bench.job(3)
    bench.service.hold(image=0)
    with bench.start() as running:
        running.until_counts(lambda c: c["held_image"] == 3)
        running.process.signal(signal.SIGINT)
        bench.service.release()
        assert running.process.wait() == 130
    assert bench.states() == {"saved": 3}
    bench.check_whole(3)
    assert bench.run().returncode == 0


def test_a_second_signal_leaves_at_once_and_says_what_is_in_doubt(bench: Bench):
    bench.job(["a pear [submit=hang]", "a plum"], run={"timeouts": {"submit": 60}})
    bench.service.hold(image=0)
    with bench.start() as running:
        running.until_counts(lambda c: c["held_image"] == 1 and c["billed"] == 2)
        start = time.monotonic()
        running.process.signal(signal.SIGINT)
        running.process.signal(signal.SIGTERM)
        assert running.process.wait() == 130
        assert time.monotonic() - start < 6
    assert bench.states() == {"completed": 1, "uncertain": 1}
    (row,) = failures(bench.dataset)
    assert (row["prompt"], row["paid"]) == ("a pear [submit=hang]", None)
    assert (summary(bench.dataset)["uncertain"], summary(bench.dataset)["pending"]) == (1, 1)
    bench.service.release()
    assert bench.run().returncode == 5
    bench.check_whole(1)
    bench.check_billed_once(2)


def test_a_signal_wakes_a_run_that_waits_for_its_turn(bench: Bench):
    bench.job(3)
    with bench.start("--rate", 1) as running:
        running.until_rows(1)
        running.process.signal(signal.SIGTERM)
        assert running.process.wait(10) == 143
    assert bench.states() == {"saved": 1}
    assert bench.service.counts()["received"] == 1


def test_a_signal_wakes_a_run_that_backs_off(bench: Bench):
    bench.job(["a pear [submit=429]"])
    with bench.start(patch={"batchgen.api.retry.BACKOFF_BASE": 1e9}) as running:
        running.until_counts(lambda c: c["received"] == 1)
        running.process.signal(signal.SIGINT)
        assert running.process.wait(10) == 130
    assert bench.states() == {"planned": 1}
    assert summary(bench.dataset)["spent_usd"] == 0
