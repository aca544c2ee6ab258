"""Prices per image: those remembered, listed and quoted, and what follows from them."""

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchgen.errors import ExitCode, UsageError
from batchgen.job.load import Job, load_job
from batchgen.ledger.entry import State
from batchgen.run.pace.stop import Stop
from batchgen.run.plan.money import check_balance, check_budget, find_prices, warn_of_worst_case
from batchgen.run.terms.prices import Prices, listed_prices
from tests.ledger.made import untouched
from tests.support.cli import write_job

LISTED, OTHER = "wavespeed-ai/imagen4", "somebody/else"


def prices(**micros: int | None) -> Prices:
    return Prices(micros=micros)


def test_what_a_run_leaves_the_next_one_remembers():
    known = prices(a=40_000, b=0)
    meta = known.as_meta(prices(a=40_000))
    assert meta == {"prices": {"a": 40_000, "b": 0}, "price_micros": 40_000}
    assert Prices.remembered(meta) == known
    assert Prices.remembered({"model": "a", "price_micros": 7}) == prices(a=7)
    assert Prices.remembered({}) == prices()


@pytest.mark.parametrize("odd", [None, -1, "7", 0.5, [7]])
def test_a_price_that_is_none_is_not_remembered(odd):
    assert Prices.remembered({"prices": {"a": odd, "b": 1}}) == prices(b=1)
    assert Prices.remembered({"model": "a", "price_micros": odd}) == prices()


def test_the_highest_price_is_known_only_when_all_are():
    assert prices(a=3, b=9, c=5).range() == (3, 9)
    assert prices(a=3, b=9).as_meta(prices(a=3, b=9))["price_micros"] == 9
    for unknown in (prices(), prices(a=3, b=None)):
        assert unknown.range() is None
        assert unknown.as_meta(unknown)["price_micros"] is None
    assert prices(a=3, b=None, c=None).unknown() == ["b", "c"]


def test_a_price_of_now_goes_before_one_of_then_and_a_known_one_before_none():
    now, then = prices(a=1, b=None), prices(a=2, b=3, c=4)
    assert now.over(then) == prices(a=1, b=None, c=4)
    assert now.filled(then) == prices(a=1, b=3, c=4)


def test_a_submit_costs_what_its_images_cost():
    entry = replace(untouched(), model="a", images_asked=3)
    assert [prices(a=7).cost(entry), prices(a=0).cost(entry)] == [21, 0]
    assert [prices(a=None).cost(entry), prices(b=7).cost(entry)] == [None, None]


def test_a_sum_is_known_when_the_price_of_all_that_is_in_it_is():
    known = prices(a=3, b=10, c=None)
    assert known.total({}) == 0
    assert known.total({"a": 2, "b": 1, "c": 0, "d": 0}) == 16
    assert known.total({"a": 2, "c": 1}) is None
    assert known.total({"d": 1}) is None


# Before the first submit ------------------------------------------------------------------------


def _job(folder: Path, **keys: Any) -> Job:
    return load_job(write_job(folder / "job.yaml", ["a pear"], **keys))


def _service(**answers: object) -> Any:
    """A service that answers each question, once or always the same."""

    def answering(answer: object) -> Any:
        async def answered(*asked: object) -> object:
            return answer

        return answered

    return SimpleNamespace(
        client=SimpleNamespace(**{name: answering(answer) for name, answer in answers.items()})
    )


ACCESS: Any = SimpleNamespace(free=False)


async def test_a_listed_price_is_not_asked_for_and_the_local_service_is_free(tmp_path):
    job = _job(tmp_path)
    assert await find_prices(job, ACCESS, _service()) == prices(**{LISTED: 40_000})
    assert listed_prices(job, free=True) == prices(**{LISTED: 0})


@pytest.mark.parametrize(
    ("usd", "images", "micros"),
    [
        (0.25, 1, 250_000),
        (0.25, 2, 125_000),
        (0.01, 3, 3_334),  # never too low
        (0.0000001, 1, 1),
        (0, 1, 0),
        (None, 1, None),
    ],
)
async def test_a_quote_is_for_all_images_of_a_submit(tmp_path, usd, images, micros):
    job = _job(tmp_path, model=OTHER, params={"num_images": images})
    assert await find_prices(job, ACCESS, _service(price=usd)) == prices(**{OTHER: micros})


def test_a_budget_needs_all_prices():
    check_budget(prices(a=1), 0)
    check_budget(prices(a=None), None)
    with pytest.raises(UsageError, match=r"^the price of b and c is unknown, so a budget cannot"):
        check_budget(prices(a=1, b=None, c=None), 0)


@pytest.mark.parametrize(
    ("balance", "known", "enough"),
    [
        (0.04, prices(a=40_000, b=90_000), True),
        (0.039, prices(a=40_000, b=90_000), False),
        (0, prices(a=1), False),
        (0, prices(a=0), True),
        (0, prices(a=1, b=None), True),
        ("HTTP 500", prices(a=1), True),
    ],
)
async def test_submits_end_when_the_balance_is_less_than_the_cheapest_image(balance, known, enough):
    stop = Stop()
    await check_balance(known, _service(balance=balance), stop)
    assert stop.submitting is enough
    assert stop.code is (ExitCode.OK if enough else ExitCode.ACCOUNT)
    if not enough:
        assert stop.why == f"the account's balance is ${balance:.2f}, less than one image costs"


@pytest.mark.parametrize(
    ("micros", "worst"), [([40_000, 80_000], "$0.36"), ([40_000, None], "an unknown amount")]
)
def test_what_may_be_paid_twice_is_said_before(caplog, micros, worst):
    known = prices(**{f"m{n}": price for n, price in enumerate(micros)})
    entries = [
        replace(untouched(), state=State.UNCERTAIN, model=f"m{n}", images_asked=3) for n in range(2)
    ]
    with caplog.at_level(logging.WARNING):
        warn_of_worst_case([], known)
        assert caplog.messages == []
        warn_of_worst_case(iter(entries), known)
    (said,) = caplog.messages
    assert said.endswith(f"in the worst case {worst} is paid twice")
