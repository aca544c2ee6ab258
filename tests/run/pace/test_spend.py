"""Money as sums: what was reserved never exceeds the budget, and what came back can be spent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.errors import ExitCode
from batchgen.run.pace.spend import Spend
from batchgen.run.pace.stop import Stop


@pytest.mark.parametrize(
    ("budget", "spent", "submits", "price", "granted"),
    [
        (None, 0, None, 40, True),
        (None, 10**15, None, 40, True),
        (None, 0, None, None, True),
        (None, 0, 1, None, True),
        (None, 0, 0, 0, False),
        (100, 60, None, 40, True),
        (100, 61, None, 40, False),
        (100, 100, None, 0, True),
        (100, 101, None, 0, False),
        (0, 0, None, 1, False),
        (0, 0, None, 0, True),
        (100, 0, None, None, False),
        (100, 0, 0, 1, False),
    ],
)
def test_a_submit_is_granted_when_all_of_it_fits(budget, spent, submits, price, granted):
    spend = Spend(budget_micros=budget, spent_micros=spent, submits=submits)
    assert spend.reserve(price) is granted
    took = (price or 0) if granted else 0
    assert spend.spent_micros == spent + took
    assert spend.submits_left == (None if submits is None else submits - granted)


prices = st.integers(0, 500)


@given(
    st.integers(0, 2000), st.none() | st.integers(0, 9), st.lists(st.tuples(prices, st.booleans()))
)
def test_no_order_of_submits_and_refusals_exceeds_budget_or_limit(budget, submits, steps):
    spend = Spend(budget_micros=budget, spent_micros=0, submits=submits)
    kept: list[int] = []
    for price, refused in steps:
        if spend.reserve(price):
            kept.append(price)
            if refused:
                spend.give_back(kept.pop())
                spend.return_slot()
        assert spend.spent_micros == sum(kept) <= budget
        assert spend.submits_left == (None if submits is None else submits - len(kept))
        assert submits is None or len(kept) <= submits


def test_a_price_that_nobody_knows_costs_nothing_in_the_sums():
    spend = Spend(budget_micros=None, spent_micros=7, submits=2)
    assert spend.reserve(None)
    assert (spend.spent_micros, spend.submits_left) == (7, 1)
    spend.give_back(None)
    assert (spend.spent_micros, spend.submits_left) == (7, 1)


def test_a_refused_submit_costs_nothing_and_still_counts_until_its_slot_is_returned():
    spend = Spend(budget_micros=100, spent_micros=0, submits=1)
    assert spend.reserve(40)
    spend.give_back(40)
    assert not spend.reserve(40)
    spend.return_slot()
    assert spend.reserve(40)


def test_what_is_allowed_later_is_for_all_that_the_run_has_sent():
    spend = Spend(budget_micros=100, spent_micros=0, submits=2)
    assert [spend.reserve(40), spend.reserve(40), spend.reserve(0)] == [True, True, False]
    spend.allow(120, 4, last=False)
    assert [spend.reserve(40), spend.reserve(40)] == [True, False]
    spend.return_slot()
    spend.allow(None, 3, last=True)
    assert [spend.reserve(40), spend.reserve(40)] == [True, False]
    spend.allow(None, 1, last=True)  # less than the three that were sent
    assert not spend.reserve(40)
    spend.return_slot()
    spend.return_slot()
    assert not spend.reserve(40)
    spend.return_slot()
    assert [spend.reserve(40), spend.reserve(40)] == [True, False]
    spend.allow(None, None, last=True)
    assert all(spend.reserve(40) for _ in range(9))


async def test_more_is_waited_for_until_it_is_allowed_or_submits_end():
    stop, spend = Stop(), Spend(budget_micros=0, spent_micros=0)
    assert not await spend.more(stop)  # nothing else was ever to come
    for last in (False, True):
        spend.last = False
        waiting = asyncio.ensure_future(spend.more(stop))
        await asyncio.sleep(0)
        assert not waiting.done()
        spend.allow(40, None, last=last)
        assert await waiting
    assert not await spend.more(stop)
    spend.last = False
    waiting = asyncio.ensure_future(spend.more(stop))
    await asyncio.sleep(0)
    stop.no_more_submits(ExitCode.INCOMPLETE, "time")
    assert not await waiting
