"""The forecast of a run: what is new, in what time, on how much disk."""

from pathlib import Path
from typing import Any

import pytest

from batchgen.errors import UsageError
from batchgen.job.load import Job, load_job
from batchgen.run.plan.preview import Preview, preview
from batchgen.run.terms.access import BASE_URL
from batchgen.run.terms.options import RunOptions
from tests.support.cli import write_job


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    monkeypatch.delenv(BASE_URL, raising=False)


def _job(folder: Path, **keys: Any) -> Job:
    prompts = [f"pear {number}" for number in range(60)]
    return load_job(write_job(folder / "job.yaml", prompts, **keys))


def _preview(job: Job, **options: Any) -> Preview:
    return preview(job, RunOptions(**options))


@pytest.mark.parametrize(
    ("run", "seconds"),
    [
        ({}, 8 + 59 / 2 * 60),  # bronze: two a minute
        ({"tier": "silver"}, 8 + 59 / 500 * 60),
        ({"tier": "silver", "concurrency": 4}, 15 * 8),  # fifteen rounds of four
        ({"tier": "ultra"}, 8 + 59 / 5000 * 60),
    ],
)
def test_the_time_is_that_of_the_slower_limit(tmp_path, run, seconds: float):
    found = _preview(_job(tmp_path, run=run))
    assert found.seconds == pytest.approx(seconds)
    assert (found.limits.assumed == "bronze") is (run == {})


def test_on_this_machine_only_what_is_in_flight_counts(tmp_path, monkeypatch):
    job = _job(tmp_path)
    assert _preview(job, service="local").seconds == 60 / 8 * 2
    monkeypatch.setenv(BASE_URL, "http://127.0.0.1:9")
    assert _preview(job).seconds == 60 / 8 * 8
    assert _preview(job, tier="bronze").limits.rate == 2
    monkeypatch.setenv(BASE_URL, "http://example.com")
    with pytest.raises(UsageError, match="expected https"):
        _preview(job)


def test_the_disk_is_by_pixels_until_there_are_images(tmp_path):
    found = _preview(_job(tmp_path, params={"aspect_ratio": "16:9", "num_images": 2}))
    assert found.sizes == {(1408, 768): 120}
    assert found.new_bytes == 120 * 1408 * 768 * 1.5
    assert found.free_bytes > 0
    assert (found.price_micros, found.spent_micros, found.unwanted) == (120 * 40_000, 0, 0)
    assert _preview(_job(tmp_path, service="local")).price_micros == 0


def test_of_an_unknown_model_the_price_and_the_sizes_are_unknown(tmp_path):
    found = _preview(_job(tmp_path, model="some/model"))
    assert found.price_micros is None
    assert found.sizes == {None: 60}
    assert found.new_bytes == 60 * 1024 * 1024 * 1.5
