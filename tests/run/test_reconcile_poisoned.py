"""Histories that lie, contradict themselves or never end: nothing is adopted or bought on them."""

import json

import pytest

from tests.support.bench import QUICK, Bench

LONG_AGO = 3_600
PAID = "a pear [submit=500x1]"
UNPAID = "a plum [submit=notjsonx1]"
PATCH = {**QUICK, "batchgen.run.uncertain.settle.MAX_PAGES": 30}


def _uncertain(bench: Bench, *prompts: str) -> None:
    bench.job(list(prompts))
    assert bench.run().returncode == 5
    bench.age(LONG_AGO)


@pytest.mark.parametrize(
    ("history", "why"),
    [
        ("huge", "the answer lists more than the 100 that were asked for"),
        ("fresh", "the history is too long to be read"),
        ("twofold", "the list tells two things of prediction "),
        ("paths", "the list holds something that is no prediction"),
        ("numbers", "the list holds something that is no prediction"),
        ("texts", "the list holds something that is no prediction"),
        ("nulls", "the list holds something that is no prediction"),
        ("object", "the answer has no list of predictions"),
        ("nothing", "the answer has no list of predictions"),
        ("timeless", "2 predictions of the history fit it"),
    ],
)
def test_a_history_that_cannot_be_trusted_settles_nothing(bench: Bench, history, why):
    _uncertain(bench, PAID, "a fig [submit=502x1]")
    bench.service.account(ago=LONG_AGO, history=history)
    done = bench.reconcile("--grace", 0, "--json", patch=PATCH)
    assert done.returncode == 5, done.stderr
    assert why in json.loads(done.stdout)["why"]
    assert bench.run(patch=PATCH).returncode == 5
    assert bench.states() == {"uncertain": 2}
    bench.check_billed_once(2)


def test_a_history_is_not_read_for_ever(bench: Bench):
    _uncertain(bench, PAID)
    bench.service.account(ago=LONG_AGO)
    patch = {**PATCH, "batchgen.run.uncertain.settle.READING": -1.0}
    done = bench.reconcile("--grace", 0, "--json", patch=patch)
    assert done.returncode == 5, done.stderr
    assert json.loads(done.stdout)["why"] == "the history takes too long to be read"


@pytest.mark.parametrize("history", ["capped", "disordered"])
def test_what_a_history_shows_late_is_found_before_anything_is_bought_again(bench: Bench, history):
    prompts = [f"fruit {number} [submit=500x1]" for number in range(3)]
    _uncertain(bench, *prompts)
    bench.service.account(ago=LONG_AGO, history=history, inputs=True)
    done = bench.run()
    assert done.returncode == 0, done.stderr
    bench.check_whole(3)
    bench.check_billed_once(3)
