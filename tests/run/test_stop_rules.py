"""When a run ends before its work: so many submits, so long, so many failures."""

import pytest

from batchgen.errors import JobError
from tests.run.care.test_verify import reach, run
from tests.support.bench import Bench
from tests.support.cli import summary

__all__ = ["reach"]


@pytest.mark.parametrize("twin", ["option", "job file", "both"])
def test_a_limit_is_kept_to_the_submit_at_high_concurrency(bench: Bench, twin):
    pace = {"concurrency": 50}
    if twin != "option":
        pace["limit"] = 7 if twin == "job file" else 3
    bench.job(60, run=pace)
    options = {} if twin == "job file" else {"limit": 7}
    for runs in (1, 2):
        assert run(bench, **options) == 4
        assert bench.service.counts()["received"] == 7 * runs
        bench.check_whole(7 * runs)
    bench.check_billed_once(14)
    assert summary(bench.dataset)["why"] == "this run was limited to 7 submits"


def test_a_limit_of_what_is_left_is_no_reason_to_stop(bench: Bench):
    bench.job(5)
    assert run(bench, limit=5) == 0
    bench.check_whole(5)


def test_after_its_time_a_run_sends_nothing_more_and_collects_what_is_paid(bench: Bench):
    prompts = [f"prompt {number} [poll=processingx8]" for number in range(40)]
    bench.job(prompts, run={"concurrency": 2, "poll": {"min_interval": 0.05}})
    assert run(bench, max_duration="0.5") == 4
    billed = bench.service.counts()["billed"]
    assert 2 <= billed < 40
    bench.check_whole(billed)
    assert summary(bench.dataset)["why"] == "the time of this run is up"
    bench.job(prompts, run={"concurrency": 40})
    assert run(bench) == 0
    bench.check_billed_once(40)


@pytest.mark.parametrize(
    ("allowed", "most"), [("0", 1), ("3", 4), (3, 4), ("10%", 3), ("0%", 1)], ids=str
)
@pytest.mark.parametrize("twin", ["option", "job file"])
def test_more_failures_than_allowed_end_the_submits(bench: Bench, allowed, most, twin):
    prompts = [f"pear {number} [submit=400]" for number in range(20)]
    pace = {"concurrency": 1}
    if twin == "job file":
        bench.job(prompts, run={**pace, "max_failures": allowed})
        assert run(bench) == 4
    else:
        bench.job(prompts, run=pace)
        assert run(bench, max_failures=str(allowed)) == 4
    assert bench.service.counts()["received"] == most
    assert "more than the failure limit allows" in summary(bench.dataset)["why"]


def test_ten_failures_in_a_row_over_three_prompts_end_the_submits(bench: Bench):
    prompts = [f"pear {number} [submit=400]" for number in range(30)]
    bench.job(prompts, run={"concurrency": 1})
    assert run(bench) == 4
    assert bench.service.counts()["received"] == 10
    assert "the last 10 variants all failed" in summary(bench.dataset)["why"]


def test_one_bad_prompt_among_many_ends_nothing(bench: Bench):
    bench.job(["bad [submit=400]", "a pear", "a plum"], matrix={"seed": list(range(15))})
    assert run(bench) == 3
    assert summary(bench.dataset)["failed"] == 15
    bench.check_whole(30)


def test_the_command_line_wins_over_the_job_file(bench: Bench):
    bench.job(6, run={"limit": 1, "budget": 0.04, "max_duration": "1s", "max_failures": 0})
    assert run(bench, limit=6, budget=1, max_duration="1h", max_failures="50%") == 0
    bench.check_whole(6)


@pytest.mark.parametrize(
    "options", [("--limit", "many"), ("--max-duration", "soon"), ("--budget", "nan")], ids=" ".join
)
def test_a_wrong_value_is_one_sentence_and_nothing_is_sent_or_made(bench: Bench, options):
    bench.job(2)
    done = bench.run(*options)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected" in done.stderr or "Invalid value" in done.stderr
    assert bench.service.counts().requests == 0
    assert not (bench.folder / "out").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", 0), ("budget", -1), ("max_duration", "soon"), ("max_failures", "101%")],
)
def test_a_wrong_value_in_the_job_file_is_named_with_its_line(bench: Bench, name, value):
    path = bench.job(2, run={name: value})
    line = next(
        number
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1)
        if f"{name}:" in text
    )
    with pytest.raises(JobError) as caught:
        run(bench)
    assert [problem.line for problem in caught.value.problems] == [line]
    assert bench.service.counts().requests == 0
