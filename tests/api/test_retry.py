"""How long to wait before asking again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.api.outcome import Fate, Poll, PollProblem, Refusal
from batchgen.api.retry import Kind, RetryBudget, backoff, may_repeat, next_poll

chances = st.floats(0, 1, exclude_max=True)


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
    assert len({next_poll(0, at_least=2) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("waited", "at_least", "pause"),
    [
        *[(0, 2, 2), (8, 2, 3), (16, 2, 4), (24, 2, 5), (7_200, 2, 5), (0, 0.1, 0.1)],
        *[(8, 0.1, 1.1), (0, 5, 5), (0, 60, 60), (7_200, 60, 60)],
    ],
)
def test_polls_grow_apart_with_the_time_waited(waited, at_least, pause):
    assert next_poll(waited, at_least=at_least, chance=0) == pytest.approx(pause)
    assert next_poll(waited, at_least=at_least, chance=1) == pytest.approx(pause * 1.1)


@given(st.floats(0, 10**6), st.floats(0, 10**3), chances)
def test_a_poll_waits_at_least_what_was_asked_and_not_much_more(waited, at_least, chance):
    assert at_least <= next_poll(waited, at_least=at_least, chance=chance)
    assert next_poll(waited, at_least=at_least, chance=chance) <= max(at_least, 5) * 1.1


@given(st.floats(0, 10**4), st.floats(0, 10**4), chances)
def test_a_longer_wait_never_polls_more_often(waited, more, chance):
    earlier = next_poll(waited, at_least=2, chance=chance)
    assert next_poll(waited + more, at_least=2, chance=chance) >= earlier


@pytest.mark.parametrize("fate", Fate)
@pytest.mark.parametrize(("failures", "allowed"), [(1, None), (7, None), (3, 3)])
def test_a_submit_is_repeated_only_when_nothing_can_have_been_created(fate, failures, allowed):
    refusal = Refusal(fate=fate, reason="no")
    safe = fate in {Fate.NOT_SENT, Fate.THROTTLED}
    assert may_repeat(Kind.SUBMIT, refusal, failures, allowed) is safe


@pytest.mark.parametrize(("failures", "allowed"), [(8, None), (1, 0), (4, 3)])
def test_a_submit_is_not_repeated_more_often_than_allowed(failures, allowed):
    refusal = Refusal(fate=Fate.THROTTLED, reason="no")
    assert not may_repeat(Kind.SUBMIT, refusal, failures, allowed)


@pytest.mark.parametrize("kind", Poll)
def test_a_poll_goes_on_unless_the_account_is_refused(kind):
    problem = PollProblem(kind=kind, reason="no")
    assert may_repeat(Kind.POLL, problem, 10**6, 0) is (kind is not Poll.ACCOUNT)


@pytest.mark.parametrize(
    ("failures", "allowed", "again"),
    [(1, None, True), (2, None, True), (3, None, False), (1, 0, False), (5, 5, True)],
)
def test_a_download_has_a_number_of_its_own(failures, allowed, again):
    assert may_repeat(Kind.DOWNLOAD, None, failures, allowed) is again


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
