"""The pace of submits, by a clock that stands still unless told to go."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.run.rate import Rate


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("rate", [None, 0])
def test_without_a_rate_everything_may_start_at_once(rate):
    pace = Rate(rate, Clock())
    assert [pace.wait_for(4) for _ in range(100)] == [0] * 100


@pytest.mark.parametrize(
    ("rate", "images", "waits"),
    [
        (60, [1, 1, 1], [0, 1, 2]),
        (60, [4, 1, 2, 1], [0, 4, 5, 7]),
        (30, [1, 1], [0, 2]),
        (0.5, [1, 1], [0, 120]),
        (6000, [1] * 4, [0, 0.01, 0.02, 0.03]),
    ],
)
def test_submits_start_one_after_the_other_by_their_images(rate, images, waits):
    pace = Rate(rate, Clock())
    assert [pace.wait_for(number) for number in images] == pytest.approx(waits)


def test_time_that_nobody_used_is_not_saved_up():
    clock = Clock()
    pace = Rate(60, clock)
    assert pace.wait_for(1) == 0
    clock.now += 600
    assert [pace.wait_for(1) for _ in range(3)] == [0, 1, 2]


def test_a_wait_gets_shorter_as_time_goes_by():
    clock = Clock()
    pace = Rate(60, clock)
    pace.wait_for(3)
    clock.now += 2.5
    assert pace.wait_for(1) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 4)), min_size=1, max_size=60))
def test_no_minute_ever_has_more_images_than_the_rate_and_one_submit(steps):
    clock = Clock()
    pace = Rate(60, clock)
    starts = []
    for passed, images in steps:
        clock.now += passed
        starts.append((clock.now + pace.wait_for(images), images))
    for start, _ in starts:
        # The last submit of a minute may begin in it and reach beyond.
        inside = sum(n for at, n in starts if start <= at < start + 60 - 1e-6)
        assert inside <= 60 + 4
