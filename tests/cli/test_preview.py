"""What a plan looks like: one glance, 80 columns."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from batchgen.cli.preview import print_preview, warn
from batchgen.job.load import Job, load_job
from batchgen.ledger.entry import State
from batchgen.run.plan.preview import Preview, preview
from batchgen.run.plan.stock import Stock
from batchgen.run.terms.options import RunOptions

MODEL = "wavespeed-ai/imagen4"


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAVESPEED_BASE_URL", raising=False)
    Path("big.yaml").write_text(
        "name: big\nprompts: [A pear, A plum]\nparams: {num_images: 2}\n"
        'matrix: {seed: "1..1000", aspect_ratio: [1:1, 16:9, 9:16, 3:4, 4:3]}\n'
        "run: {tier: silver, budget: 1000, max_duration: 30m}\n"
    )
    return load_job("big.yaml")


def _half_made(job: Job) -> Preview:
    found = replace(preview(job, RunOptions()), free_bytes=9_000_000, new_bytes=8_400_000)
    numbers = {state: 10**index for index, state in enumerate(State)}
    variants = Counter({(state, MODEL): number for state, number in numbers.items()})
    images = Counter({key: 2 * number for key, number in variants.items()})
    stock = Stock(variants=variants, images=images)
    return replace(found, stock=stock, unwanted=12, spent_micros=790_000, price_micros=80_000)


def test_a_plan_of_a_dataset_half_made_fits_80_columns(job: Job, capsys):
    print_preview(job, _half_made(job))
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert (
        said
        == """\
job       big (big.yaml)
model     wavespeed-ai/imagen4 on WaveSpeedAI
variants  10,000 = 2 prompts × 1,000 seed × 5 aspect_ratio
images    20,000: 4,000 each of 1024×1024, 1408×768, 768×1408, 896×1280,
          1280×896
dataset   out/big

                   variants     images
new                       1          2
in flight               110        220
to download           1,000      2,000
saved                10,000     20,000
failed              100,000    200,000  run --retry-failed makes them again
uncertain         1,000,000  2,000,000  perhaps paid: see batchgen reconcile
expired          10,000,000 20,000,000  run --resubmit-expired buys them again
no longer wanted         12             their images are kept

price     $0.080 for what is new, at $0.04 an image; $0.790 spent so far; the
          budget is $1,000.00
time      about 40 min, with 300 in flight and 500 images a minute; each run
          stops after 30 min
disk      about 8.4 MB more; 9.0 MB are free
"""
    )


def test_a_plan_of_a_dataset_that_is_made_costs_nothing_and_takes_no_time(job: Job, capsys):
    made: Counter[tuple[State, str]] = Counter({(State.SAVED, MODEL): 10_000})
    stock = Stock(variants=made, images=made)
    found = replace(preview(job, RunOptions()), stock=stock, price_micros=0, spent_micros=40_000)
    print_preview(job, found)
    said = capsys.readouterr().out
    assert (
        "\nsaved                10,000     10,000\n\nprice     nothing is new; $0.040 spent" in said
    )
    assert "\ntime      none\ndisk      nothing more; " in said
    assert list(warn(replace(found, new_bytes=0))) == []


def test_what_a_part_of_the_job_leaves_out_is_not_called_unwanted(job: Job, capsys):
    print_preview(job, replace(preview(job, RunOptions()), unwanted=7), part=True)
    said = capsys.readouterr().out
    assert "\noutside the part          7             their images are kept\n" in said
    assert "no longer wanted" not in said


def test_too_small_a_budget_and_too_small_a_disk_are_said_before_the_run(job: Job):
    found = replace(preview(job, RunOptions(budget=1.0)), spent_micros=900_000)
    found = replace(found, free_bytes=10**9)
    assert list(warn(found)) == [
        "the budget leaves $0.100 for what costs $800.00: enough for 2 of 20,000 new images",
        "the new images take some 33.0 GB, but the disk of out/big has 1.0 GB left",
    ]


def test_what_is_not_known_is_not_guessed(job: Job, capsys):
    plain = replace(job.models[0], id="some/model", price_micros=None)
    found = replace(
        preview(job, RunOptions(service="wavespeed")), price_micros=None, sizes={None: 7}
    )
    print_preview(replace(job, models=(plain,)), found)
    said = capsys.readouterr().out
    assert "price     unknown for what is new (the service quotes it when a run begins)" in said
    assert "images    7 of unknown size\n" in said
