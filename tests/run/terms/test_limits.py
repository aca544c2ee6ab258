"""The bounds of a run: one at a time, so much money, so many in flight, so many a minute."""

import time

import pytest

from tests.support.bench import Bench
from tests.support.cli import summary


def test_a_second_run_is_locked_out_at_once_and_names_the_first(bench: Bench):
    bench.job(4, run={"concurrency": 4})
    bench.service.hold(completion=0)
    with bench.start() as running:
        running.until_counts(lambda c: c["billed"] == 4)
        start = time.monotonic()
        second = bench.run()
        assert time.monotonic() - start < 10
        assert (second.returncode, second.stdout) == (8, "")
        (line,) = second.stderr.splitlines()
        assert line.startswith("batchgen: locked: ")
        assert f"process {running.process.pid} on " in line
        assert bench.service.counts()["received"] == 4
        bench.service.release()
        assert running.process.wait() == 0
    bench.check_whole(4)


def test_a_budget_is_kept_to_the_image_at_high_concurrency(bench: Bench):
    bench.job(60, run={"concurrency": 50, "budget": 0.42})
    done = bench.run()
    assert done.returncode == 4
    assert "exceed the budget of $0.42" in done.stderr.splitlines()[-1]
    bench.check_billed_once(10)
    bench.check_whole(10)
    assert summary(bench.dataset)["spent_usd"] == pytest.approx(0.40)
    assert bench.run().returncode == 4
    assert bench.service.counts()["received"] == 10
    # The command line wins, and what earlier runs spent counts.
    assert bench.run("--budget", 0.61).returncode == 4
    bench.check_billed_once(15)
    assert bench.run("--budget", 2.4).returncode == 0
    bench.check_billed_once(60)
    bench.check_whole(60)


def test_a_budget_counts_every_image_of_a_submit(bench: Bench):
    bench.job(5, params={"num_images": 4})
    assert bench.run("--budget", 0.42).returncode == 4
    bench.check_billed_once(2)
    bench.check_whole(8)


def test_refused_submits_give_their_money_back_to_the_budget(bench: Bench):
    prompts = [f"a pear {number} [submit=400]" for number in range(5)]
    bench.job([*prompts, "a plum", "a fig"], run={"concurrency": 1})
    assert bench.run("--budget", 0.08).returncode == 3
    bench.check_whole(2)


def test_no_more_predictions_are_in_flight_than_the_job_says(bench: Bench):
    prompts = [f"prompt {number} [poll=processingx2]" for number in range(9)]
    bench.job(prompts, run={"concurrency": 3})
    assert bench.run().returncode == 0
    assert bench.service.counts()["most_open"] == 3
    bench.check_whole(9)


def test_submits_start_evenly_at_the_rate_that_is_set(bench: Bench):
    bench.job(3, params={"num_images": 2})
    assert bench.run("--rate", 600).returncode == 0
    # Two images take 0.2 s, so the third submit starts after 0.4 s.
    assert summary(bench.dataset)["wall_s"] >= 0.4
    bench.check_whole(6)
