"""Plain functions of whoever starts a run, called while it goes on."""

import asyncio
from pathlib import Path

import pytest

from batchgen.job.load import load_job
from batchgen.run.making import run_job
from batchgen.run.telling.hooks import Begun, Hooks
from batchgen.run.telling.tally import Tally
from tests.support.bench import Bench
from tests.support.cli import failures


@pytest.fixture(autouse=True)
def account(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(bench.folder))


def test_each_hook_hears_what_it_is_for(bench: Bench):
    images: list[dict[str, object]] = []
    lost: list[dict[str, object]] = []
    begun: list[Begun] = []
    tallies: list[tuple[int, int, int]] = []
    hooks = Hooks(
        begun=begun.append,
        image=images.append,
        failure=lost.append,
        progress=lambda tally: tallies.append((tally.submits, tally.images, len(tally.slots))),
    )
    job = load_job(bench.job(["a pear", "a plum", "a fig [submit=400]"]))
    outcome = asyncio.run(run_job(job, hooks=hooks))
    assert images == bench.rows()
    assert lost == failures(bench.dataset)
    (start,) = begun
    assert (start.run, start.job) == (outcome.run, "job")
    assert start.folder.root == Path(outcome.dataset)
    assert start.started_at == outcome.started_at
    assert tallies[0] == (0, 0, 0)
    assert max(slots for _, _, slots in tallies) > 0
    assert tallies[-1] == (3, 2, 0)


def test_an_image_is_under_its_final_name_when_its_hook_is_called(bench: Bench):
    found = []

    def look(row: dict[str, object]) -> None:
        found.append((bench.dataset / str(row["file_name"])).stat().st_size == row["bytes"])

    asyncio.run(run_job(load_job(bench.job(4)), hooks=Hooks(image=look)))
    assert found == [True] * 4


def test_a_hook_that_fails_ends_the_run_and_loses_nothing(bench: Bench):
    def fall(_: object) -> None:
        raise KeyError("the hook's own mistake")

    job = load_job(bench.job(4, run={"concurrency": 4}))
    with pytest.raises(KeyError, match="own mistake"):
        asyncio.run(run_job(job, hooks=Hooks(image=fall)))
    assert asyncio.run(run_job(job)).exit_code == 0
    bench.check_whole(4)
    bench.check_billed_once(4)


@pytest.mark.parametrize(("budget", "projected"), [(None, 160_000), (0.1, 100_000), (9, 160_000)])
def test_the_tally_tells_what_the_dataset_will_have_cost(bench: Bench, budget, projected):
    found: list[int | None] = []

    def note(tally: Tally) -> None:
        found.append(tally.projected_micros)

    run = {} if budget is None else {"budget": budget}
    asyncio.run(run_job(load_job(bench.job(4, run=run)), hooks=Hooks(progress=note)))
    assert set(found) == {projected}
