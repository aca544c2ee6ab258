"""Sharing out the limits of an account: nothing is exceeded, whatever the runs do."""

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from batchgen.run.sharing.granting import LOST, MADE, Limited, LocalLeases
from batchgen.run.sharing.leases import NOTHING, VALID, Grant, Usage

PRICE = 7
RATE = 600


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(kw_only=True)
class Run:
    """A run of a shard that submits all that its grant allows."""

    name: str
    run: str
    left: int
    """Submits that it would like to send."""
    micros: int = 0
    """What its parts have cost, by whichever run."""
    flying: deque[float] = field(default_factory=deque)
    """When each prediction ends."""
    grant: Grant = NOTHING
    fresh: float = 0.0
    submits: int = 0
    images: int = 0

    def usage(self) -> Usage:
        return Usage(
            run=self.run,
            grant=self.grant,
            in_flight=len(self.flying),
            waiting=self.left,
            images=self.images,
            micros=self.micros,
            submits=self.submits,
        )

    def submit_all(self, now: float) -> int:
        """Send what may be sent; how many."""
        sent = 0
        while self.left and now - self.fresh < VALID and self._may():
            self.flying.append(now + random.Random(self.micros).uniform(1, 9))
            self.left -= 1
            self.micros += PRICE
            self.submits += 1
            self.images += 1
            sent += 1
        return sent

    def _may(self) -> bool:
        grant = self.grant
        return (
            len(self.flying) < grant.in_flight
            and (grant.images is None or self.images < grant.images)
            and (grant.micros is None or self.micros + PRICE <= grant.micros)
            and (grant.submits is None or self.submits < grant.submits)
        )


class World:
    """Runs of shards, some of which die, under one object that grants."""

    def __init__(
        self, seed: int, limited: Limited, *, shards: int, each: int, deaths: float = 0.002
    ) -> None:
        self.deaths = deaths
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.limited = limited
        self.leases = LocalLeases(limited, self.clock)
        self.runs = [Run(name=str(n), run=f"{n}", left=each) for n in range(shards)]
        self.dead: list[tuple[float, Run]] = []
        self.sent: list[float] = []
        self.worst_in_flight = 0

    async def step(self) -> None:
        """A run does something, after some milliseconds."""
        self.clock.now += self.chance.uniform(0.001, 0.08)
        now = self.clock.now
        for run in self.runs:
            run.flying = deque(end for end in run.flying if end > now)
        self._take_up_the_dead(now)
        if not self.runs:
            return
        run = self.chance.choice(self.runs)
        luck = self.chance.random()
        if luck < self.deaths:
            self._kill(run, now)
            return
        grant = await self.leases.renew(run.name, run.usage())
        if luck > 0.9:  # the answer is late: the run goes on by what it has
            self._submit(run, now)
        elif luck > 0.05:  # else it was lost
            run.grant, run.fresh = grant, now
        self._submit(run, now)

    def _submit(self, run: Run, now: float) -> None:
        self.sent += [now] * run.submit_all(now)
        ghosts = sum(end > now for _, run in self.dead for end in run.flying)
        flying = sum(len(one.flying) for one in self.runs) + ghosts
        self.worst_in_flight = max(self.worst_in_flight, flying)

    def _kill(self, run: Run, now: float) -> None:
        self.runs.remove(run)
        # What it had in flight is still being made; the next run finds it in the ledger.
        self.dead.append((now + self.chance.choice([0.5, LOST + 1, MADE + 1]), run))

    def _take_up_the_dead(self, now: float) -> None:
        for when, run in [pair for pair in self.dead if pair[0] <= now]:
            self.dead.remove((when, run))
            again = Run(name=run.name, run=f"{run.run}'", left=run.left, micros=run.micros)
            again.flying = deque(end for end in run.flying if end > now)
            self.runs.append(again)

    @property
    def spent(self) -> int:
        return sum(run.micros for run in [*self.runs, *(run for _, run in self.dead)])

    def worst_minute(self) -> int:
        worst, first = 0, 0
        for last, when in enumerate(self.sent):
            while self.sent[first] <= when - 60:
                first += 1
            worst = max(worst, last - first + 1)
        return worst


@pytest.mark.parametrize("seed", range(6))
async def test_no_limit_is_ever_exceeded_and_all_work_is_done(seed):
    world = World(seed, Limited(in_flight=40, rate=RATE, most_micros=PRICE), shards=6, each=250)
    while (world.runs and any(run.left for run in world.runs)) or world.dead:
        await world.step()
    assert len(world.sent) == 1500
    assert world.worst_in_flight <= 40
    assert world.worst_minute() <= RATE


