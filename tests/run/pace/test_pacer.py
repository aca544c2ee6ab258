"""The pace of submits, by a clock that stands still unless told to go."""

import asyncio
import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.api.outcome import Fate, Refusal
from batchgen.api.retry import backoff
from batchgen.errors import ExitCode
from batchgen.run.pace import pacer as module
from batchgen.run.pace.pacer import IN_A_ROW, STRIKES, Pacer
from batchgen.run.pace.stop import Stop

BUSY = Refusal(fate=Fate.THROTTLED, reason="HTTP 429", status=429)
UNREACHED = Refusal(fate=Fate.NOT_SENT, reason="refused")


class Clock(Stop):
    """A stop whose pauses pass at once, by a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    async def pause_submit(self, seconds: float) -> bool:
        self.now += seconds
        await asyncio.sleep(0)
        return self.submitting


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def no_chance(monkeypatch):
    """Every backoff is as long as it may be."""
    monkeypatch.setattr(module, "backoff", lambda n, asked: backoff(n, asked, chance=1))


def make(clock: Clock, rate: float | None = None, places: int = 1_000) -> Pacer:
    return Pacer(clock, rate, concurrency=places, clock=lambda: clock.now)


async def start(pacer: Pacer, images: int = 1) -> float:
    async with pacer.turn(images) as go:
        assert go
        return pacer.now()


async def starts(pacer: Pacer, *images: int) -> list[float]:
    """Seconds from the first to each of the submits."""
    found = [await start(pacer, number) for number in images]
    return [moment - found[0] for moment in found]


async def test_without_a_rate_everything_may_start_at_once(clock):
    assert await starts(make(clock), *[4] * 50) == [0] * 50


@pytest.mark.parametrize(
    ("rate", "images", "moments"),
    [
        (60, [1, 1, 1], [0, 1, 2]),
        (60, [4, 1, 2, 1], [0, 4, 5, 7]),
        (30, [1, 1], [0, 2]),
        (0.5, [1, 1], [0, 120]),
        (6000, [1] * 4, [0, 0.01, 0.02, 0.03]),
    ],
)
async def test_submits_start_one_after_the_other_by_their_images(clock, rate, images, moments):
    assert await starts(make(clock, rate), *images) == pytest.approx(moments)


async def test_time_that_nobody_used_is_not_saved_up(clock):
    pacer = make(clock, 60)
    await start(pacer)
    clock.now += 600
    assert await starts(pacer, 1, 1, 1) == pytest.approx([0, 0.9, 1.9])


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 4)), min_size=1, max_size=60))
async def test_no_minute_ever_has_more_images_than_the_rate_and_one_submit(steps):
    clock = Clock()
    pacer, found = make(clock, 60), []
    for passed, images in steps:
        clock.now += passed
        found.append((await start(pacer, images), images))
    for first, _ in found:
        # The last submit of a minute may begin in it and reach beyond.
        inside = sum(n for at, n in found if first <= at < first + 60 - 0.2)
        assert inside <= 60 + 4


async def test_a_stop_ends_the_waiting(clock):
    pacer = make(clock, 1)
    await start(pacer)
    clock.no_more_submits(ExitCode.INCOMPLETE, "enough")
    async with pacer.turn(1) as go:
        assert not go


@pytest.mark.parametrize("times", [1, IN_A_ROW - 1])
async def test_a_lone_one_that_is_turned_away_lets_nobody_else_wait(clock, times):
    pacer = make(clock)
    await starts(pacer, *[1] * 20)
    for sent in [await start(pacer) for _ in range(times)]:
        pacer.turned_away(BUSY, sent)
    assert await starts(pacer, *[1] * 20) == [0] * 20


@pytest.mark.parametrize(
    ("times", "asked", "wait"), [(IN_A_ROW, None, 0.5), (1, 30.0, 30.5), (1, 0.0, 0.5)]
)
async def test_several_or_one_that_names_a_time_let_all_wait(clock, times, asked, wait):
    pacer = make(clock)
    sent = [await start(pacer) for _ in range(times)]
    for moment in sent:
        pacer.turned_away(replace(BUSY, retry_after=asked), moment)
    assert await start(pacer) - sent[0] == pytest.approx(wait)


async def test_a_share_of_a_third_is_several_though_others_are_accepted_in_between(clock):
    pacer = make(clock)
    for _ in range(60):
        pacer.accepted(1, await start(pacer))
        pacer.turned_away(UNREACHED, await start(pacer))
        pacer.accepted(1, await start(pacer))
    assert clock.now > 1000.0


async def test_after_trouble_one_goes_alone_until_it_has_its_answer(clock):
    pacer = make(clock)
    await turn_away(pacer)
    order = []

    async def go(name: str) -> None:
        async with pacer.turn(1):
            order.append(name)
            sent = pacer.now()
            for _ in range(5):
                await asyncio.sleep(0)
            order.append(f"{name} answered")
            pacer.accepted(1, sent)

    await asyncio.gather(*(go(name) for name in "abc"))
    assert order == ["a", "a answered", "b", "c", "b answered", "c answered"]


async def test_waits_double_while_nothing_is_accepted(clock):
    pacer = make(clock)
    for _ in range(IN_A_ROW - 1):
        pacer.turned_away(UNREACHED, await start(pacer))
    moments = []
    for _ in range(8):
        moments.append(await start(pacer))
        pacer.turned_away(UNREACHED, moments[-1])
    waits = [later - sooner for sooner, later in pairwise(moments)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30]


async def test_those_turned_away_together_count_once(clock):
    pacer = make(clock)
    together = [await start(pacer) for _ in range(100)]
    clock.now += 1
    for sent in together:
        pacer.turned_away(BUSY, sent)
    assert clock.submitting
    assert await start(pacer) - together[0] == pytest.approx(1.5)


async def test_a_run_gives_up_when_nothing_is_accepted_for_long(clock, caplog):
    pacer = make(clock)
    began = clock.now
    for _ in range(IN_A_ROW - 1 + STRIKES):
        assert clock.submitting
        pacer.turned_away(UNREACHED, await start(pacer))
    assert not clock.submitting
    assert clock.code is ExitCode.INCOMPLETE
    assert "cannot be reached" in clock.why
    assert clock.now - began > 600
    # Said once, and early: a bar that stands still explains nothing.
    assert [r.message for r in caplog.records] == ["no submit is accepted: refused; trying again"]


async def test_an_accepted_submit_ends_the_trouble(clock):
    pacer = make(clock)
    for _ in range(3 * STRIKES):
        pacer.turned_away(UNREACHED, await start(pacer))
        pacer.accepted(1, await start(pacer))
    assert clock.submitting


async def test_what_was_completed_before_is_none_of_those_that_may_be_in_flight(clock):
    pacer = make(clock)
    pacer.expected = 2
    for expected, left in [(False, 2), (True, 1), (False, 1), (True, 0)]:
        pacer.joined(expected=expected)
        pacer.left()
        assert pacer.in_flight == left


async def run_at(pacer: Pacer, clock: Clock, seconds: float) -> None:
    """Submit as fast as the pacer lets us, at most 10 a second."""
    end = clock.now + seconds
    while clock.now < end:
        pacer.accepted(1, await start(pacer))
        pacer.left()
        clock.now += 0.1


async def turn_away(pacer: Pacer, times: int = IN_A_ROW) -> None:
    for _ in range(times):
        pacer.turned_away(BUSY, await start(pacer))


async def test_a_lone_429_says_nothing_about_the_rate(clock):
    pacer = make(clock, 6000)
    for _ in range(20):
        await run_at(pacer, clock, 2)
        await turn_away(pacer, 1)
    assert pacer.rate == 100


async def test_several_slow_down_to_less_than_was_accepted_and_the_rate_grows_back(clock):
    pacer = make(clock, 6000)
    await run_at(pacer, clock, 20)
    await turn_away(pacer)
    # A fifth less than 10 a second, and a little for the waits in between.
    assert 7 < pacer.rate < 8
    slow = pacer.rate
    await run_at(pacer, clock, 5)
    assert slow < pacer.rate < slow + 3
    await run_at(pacer, clock, 600)
    assert pacer.rate == 100


async def test_each_limit_that_is_met_slows_down_more(clock):
    pacer = make(clock)
    rates = []
    for _ in range(5):
        await run_at(pacer, clock, 2)
        await turn_away(pacer)
        rates.append(pacer.rate)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > module.SLOWEST


async def test_a_network_that_is_away_says_nothing_about_the_rate(clock):
    pacer = make(clock)
    await run_at(pacer, clock, 5)
    for _ in range(5):
        pacer.turned_away(UNREACHED, await start(pacer))
    assert pacer.rate == math.inf


async def test_while_the_other_side_is_in_trouble_the_rate_does_not_grow(clock):
    pacer = make(clock)
    await run_at(pacer, clock, 5)
    await turn_away(pacer)
    slow = pacer.rate
    for _ in range(20):
        clock.now += 1
        pacer.troubled()
        pacer.troubled()
        pacer.accepted(1, await start(pacer))
    assert pacer.rate < slow * 1.25
    await run_at(pacer, clock, 10)
    assert pacer.rate > slow * 1.25


class Limited:
    """A service with limits that it does not tell of; each prediction takes eight seconds."""

    def __init__(
        self,
        clock: Clock,
        *,
        most: int = 10**6,
        per_minute: int = 10**6,
        places: int = 1_000,
        chance: float = 0,
    ) -> None:
        self.clock, self.most, self.per_minute = clock, most, per_minute
        self.places, self.chance = places, chance
        self.random = random.Random(7)
        self.pacer = make(clock, places=places)
        self.ends: list[float] = []
        self.accepted = self.refused = 0
        self.began = clock.now
        clock.submits_end_or = self.until_one_ends  # type: ignore[method-assign,assignment]

    async def until_one_ends(self, _: asyncio.Event) -> None:
        self.clock.now = max(self.clock.now, min(self.ends))
        self.settle()

    def settle(self) -> None:
        for end in [end for end in self.ends if end <= self.clock.now]:
            self.ends.remove(end)
            self.pacer.left()

    async def run(self, seconds: float) -> None:
        while (now := self.clock.now) - self.began < seconds:
            async with self.pacer.turn(1):
                self.settle()
                minutes = 1 + int((now - self.began) // 60)
                free = len(self.ends) < self.most and self.accepted < self.per_minute * minutes
                if free and self.random.random() >= self.chance:
                    self.ends.append(self.clock.now + 8)
                    self.accepted += 1
                    self.pacer.accepted(1, self.clock.now)
                else:
                    self.refused += 1
                    self.pacer.turned_away(BUSY, self.clock.now)
            self.clock.now += 0.001
            if len(self.ends) >= self.places:
                await self.until_one_ends(asyncio.Event())


@pytest.mark.parametrize("most", [3, 20, 150])
async def test_a_hidden_number_in_flight_is_found_and_kept(clock, most):
    service = Limited(clock, most=most)
    await service.run(900)
    assert most - 1 <= service.pacer.window <= most + 2
    assert service.refused < 20 + service.accepted * 0.01
    # Nearly what the limit lets through.
    assert service.accepted > 0.95 * most * 900 / 8


async def test_a_limit_of_images_per_minute_slows_down_and_leaves_the_window_open(clock):
    service = Limited(clock, per_minute=60)
    await service.run(1200)
    assert service.accepted > 0.9 * 1200
    assert service.refused < 0.2 * service.accepted
    assert service.pacer.window >= 8


@pytest.mark.parametrize("chance", [1 / 15, 1 / 10])
async def test_what_is_turned_away_by_chance_costs_neither_time_nor_places(clock, chance):
    service = Limited(clock, places=100, chance=chance)
    await service.run(900)
    assert service.refused > 0.9 * chance * service.accepted
    assert service.accepted > 0.95 * 100 * 900 / 8


@pytest.mark.parametrize("first", [1, 5])
async def test_a_burst_of_refusals_at_the_start_narrows_no_run_for_good(clock, first):
    service = Limited(clock, places=100)
    service.most = first
    while service.refused < IN_A_ROW:
        await service.run(clock.now - service.began + 0.001)
    assert first <= service.pacer.window < first + 1
    service.most, service.chance = 100, 1 / 50
    await service.run(1800)
    assert service.pacer.window == 100
