"""kill -9 at any moment: the same command goes on, and no money is spent twice."""

import csv
import json

import pytest

from tests.support.bench import Bench
from tests.support.cli import failures, start_batchgen, summary, write_job
from tests.support.picture import picture

# What is held back, so that the run comes to rest, and the states that it is killed in.
MOMENTS = [
    ({"poll": 0}, {"submitted": 4}),
    ({"completion": 0}, {"submitted": 4}),
    ({"completion": 7}, {"saved": 7, "submitted": 4}),
    ({"image": 0}, {"completed": 20}),
    ({"image": 1}, {"saved": 1, "completed": 19}),
    ({"image": 9}, {"saved": 9, "completed": 11}),
]


def _kill(bench: Bench, hold: dict[str, int], states: dict[str, int]) -> None:
    """Run until everything that is not held back is done, and kill it there."""
    bench.service.hold(**hold)
    with bench.start() as running:
        running.until_states(**states)
        running.until_rows(states.get("saved", 0))
        if "submit" in hold:
            # The intent comes first: the submits themselves have to have arrived, too.
            running.until_counts(lambda counts: counts["held_submit"] == states["submitting"])
        running.process.kill()
    bench.service.release()
    bench.check_files()


@pytest.mark.parametrize(("hold", "states"), MOMENTS, ids=str)
def test_a_killed_run_goes_on_without_buying_anything_again(bench: Bench, hold, states):
    bench.job(20, run={"concurrency": 4})
    _kill(bench, hold, states)
    done = bench.run()
    assert done.returncode == 0, done.stderr
    bench.check_whole(20)
    bench.check_billed_once(20)


@pytest.mark.parametrize("answered", [0, 5])
def test_submits_without_an_answer_at_the_kill_are_held_and_listed(bench: Bench, answered):
    bench.job(20, run={"concurrency": 4})
    saved = {"saved": answered} if answered else {}
    _kill(bench, {"submit": answered}, {**saved, "submitting": 4})
    billed = bench.service.counts()["billed"]
    assert billed == answered + 4
    for _ in range(2):
        done = bench.run()
        assert done.returncode == 5, done.stderr
        bench.check_whole(16)
        bench.check_billed_once(20)
        found = failures(bench.dataset)
        assert [(r["state"], r["paid"], r["attempts"]) for r in found] == [
            ("uncertain", None, 1)
        ] * 4
        counts = summary(bench.dataset)
        assert (counts["saved"], counts["uncertain"], counts["pending"]) == (16, 4, 0)
        assert counts["spent_usd"] == pytest.approx(0.8)


def test_a_run_killed_again_and_again_still_converges(bench: Bench):
    bench.job(30, run={"concurrency": 8})
    saved = 0
    for images in (3, 6, 1, 10):
        saved += images
        _kill(bench, {"image": images}, {"saved": saved, "completed": 30 - saved})
    assert bench.run().returncode == 0
    bench.check_whole(30)
    bench.check_billed_once(30)


def test_a_download_killed_in_its_middle_leaves_nothing_under_a_final_name(bench: Bench):
    bench.job(["a pear [image=stallx1]"])
    with bench.start() as running:
        running.until_counts(lambda c: c["downloads"] == 1)
        running.until_states(completed=1)
        running.process.kill()
    assert not (bench.dataset / "images").exists()
    assert bench.run().returncode == 0
    bench.check_whole(1)
    bench.check_billed_once(1)


@pytest.mark.parametrize("damages", [("torn", "missing"), ("doubled", "gone")], ids=str)
def test_a_manifest_that_a_crash_left_damaged_is_mended_from_the_ledger(bench: Bench, damages):
    bench.job(8, run={"concurrency": 4})
    _kill(bench, {"completion": 3}, {"saved": 3, "submitted": 4})
    for name, damage in zip(("manifest.jsonl", "manifest.csv"), damages, strict=True):
        path = bench.dataset / name
        lines = path.read_bytes().splitlines(keepends=True)
        more = {"torn": [lines[-1][:40]], "doubled": lines[-1:]}.get(damage, [])
        path.write_bytes(b"".join([*lines, *more] if more else lines[:-1]))
        if damage == "gone":
            path.unlink()
    assert bench.run().returncode == 0
    bench.check_whole(8)
    with (bench.dataset / "manifest.csv").open(newline="", encoding="utf-8") as file:
        keys = [row["variant_key"] for row in csv.DictReader(file)]
    assert keys == [row["variant_key"] for row in bench.rows()]


def test_an_image_renamed_but_not_recorded_at_the_kill_is_taken_over(bench: Bench):
    bench.job(["a pear"])
    _kill(bench, {"image": 0}, {"completed": 1})
    (order,) = bench.service.counts().orders
    path = bench.file_to_be()
    path.parent.mkdir(parents=True)
    path.write_bytes(picture(order["request"], 0))
    assert bench.run().returncode == 0
    bench.check_whole(1)
    bench.check_billed_once(1)


def test_a_file_of_somebody_else_is_never_overwritten(bench: Bench):
    bench.job(["a pear"])
    _kill(bench, {"poll": 0}, {"submitted": 1})
    path = bench.file_to_be()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    assert bench.run().returncode == 0
    assert path.read_bytes() == b"mine"
    (row,) = bench.rows()
    assert bench.dataset / row["file_name"] != path


def test_a_killed_run_on_the_local_service_submits_nothing_twice(tmp_path):
    prompts = [f"prompt {number}" for number in range(8)]
    run = {"concurrency": 8, "poll": {"min_interval": 0.02}}
    write_job(tmp_path / "job.yaml", prompts, service="local", run=run)
    manifest = tmp_path / "out" / "job" / "manifest.jsonl"
    with start_batchgen("run", "job.yaml", cwd=tmp_path) as running:
        running.until(lambda: manifest.exists() and manifest.stat().st_size)
        running.kill()
    saved = manifest.read_bytes().count(b"\n")
    assert 1 <= saved < 8
    with start_batchgen("run", "job.yaml", cwd=tmp_path) as running:
        assert running.wait() == 0
    lines = (tmp_path / "out/job/.batchgen/local-service.jsonl").read_text("utf-8").splitlines()
    accepted = [json.loads(line)["accepted"]["request"]["prompt"] for line in lines]
    assert sorted(accepted) == prompts
    assert summary(tmp_path / "out" / "job")["images"] == 8
