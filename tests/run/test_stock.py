"""A job held against its ledger: counts and prices are those of a walk, variant by variant."""

from collections import Counter

import pytest

from batchgen.job.load import Job, load_job
from batchgen.job.models import find_model
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.store import Ledger
from batchgen.run.options import RunOptions
from batchgen.run.planning import settle_plan
from batchgen.run.preview import preview
from batchgen.run.prices import Prices, listed_prices
from batchgen.run.stock import known_ledger, states, take_stock
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
async def test_states_are_counted_alike_by_the_ledger_and_by_a_walk(job: Job, tmp_path, edited):
    folder = job.folder / ".batchgen"
    folder.mkdir(parents=True)
    with Ledger(folder / "ledger.sqlite3") as ledger:
        settle_plan(ledger, job)
        brought = dict(enumerate(State))
        for index, state in brought.items():
            await _bring(ledger, job, index, state)
        if edited:
            ledger.set_meta(plan="that of an earlier form")
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


def test_a_price_that_is_not_known_is_none_unless_nothing_is_new():
    unknown = Prices(micros={MODEL: None})
    assert unknown.total({MODEL: 1}) is None
    assert unknown.total({MODEL: 0}) == 0
    assert (unknown.unknown(), unknown.range()) == ([MODEL], None)
