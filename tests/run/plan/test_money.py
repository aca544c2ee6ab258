"""Balance, quotes and budgets before the first submit; what the summary says of money after."""

import json

import pytest

from batchgen.errors import UsageError
from tests.run.care.test_verify import reach, run
from tests.support import cli
from tests.support.bench import Bench

__all__ = ["reach"]

UNKNOWN = "somebody/else"


@pytest.mark.parametrize(("balance", "code"), [(0.0399, 6), (0.04, 0), (None, 0)])
def test_a_balance_below_one_image_ends_the_run_before_any_submit(bench: Bench, balance, code):
    bench.service.account(balance=balance)
    bench.job(2)
    assert run(bench) == code
    assert bench.service.counts()["received"] == (0 if code else 2)
    if code:
        assert "less than one image costs" in cli.summary(bench.dataset)["why"]
        assert bench.states() == {}
        bench.service.account(balance=1)
        assert run(bench) == 0
    bench.check_billed_once(2)


def test_what_is_paid_is_collected_whatever_the_balance(bench: Bench):
    bench.job(3, run={"limit": 2})
    assert run(bench) == 4
    (bench.dataset / bench.rows()[0]["file_name"]).unlink()
    bench.service.account(balance=0)
    assert run(bench) == 6
    bench.check_whole(2)
    bench.check_billed_once(2)


def test_a_quote_makes_the_budget_of_an_unknown_model_work(bench: Bench):
    bench.service.account(price=0.25)
    bench.job(6, model=UNKNOWN)
    assert run(bench, budget=0.8) == 4
    bench.check_billed_once(3)
    assert "exceed the budget" in cli.summary(bench.dataset)["why"]
    assert run(bench, budget=1.5) == 0
    bench.check_billed_once(6)


@pytest.mark.parametrize("price", [None, -1])
def test_without_a_quote_a_budget_is_refused(bench: Bench, price):
    bench.service.account(price=price)
    bench.job(2, model=UNKNOWN)
    with pytest.raises(UsageError, match="so a budget cannot be kept; leave the budget out"):
        run(bench, budget=1)
    assert bench.service.counts()["received"] == 0
    assert run(bench) == 0
    assert cli.summary(bench.dataset)["spent_usd"] is None


def test_the_summary_and_the_status_say_what_may_come_back(bench: Bench):
    prompts = ["a pear [submit=500]", "a plum [poll=failed]", "a fig [submit=400]", "a lime"]
    bench.job(prompts, params={"num_images": 2})
    assert run(bench) == 5
    done = cli.run_batchgen("status", bench.dataset, "--json", cwd=bench.folder)
    for found in (cli.summary(bench.dataset), json.loads(done.stdout)):
        money = [found[n] for n in ("spent_usd", "reserved_usd", "refund_expected_usd")]
        assert money == [pytest.approx(usd) for usd in (0.24, 0.08, 0.08)]


def test_sending_uncertain_submits_again_says_first_what_it_may_cost(bench: Bench):
    bench.job(["a pear [submit=500x1]", "a plum [submit=500x1]"], params={"num_images": 3})
    assert run(bench) == 5
    done = bench.run("--on-uncertain", "resubmit")
    assert done.returncode == 0
    assert "in the worst case $0.24 is paid twice" in done.stderr
    assert bench.service.counts()["billed"] == 4
    assert cli.summary(bench.dataset)["spent_usd"] == pytest.approx(0.48)


def test_a_budget_of_nothing_buys_nothing(bench: Bench):
    bench.job(2)
    assert run(bench, budget=0) == 4
    assert bench.service.counts()["received"] == 0
