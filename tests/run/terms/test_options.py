"""What the command line says wins; what it leaves open stays as the job file has it."""

from dataclasses import asdict

import pytest

from batchgen.errors import UsageError
from batchgen.job.load import Job, load_job
from batchgen.run.terms.options import RunOptions
from tests.support.cli import write_job

PACE = {
    "concurrency": 3,
    "rate": 30,
    "budget": 2,
    "limit": 5,
    "max_duration": "2h",
    "max_failures": "10%",
    "on_uncertain": "resubmit",
}


@pytest.fixture
def job(tmp_path) -> Job:
    return load_job(write_job(tmp_path / "job.yaml", ["a pear"], run=PACE))


def test_without_options_the_job_file_holds(job):
    assert RunOptions().pace(job) == job.pace
    assert job.pace.budget_micros == 2_000_000
    assert (job.pace.max_duration, job.pace.resubmit_uncertain) == (7200, True)


@pytest.mark.parametrize(
    ("option", "value", "field", "result"),
    [
        ("concurrency", 9, "concurrency", 9),
        ("rate", 0.5, "rate", 0.5),
        ("budget", 0, "budget_micros", 0),
        ("budget", 0.07, "budget_micros", 70_000),
        ("budget", 0.1 + 0.2, "budget_micros", 300_000),
        ("budget", 0.0000019, "budget_micros", 1),
        ("budget", 1e9, "budget_micros", 10**15),
        ("limit", 1, "limit", 1),
        ("max_duration", "90m", "max_duration", 5400),
        ("max_duration", "0.5", "max_duration", 0.5),
        ("max_failures", "0", "max_failures", "0"),
        ("on", "ray", "on", "ray"),
        ("on", "ray://[::1]:6379", "on", "ray://[::1]:6379"),
        ("max_failures", "100%", "max_failures", "100%"),
        ("on_uncertain", "hold", "resubmit_uncertain", False),
        ("on_uncertain", "resubmit", "resubmit_uncertain", True),
    ],
)
def test_an_option_wins_and_changes_nothing_else(job, option, value, field, result):
    found = asdict(RunOptions(**{option: value}).pace(job))
    assert found == {**asdict(job.pace), field: result}


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("concurrency", [0, -1]),
        ("rate", [0, -0.5, float("nan")]),
        ("limit", [0, -1]),
        ("budget", [-0.01, 1e9 + 1, float("nan"), float("inf"), float("-inf")]),
        ("max_duration", ["", "0", "soon", "-1h", "1h 30m x", "nan", "inf"]),
        ("on", ["", "spark", "ray://", "ray://here", "ray://here:port"]),
        ("max_failures", ["", "-1", "101%", "5.5", "%", "1e3", "nan%"]),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_in_one_sentence(job, option, values):
    for value in values:
        with pytest.raises(UsageError, match=r"^expected a") as caught:
            RunOptions(**{option: value}).pace(job)
        assert "\n" not in str(caught.value)