async def test_what_is_allowed_is_used():
    limited = Limited(in_flight=40, rate=RATE)
    world = World(0, limited, shards=6, each=250, deaths=0)
    while any(run.left for run in world.runs):
        await world.step()
    ideal = 1500 / (40 / 5)  # predictions of 5 s in 40 places: less than 10 images a second
    assert world.clock.now < 1.15 * ideal


@pytest.mark.parametrize("seed", range(4))
async def test_money_and_submits_are_spent_to_the_last_and_no_further(seed):
    for limited, most in (
        (Limited(in_flight=40, micros=50 * PRICE + 3, most_micros=PRICE), 50),
        (Limited(in_flight=40, submits=50), 50),
    ):
        world = World(seed, limited, shards=5, each=100)
        while not all(run.grant.last for run in world.runs) or world.dead:
            await world.step()
            assert world.clock.now < 600
        assert len(world.sent) <= most
        if not any("'" in run.run for run in world.runs):
            assert len(world.sent) == most


async def test_what_one_wants_no_more_the_others_get():
    clock = Clock()
    leases = LocalLeases(Limited(in_flight=10), clock)
    one, two = Run(name="a", run="1", left=100), Run(name="b", run="2", left=100)
    for _ in range(3):
        for run in (one, two):
            run.grant = await leases.renew(run.name, run.usage())
    assert (one.grant.in_flight, two.grant.in_flight) == (5, 5)
    one.left = 0
    for _ in range(3):
        for run in (one, two):
            run.grant = await leases.renew(run.name, run.usage())
    assert (one.grant.in_flight, two.grant.in_flight) == (0, 10)


async def test_the_places_of_a_lost_run_come_back_when_its_predictions_have_ended():
    clock = Clock()
    leases = LocalLeases(Limited(in_flight=10), clock)
    lost, other = Run(name="a", run="1", left=9), Run(name="b", run="2", left=9)
    lost.grant = await leases.renew("a", lost.usage())
    for second in (1, LOST + 1, MADE - 1):
        clock.now = second
        assert (await leases.renew("b", other.usage())).in_flight == 0
    clock.now = MADE + 1
    assert (await leases.renew("b", other.usage())).in_flight > 0


async def test_the_next_run_of_a_lost_shard_tells_what_its_ledger_knows():
    clock = Clock()
    leases = LocalLeases(Limited(in_flight=10, micros=10 * PRICE, most_micros=PRICE), clock)
    lost = Run(name="a", run="1", left=9)
    lost.grant = await leases.renew("a", lost.usage())
    lost.submit_all(0.0)
    again = Run(name="a", run="2", left=0, micros=lost.micros)
    await leases.renew("a", again.usage())
    await leases.end("a", again.usage())
    progress = await leases.progress()
    assert (progress.micros, progress.in_flight) == (lost.micros, 0)
    other = Run(name="b", run="3", left=1)
    assert (await leases.renew("b", other.usage())).in_flight == 10


async def test_a_lost_run_that_comes_back_is_granted_nothing_once_another_has_followed_it():
    leases = LocalLeases(Limited(in_flight=10, micros=10 * PRICE, submits=9, most_micros=PRICE))
    lost, after = Run(name="a", run="1", left=9), Run(name="a", run="2", left=9)
    lost.grant = await leases.renew("a", lost.usage())
    lost.submit_all(0.0)
    after.micros = lost.micros
    after.grant = await leases.renew("a", after.usage())
    assert after.grant.in_flight > 0
    known = await leases.progress()
    assert await leases.renew("a", lost.usage()) == NOTHING
    await leases.end("a", lost.usage())
    assert await leases.progress() == known
    assert await leases.renew("a", after.usage()) == after.grant


async def test_counts_are_those_of_all_runs_also_of_the_lost():
    leases = LocalLeases(Limited(in_flight=10))
    tell = {"grant": NOTHING, "in_flight": 2, "waiting": 0}
    for name, run, done in (("a", "1", (3, 4)), ("b", "2", (1, 1)), ("a", "3", (10, 0))):
        await leases.renew(name, Usage(run=run, done=done, **tell))  # type: ignore[arg-type]
    progress = await leases.progress()
    assert (progress.done, progress.in_flight) == ((14, 5), 4)
