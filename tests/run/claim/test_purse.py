"""The budget among shards: promises and spending never exceed it together."""

import asyncio
import random
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import ExitCode, LockedError
from batchgen.job.load import load_job
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.entry import State
from batchgen.ledger.parts import Shard, lock_of, part_of
from batchgen.run.claim.claiming import acquire
from batchgen.run.claim.parting import claim_parts
from batchgen.run.claim.purse import draw
from batchgen.run.pace.stop import Stop
from tests.ledger.made import bring
from tests.support.cli import write_job

BUDGET = 1_000_000
PRICE = 7_000


class Shards:
    """Runs that each own some parts, and spend."""

    def __init__(self, root: Path) -> None:
        job = load_job(write_job(root.with_name("job.yaml"), ["a pear"]))
        self.pace = replace(job.pace, budget_micros=BUDGET)
        self.folder = DatasetFolder(root)
        self.folder.prepare()
        self._runs: dict[Shard, tuple[ExitStack, DividedLedger, int]] = {}
        self._made = 0

    async def claim(self, shard: Shard) -> DividedLedger:
        """Own the parts of *shard* without a budget yet."""
        stack = ExitStack()
        ledger = await claim_parts(self.folder, shard, stack)
        assert isinstance(ledger, DividedLedger)
        self._runs[shard] = (stack, ledger, 0)
        return ledger

    async def start(self, shard: Shard) -> int:
        ledger = await self.claim(shard)
        level = (await draw(self.pace, self.folder, shard, ledger, Stop())).budget_micros
        assert level is not None
        self._runs[shard] = (self._runs[shard][0], ledger, level)
        return level

    def ledger(self, shard: Shard) -> DividedLedger:
        """That of a run."""
        return self._runs[shard][1]

    async def spend_at_once(self, shard: Shard, micros: int) -> None:
        """Two submits in one part of *shard*, whatever its level."""
        ledger = self.ledger(shard)
        for number in range(2):
            key = f"{shard.parts[-1] * 4:02x}{number:06x}"
            await bring(ledger, key, State.SUBMITTING, spent_micros=micros // 2)

    async def spend(self, shard: Shard, micros: int) -> None:
        """Submits for so much, as far as the level allows."""
        _, ledger, level = self._runs[shard]
        while micros >= PRICE and ledger.totals().spent_micros + PRICE <= level:
            micros -= PRICE
            self._made += 1
            part = random.Random(self._made).choice(shard.parts)
            key = f"{part * 4:02x}{self._made:06x}"
            assert part_of(key) == part
            await bring(ledger, key, State.SUBMITTING, spent_micros=PRICE)

    def end(self, shard: Shard) -> None:
        self._runs.pop(shard)[0].close()

    @property
    def spent(self) -> int:
        with DividedLedger(self.folder.ledgers, read_only=True) as ledger:
            return ledger.totals().spent_micros

    def end_all(self) -> None:
        for shard in list(self._runs):
            self.end(shard)


@pytest.fixture
def shards(tmp_path):
    made = Shards(tmp_path / "job")
    yield made
    made.end_all()


async def test_shards_at_once_have_equal_shares_whatever_the_others_have_spent(shards):
    a, b, c = (Shard(index, 3) for index in range(3))
    assert await shards.start(a) == 333_334
    await shards.spend(a, 200_000)
    assert await shards.start(b) == 333_334
    assert await shards.start(c) == 333_332
    shards.end(a)
    assert await shards.start(a) == 333_334  # started again, it has what it had


async def test_another_number_of_shards_has_what_is_left_and_not_more(shards):
    half = Shard(0, 2)
    await shards.start(half)
    await shards.spend(half, BUDGET)
    shards.end(half)
    spent = shards.spent
    assert BUDGET / 2 - PRICE < spent <= BUDGET / 2
    levels = [await shards.start(Shard(index, 7)) for index in range(7)]
    assert sum(levels) <= BUDGET
    for index in range(7):
        await shards.spend(Shard(index, 7), BUDGET)
    assert spent < shards.spent <= BUDGET


async def test_a_budget_that_is_spent_leaves_a_shard_what_it_has(shards):
    whole = Shard(0, 1)
    await shards.start(whole)
    await shards.spend(whole, BUDGET)
    shards.end(whole)
    with ExitStack() as stack:
        own = await claim_parts(shards.folder, Shard(1, 4), stack)
        before = own.totals().spent_micros
    # The others may have a little less than their equal shares, but it is not there.
    assert await shards.start(Shard(1, 4)) <= max(before, BUDGET - (shards.spent - before))


async def test_without_a_budget_nobody_shares_one(shards):
    pace = replace(shards.pace, budget_micros=None)
    ledger = await shards.claim(Shard(0, 2))
    assert await draw(pace, shards.folder, Shard(0, 2), ledger, Stop()) is pace


async def test_what_other_parts_have_spent_is_not_there_for_a_shard(shards):
    odd, even = Shard(1, 2), Shard(0, 2)
    await shards.claim(odd)
    await shards.spend_at_once(odd, 900_000)
    assert await shards.start(even) == 100_000  # the other one has not drawn yet
    for told in ("", "[1", '{"a": 1}', "[null, 7]", "7"):  # or was killed while it began to
        (shards.folder.ledgers / "01.budget").write_text(told)
        ledger = shards.ledger(even)
        assert (
            await draw(shards.pace, shards.folder, even, ledger, Stop())
        ).budget_micros == 100_000
    shards.end(odd)
    shards.end(even)
    assert await shards.start(even) == 100_000


async def test_a_run_that_has_not_drawn_yet_hides_no_promise_to_another(shards):
    half, first, third, odd = Shard(0, 2), Shard(0, 4), Shard(2, 4), Shard(1, 2)
    await shards.start(half)
    shards.end(half)
    await shards.claim(third)  # its parts still tell of the half, which began with part 0
    await shards.spend_at_once(third, 400_000)
    levels = await shards.start(first) + await shards.start(odd)
    assert levels + 400_000 <= BUDGET


async def test_a_run_that_waits_for_its_budget_leaves_when_it_is_time(shards):
    stop, half = Stop(), Shard(0, 2)
    ledger = await shards.claim(half)
    stop.leave(ExitCode.TERMINATED, "stopped")
    with ExitStack() as stack:
        await acquire(shards.folder.ledgers / "budget.lock", stack)
        with pytest.raises(LockedError):
            async with asyncio.timeout(5):
                await draw(shards.pace, shards.folder, half, ledger, stop)


async def test_what_was_promised_to_a_run_that_has_ended_can_be_had_again(shards):
    whole, half = Shard(0, 1), Shard(0, 2)
    assert await shards.start(whole) == BUDGET
    shards.end(whole)
    with ExitStack() as stack:  # another shard that only looks whether somebody owns a part
        await acquire(lock_of(shards.folder.ledgers, 7), stack, shared=True)
        assert await shards.start(half) == BUDGET // 2


async def test_of_two_shards_one_waits_while_the_other_draws(shards):
    ledger = await shards.claim(Shard(0, 2))
    drawing = draw(shards.pace, shards.folder, Shard(0, 2), ledger, Stop())
    with ExitStack() as stack:
        await acquire(shards.folder.ledgers / "budget.lock", stack)
        later = asyncio.ensure_future(drawing)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not list(shards.folder.ledgers.glob("*.budget"))
        assert not later.done()
    assert (await later).budget_micros == BUDGET // 2


async def test_no_order_of_starting_spending_and_dying_exceeds_the_budget(shards):
    chance = random.Random(7)
    running: list[Shard] = []
    for _ in range(12):
        shard = Shard(chance.randrange(4), 4)
        if shard not in running:
            running.append(shard)
            await shards.start(shard)
        await shards.spend(shard, chance.randrange(BUDGET // 4))
        if chance.random() < 0.5:
            gone = running.pop(chance.randrange(len(running)))
            shards.end(gone)
        assert shards.spent <= BUDGET
    shards.end_all()
    for index in range(4):
        await shards.start(Shard(index, 4))
    for index in range(4):
        await shards.spend(Shard(index, 4), BUDGET)
    assert BUDGET * 0.95 < shards.spent <= BUDGET
