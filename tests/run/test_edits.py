"""A job file that is edited between runs: only what is new is submitted, nothing is lost."""

import csv

from tests.support import cli
from tests.support.bench import Bench
from tests.support.cli import summary


def test_only_the_new_variants_of_an_edited_job_are_submitted(bench: Bench):
    bench.job(["a pear", "a plum"], matrix={"seed": [1, 2]})
    assert bench.run().returncode == 0
    before = {row["variant_key"]: row for row in bench.rows()}
    bench.job(["a fig", "a plum"], matrix={"seed": [2, 3]})
    assert bench.run().returncode == 0
    # Old: pear and plum with 1 and 2. New: fig with 2 and 3, plum with 3.
    bench.check_billed_once(7)
    bench.check_whole(7)
    after = {row["variant_key"]: row for row in bench.rows()}
    assert {key: after[key] for key in before} == before
    found = summary(bench.dataset)
    assert (found["planned"], found["saved"], found["images_planned"]) == (4, 4, 4)
    assert found["images"] == 7


def test_what_is_no_longer_wanted_is_not_counted_as_done(bench: Bench):
    bench.job(3)
    assert bench.run().returncode == 0
    bench.job(["plain prompt 0", "a plum", "a fig"])
    assert bench.run("--limit", 1).returncode == 4
    done = cli.run_batchgen("status", bench.dataset, cwd=bench.folder)
    assert "images    2 of 3, 0 flagged NSFW; 2 more, no longer wanted\n" in done.stdout
    assert "$0.200 when the job is done" in done.stdout


def test_order_names_and_pace_are_no_reason_to_submit_again(bench: Bench):
    bench.job(["a pear", "a plum"], matrix={"seed": [1, 2]})
    assert bench.run().returncode == 0
    before = (bench.dataset / "manifest.jsonl").read_bytes()
    requests = bench.service.counts().requests
    prompts = [{"id": "other", "text": "a plum"}, "a pear"]
    bench.job(prompts, matrix={"seed": [2, 1]}, run={"concurrency": 3, "rate": 600})
    assert bench.run().returncode == 0
    assert bench.service.counts().requests == requests
    assert (bench.dataset / "manifest.jsonl").read_bytes() == before


def test_an_axis_that_comes_and_goes_keeps_its_column(bench: Bench):
    bench.job(["a pear"])
    assert bench.run().returncode == 0
    bench.job(["a pear"], matrix={"num_images": [1, 2]})
    assert bench.run().returncode == 0
    bench.job(["a plum"])
    assert bench.run().returncode == 0
    found = [row["num_images"] for row in bench.rows()]
    assert found == [None, 1, 2, 2, None]
    with (bench.dataset / "manifest.csv").open(newline="", encoding="utf-8") as file:
        assert [row["num_images"] for row in csv.DictReader(file)] == ["", "1", "2", "2", ""]


def test_paid_work_that_the_job_no_longer_asks_for_is_still_collected(bench: Bench):
    bench.job(["a pear", "a plum"])
    bench.service.hold(completion=0)
    with bench.start() as running:
        running.until_states(submitted=2)
        running.process.kill()
    bench.service.release()
    bench.job(["a fig"])
    assert bench.run().returncode == 0
    bench.check_whole(3)
    bench.check_billed_once(3)
    assert (summary(bench.dataset)["planned"], summary(bench.dataset)["images"]) == (1, 3)


def test_the_same_request_twice_in_a_job_is_made_once(bench: Bench):
    bench.job(["a pear", {"id": "twin", "text": "a pear"}], matrix={"seed": [1]})
    done = bench.run()
    assert done.returncode == 0
    assert "warning" in done.stderr
    bench.check_billed_once(1)


def test_a_dataset_may_be_named_on_the_command_line(bench: Bench):
    bench.job(["a pear"])
    assert bench.run("--out", "elsewhere").returncode == 0
    assert len(cli.rows(bench.folder / "elsewhere")) == 1
    assert not bench.dataset.exists()
