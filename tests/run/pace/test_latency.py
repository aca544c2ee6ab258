"""Poll times that are learned: few polls, noticed soon, and never hasty."""

import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.run.pace.latency import EDGES, Latencies

seconds = st.floats(0, 10_000)


def lognormal(median: float, p95: float, number: int = 2_000, seed: int = 1) -> list[float]:
    spread = math.log(p95 / median) / 1.645
    chance = random.Random(seed)
    return [math.exp(chance.gauss(math.log(median), spread)) for _ in range(number)]


def learned(latencies: Iterable[float]) -> Latencies:
    found = Latencies()
    for latency in latencies:
        found.observe(latency)
    return found


def follow(latency: float, first: float, then: Callable[[float], float]) -> tuple[int, float]:
    """Polls until a prediction is noticed, and the seconds that it lay there."""
    at, polls = first, 1
    while at < latency:
        at, polls = at + then(at), polls + 1
    return polls, at - latency


def mean(
    latencies: list[float], first: float, then: Callable[[float], float]
) -> tuple[float, float]:
    found = [follow(latency, first, then) for latency in latencies]
    return sum(p for p, _ in found) / len(found), sum(lag for _, lag in found) / len(found)


def by(latencies: Latencies, at_least: float) -> tuple[float, Callable[[float], float]]:
    return (
        latencies.first_poll(at_least=at_least),
        lambda waited: latencies.next_poll(waited, at_least=at_least),
    )


def test_the_first_images_of_all_are_noticed_soon():
    polls, lag = mean([2.0], *by(Latencies(), 0.25))
    assert polls <= 8
    assert lag <= 0.25


@pytest.mark.parametrize("seen", [30, 200, 3_000])
def test_far_fewer_polls_than_a_fixed_interval_at_nearly_the_same_wait(seen):
    fixed_polls, fixed_lag = mean(lognormal(8, 20), 2, lambda _: 2)
    polls, lag = mean(lognormal(8, 20), *by(learned(lognormal(8, 20, seen, seed=2)), 2))
    assert polls < fixed_polls * 0.75
    assert lag < fixed_lag * 1.35


@pytest.mark.parametrize("at_least", [0.25, 2.0])
def test_a_latency_that_never_varies_is_met_with_one_poll_and_at_once(at_least):
    polls, lag = mean([4.9] * 100, *by(learned([4.9] * 300), at_least))
    assert polls == 1
    assert 0 < lag < 0.02


def test_a_quick_service_is_asked_sooner_where_it_may_be():
    first = [Latencies().first_poll(at_least=at_least) for at_least in (0.01, 0.25, 2.0)]
    assert first[0] < 0.2 < first[1] < 1 < first[2] < 3


def test_two_kinds_of_latency_are_both_met():
    both = [3.0, 30.0] * 200
    polls, lag = mean(both, *by(learned(both), 2))
    assert polls <= 4
    assert lag < 1.5


@pytest.mark.parametrize("scale", [0.2, 0.5, 2, 5])
def test_when_latencies_shift_polls_follow_soon(scale):
    found = learned(lognormal(8, 20, 3_000, seed=2))
    shifted = [latency * scale for latency in lognormal(8, 20, 300, seed=3)]
    for latency in shifted:
        at_least = 2.0
        at, before = found.first_poll(at_least=at_least), 0.0
        while at < latency:
            before, at = at, at + found.next_poll(at, at_least=at_least)
        found.observe((before + at) / 2)
    polls, lag = mean([latency * scale for latency in lognormal(8, 20)], *by(found, 2))
    fixed_polls, _ = mean([latency * scale for latency in lognormal(8, 20)], 2, lambda _: 2)
    assert polls <= fixed_polls
    assert lag < 0.3 * 8 * scale + 1.5


def test_before_anything_is_known_no_image_lies_for_long():
    polls, lag = mean(lognormal(8, 20), *by(Latencies(), 2))
    assert polls < 5.2
    assert lag < 3


@given(st.lists(seconds, max_size=40), seconds, st.floats(0.01, 60))
def test_no_two_polls_are_closer_than_allowed_or_further_apart_than_is_wise(seen, waited, at_least):
    found = learned(seen)
    pause = found.next_poll(waited, at_least=at_least)
    assert at_least <= pause <= max(at_least, 5, min(waited / 10, 30))
    assert 0 < found.first_poll(at_least=at_least) <= 5


def test_what_was_learned_comes_back_as_it_was():
    found = learned(lognormal(8, 20, 500))
    again = Latencies(found.counts())
    assert again.counts() == found.counts()
    assert again.first_poll(at_least=2) == found.first_poll(at_least=2)


@given(st.dictionaries(st.integers(-5, 10**6), st.floats(0, 1e4)))
def test_any_counts_are_taken(counts):
    found = Latencies(counts)
    assert set(found.counts()) <= set(range(len(EDGES)))
    assert found.next_poll(1, at_least=2) >= 2
