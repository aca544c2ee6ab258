"""Mistakes in a job file or an option: all are shown, nothing is written and nothing is sent."""

import pytest

from tests.support.bench import Bench
from tests.support.cli import run_batchgen, write_job

WRONG = """\
name: My Job
prompts:
  - a pear
matrix:
  sed: [1, 2]
  aspect_ratio: [16:9, 16:10]
run: {concurrency: 0}
colour: red
"""


@pytest.mark.parametrize("command", ["run", "plan"])
def test_all_mistakes_are_shown_with_their_places_and_nothing_happens(bench: Bench, command):
    (bench.folder / "job.yaml").write_text(WRONG)
    done = run_batchgen(command, "job.yaml", cwd=bench.folder, env=bench.env)
    assert (done.returncode, done.stdout) == (2, "")
    for place in (
        "job.yaml:1:7: ",
        "job.yaml:5:3: ",
        "job.yaml:6:24: ",
        "job.yaml:7:",
        "job.yaml:8:1: ",
    ):
        assert place in done.stderr
    assert "seed" in done.stderr
    assert [path.name for path in bench.folder.iterdir()] == ["job.yaml"]
    assert bench.service.counts().requests == 0


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_missing_job_file_is_a_usage_error(bench: Bench, command):
    done = run_batchgen(command, "nothing.yaml", cwd=bench.folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing.yaml" in done.stderr
    assert list(bench.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("--concurrency", 0), ("--concurrency", -1), ("--rate", 0), ("--budget", -1)],
)
def test_an_impossible_option_is_refused_before_anything_is_written(bench: Bench, option, value):
    bench.job(1)
    done = bench.run(option, value)
    assert done.returncode == 2
    assert option.strip("-") in done.stderr
    assert not bench.dataset.exists()
    assert bench.service.counts().requests == 0


def test_a_dataset_folder_that_is_a_file_is_a_usage_error(bench: Bench):
    bench.job(1)
    (bench.folder / "taken").write_text("mine")
    done = bench.run("--out", "taken")
    assert done.returncode == 2
    assert "taken" in done.stderr
    assert (bench.folder / "taken").read_text() == "mine"


def test_a_job_of_too_many_variants_is_refused_with_its_arithmetic(bench: Bench):
    write_job(bench.folder / "job.yaml", ["a", "b"], matrix={"seed": "0..9999"})
    done = bench.run()
    assert done.returncode == 2
    assert "20,000 (2 prompts × 10,000 seed)" in done.stderr
    assert bench.service.counts().requests == 0


def test_a_damaged_ledger_is_a_storage_error_and_nothing_is_bought(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    (bench.dataset / ".batchgen" / "ledger.sqlite3").write_bytes(b"no database at all" * 100)
    done = bench.run()
    assert done.returncode == 7, done.stderr
    assert "ledger" in done.stderr
    assert bench.service.counts()["received"] == 2
