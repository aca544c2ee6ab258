"""A job held against its ledger: counts and prices are those of a walk, variant by variant."""

from collections import Counter

import pytest

from batchgen.job.load import Job, load_job
from batchgen.job.models import find_model
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.parts import Shard, divide
from batchgen.ledger.store import Ledger
from batchgen.run.claim.looking import known_ledger
from batchgen.run.plan import stock as stocks
from batchgen.run.plan.planning import settle_plan
from batchgen.run.plan.preview import preview
from batchgen.run.plan.stock import projected, states, take_stock
from batchgen.run.terms.options import RunOptions
from batchgen.run.terms.prices import Prices, listed_prices
from tests.ledger.made import ROUTES
from tests.support.cli import write_job

MODEL = "wavespeed-ai/imagen4"


@pytest.fixture
def job(tmp_path) -> Job:
    prompts = ["a pear", {"text": "a plum", "num_images": [1, 3]}]
    return load_job(write_job(tmp_path / "job.yaml", prompts, matrix={"seed": [1, 2, 3, 4]}))


async def _bring(ledger: Ledger, job: Job, index: int, state: State) -> None:
    variant = job.variants[index]
    entry = Entry(
        key=variant.key,
        state=State.PLANNED,
        revision=0,
        prompt_id=variant.prompt_id,
        model=variant.model,
        request=variant.request,
        images_asked=find_model(variant.model).images(variant.request),
    )
    for step in ROUTES[state]:
        entry = entry.move(step)
        await ledger.write(entry)


def test_without_a_ledger_all_is_new(job: Job):
    stock = take_stock(job, None)
    assert stock.variants == Counter({(State.PLANNED, MODEL): 12})
    assert stock.new() == {MODEL: 4 + 4 + 12}
    assert listed_prices(job, free=False).total(stock.new()) == 20 * 40_000


@pytest.mark.parametrize("edited", [False, True])
async def test_states_are_counted_alike_by_the_ledger_and_by_a_walk(
    job: Job, tmp_path, monkeypatch, edited
):
    folder = job.folder / ".batchgen"
    folder.mkdir(parents=True)
    with Ledger(folder / "ledger.sqlite3") as ledger:
        settle_plan(ledger, job)
        brought = dict(enumerate(reversed(State)))
        for index, state in brought.items():
            await _bring(ledger, job, index, state)
        if edited:
            ledger.set_meta(plan="that of an earlier form")
            ledger.want([])  # which asked for none of these
        else:  # a million variants are not looked up one by one
            monkeypatch.delattr(stocks, "_walk")
        stock = take_stock(job, ledger)
    assert stock.recorded == len(brought)
    assert preview(job, RunOptions(service="local")).unwanted == 0
    walked = list(states(job, job.folder))
    assert {v.index: s for v, s in walked if s is not State.PLANNED} == {
        index: state for index, state in brought.items() if state is not State.PLANNED
    }
    assert +stock.variants == Counter((state, v.model) for v, state in walked)
    images: Counter[tuple[State, str]] = Counter()
    for variant, state in walked:
        images[state, variant.model] += find_model(variant.model).images(variant.request)
    assert +stock.images == images
    with known_ledger(tmp_path / "nowhere") as nothing:
        assert nothing is None


def test_the_largest_submit_is_the_one_with_most_images_at_the_highest_price(job: Job):
    assert stocks.largest(job, listed_prices(job, free=False)) == (3, 120_000)
    assert stocks.largest(job, Prices(micros={MODEL: 1, "other": 5})) == (3, 15)
    assert stocks.largest(job, Prices(micros={MODEL: None})) == (3, 0)


def test_a_part_of_a_dataset_has_its_share_of_each_model_rounded_up(job: Job, tmp_path):
    two = ["google/imagen4", "google/imagen4-fast"]
    several = load_job(
        write_job(tmp_path / "two.yaml", ["a pear"], matrix={"model": two, "seed": "1..11"})
    )
    divide(tmp_path / "none", tmp_path / "ledgers")
    rounded = 0
    for shard in (Shard(index, 3) for index in range(3)):
        with DividedLedger(tmp_path / "ledgers", shard.parts) as ledger:
            own = [v for v in job.variants if ledger.part(v.key)]
            stock, estimate = take_stock(job, ledger), take_stock(several, ledger)
            planned = sum(ledger.part(v.key) is not None for v in several.variants)
        assert stock.variants == {(State.PLANNED, MODEL): len(own)}
        asked = sum(find_model(MODEL).images(v.request) for v in own)
        assert stock.images == {(State.PLANNED, MODEL): asked}
        assert estimate.new() == dict.fromkeys(two, -(-planned // 2))
        assert estimate.variants == estimate.images
        rounded += planned % 2
    assert rounded


@pytest.mark.parametrize(
    ("spent", "budget", "expected"),
    [(7, None, 800_007), (7, 10**7, 800_007), (7, 500_000, 500_000), (600_000, 500_000, 600_000)],
)
def test_what_the_dataset_will_have_cost_is_within_the_budget(
    job: Job, tmp_path, spent, budget, expected
):
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        prices = listed_prices(job, free=False)
        assert projected(job, ledger, prices, spent, budget) == expected
        assert projected(job, ledger, Prices(), spent, budget) is None
