"""How long to wait before asking again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.api.outcome import Fate, Refusal
from batchgen.api.retry import RetryBudget, backoff, may_download_again, may_submit_again


@pytest.mark.parametrize(
    ("tries", "ceiling"),
    [(0, 0.5), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (50, 30), (10**9, 30)],
)
def test_the_backoff_doubles_up_to_its_cap(tries, ceiling):
    assert backoff(tries, chance=1) == ceiling
    assert backoff(tries, chance=0.5) == ceiling / 2
    assert backoff(tries, chance=0) == 0


@pytest.mark.parametrize("asked", [0.0, 7.5, 120.0])
def test_what_the_service_asked_for_comes_on_top(asked):
    assert backoff(2, asked, chance=0) == asked
    assert backoff(2, asked, chance=1) == asked + 2


@given(st.integers(0, 10**6), st.none() | st.floats(0, 120))
def test_the_backoff_is_never_less_than_asked_and_never_30_seconds_more(tries, asked):
    assert (asked or 0) <= backoff(tries, asked) <= (asked or 0) + 30


def test_waits_differ_by_chance():
    assert len({backoff(6) for _ in range(20)}) > 1


@pytest.mark.parametrize("fate", Fate)
@pytest.mark.parametrize(("failures", "allowed"), [(1, None), (7, None), (3, 3)])
def test_a_submit_is_repeated_only_when_nothing_can_have_been_created(fate, failures, allowed):
    refusal = Refusal(fate=fate, reason="no")
    safe = fate in {Fate.NOT_SENT, Fate.THROTTLED}
    assert may_submit_again(refusal, failures, allowed) is safe


@pytest.mark.parametrize(("failures", "allowed"), [(8, None), (1, 0), (4, 3)])
def test_a_submit_is_not_repeated_more_often_than_allowed(failures, allowed):
    refusal = Refusal(fate=Fate.THROTTLED, reason="no")
    assert not may_submit_again(refusal, failures, allowed)


@pytest.mark.parametrize(
    ("failures", "allowed", "again"),
    [(1, None, True), (2, None, True), (3, None, False), (1, 0, False), (5, 5, True)],
)
def test_a_download_has_a_number_of_its_own(failures, allowed, again):
    assert may_download_again(failures, allowed) is again


def test_a_retry_budget_is_used_up_by_failures_and_filled_by_successes():
    budget = RetryBudget(4)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.take()
    budget.earn()
    assert budget.take()


def test_a_retry_budget_never_holds_more_than_it_began_with():
    budget = RetryBudget(2)
    for _ in range(10):
        budget.earn()
    assert [budget.take() for _ in range(2)] == [True, False]


@given(st.integers(1, 50))
def test_a_service_that_fails_a_third_of_everything_is_worked_with_for_ever(rounds):
    budget = RetryBudget(10)
    for _ in range(rounds):
        assert budget.take()
        budget.earn()
        budget.earn()
