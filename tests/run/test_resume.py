"""Running again: what becomes of a variant by what the ledger, the disk and the service say of it.

The table of these cases, and where the others are tested: a submit without an answer in test_kill,
test_reconcile and test_submits; a prediction that is still being made, or unknown for more than a
minute, in test_polls; an image that is there and not recorded, or somebody else's, in test_kill; an
image that cannot be had now, or expires, in test_downloads; an edited job in test_edits.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.cli import failures, summary

# The first download succeeds, the next two find nothing: the old address and the fresh one.
GONE_LATER = "[image=redirectx1][image=404x2][created=old]"


def _make(bench: Bench, *prompts: object, **job: object) -> list[Path]:
    """Make the whole job; the image files it has then."""
    bench.job(list(prompts), **job)
    done = bench.run()
    assert done.returncode == 0, done.stderr
    return [bench.dataset / name for name in bench.image_files()]


def _kill_submitted(bench: Bench, *prompts: str) -> None:
    """Kill the run when everything is paid and nothing is made."""
    bench.job(list(prompts))
    bench.service.hold(completion=0)
    with bench.start() as running:
        running.until_states(submitted=len(prompts))
        running.process.kill()
    bench.service.release()


def _check_idle(bench: Bench, code: int, *options: object) -> None:
    """Running again with these options sends nothing and ends in the same way."""
    before, manifest = bench.service.counts().requests, bench.dataset / "manifest.jsonl"
    rows = manifest.read_bytes()
    done = bench.run(*options)
    assert done.returncode == code, done.stderr
    assert bench.service.counts().requests == before
    assert manifest.read_bytes() == rows


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize("damage", [Path.unlink, _cut], ids=["missing", "cut"])
def test_a_lost_or_cut_file_is_fetched_again_for_free(
    bench: Bench, damage: Callable[[Path], object]
):
    files = _make(bench, "a pear", "a plum", "a fig", params={"num_images": 2})
    before = {path: path.read_bytes() for path in files}
    damage(files[1])
    damage(files[4])
    assert bench.run().returncode == 0
    assert {path: path.read_bytes() for path in files} == before
    bench.check_whole(6)
    bench.check_billed_once(3)
    kept = list((bench.dataset / ".batchgen").glob("quarantine/*"))
    assert len(kept) == (2 if damage is _cut else 0)
    _check_idle(bench, 0)


def test_a_lost_file_that_is_gone_is_bought_again_only_by_name(bench: Bench):
    (path,) = _make(bench, f"a pear {GONE_LATER}")
    path.unlink()
    assert bench.run().returncode == 3
    (row,) = failures(bench.dataset)
    assert (row["state"], row["error_class"], row["paid"]) == ("expired", "missing_file", True)
    assert bench.rows() == []
    _check_idle(bench, 3)
    _check_idle(bench, 3, "--resubmit-expired")
    _check_idle(bench, 3, "--retry-failed")
    assert bench.service.counts()["billed"] == 1
    assert bench.run("--resubmit-lost").returncode == 0
    assert bench.service.counts()["billed"] == 2
    bench.check_whole(1)
    assert summary(bench.dataset)["spent_usd"] == pytest.approx(0.08)


def test_a_lost_file_that_the_service_has_forgotten_is_bought_again_only_by_name(bench: Bench):
    files = _make(bench, "a pear", "a plum")
    bench.service.reset()
    bench.age_submits(seconds=61)
    files[0].unlink()
    assert bench.run().returncode == 3
    assert [row["error_class"] for row in failures(bench.dataset)] == ["missing_file"]
    _check_idle(bench, 3)
    assert bench.run("--resubmit-lost").returncode == 0
    assert bench.service.counts()["billed"] == 1
    assert len(bench.image_files()) == 2


def test_what_was_made_and_then_deleted_is_no_failure_that_is_given_back(bench: Bench):
    (path,) = _make(bench, "a pear [poll=rightx1][poll=deleted]")
    path.unlink()
    assert bench.run().returncode == 3
    (row,) = failures(bench.dataset)
    assert (row["state"], row["error_class"], row["paid"]) == ("expired", "missing_file", True)
    found = summary(bench.dataset)
    assert (found["refund_expected_usd"], found["expired"], found["failed"]) == (0, 1, 0)
    _check_idle(bench, 3, "--retry-failed")


def test_a_prediction_that_the_service_lost_is_bought_again_only_by_name(bench: Bench):
    _kill_submitted(bench, "a pear", "a plum")
    bench.service.reset()
    bench.age_submits(seconds=61)
    assert bench.run().returncode == 3
    found = [(row["error_class"], row["paid"]) for row in failures(bench.dataset)]
    assert found == [("lost", True)] * 2
    _check_idle(bench, 3, "--resubmit-expired")
    assert bench.run("--resubmit-lost").returncode == 0
    bench.check_whole(2)
    bench.check_billed_once(2)


def test_images_that_expired_before_they_came_are_bought_again_only_by_name(bench: Bench):
    bench.job(["a pear [image=404x2][created=old]", "a plum"])
    assert bench.run().returncode == 3
    assert [row["error_class"] for row in failures(bench.dataset)] == ["expired"]
    _check_idle(bench, 3)
    _check_idle(bench, 3, "--resubmit-lost")
    assert bench.run("--resubmit-expired").returncode == 0
    assert list(bench.service.counts().by_prompt("billed").values()) == [2, 1]
    bench.check_whole(2)


def test_what_failed_is_bought_again_only_by_name(bench: Bench):
    bench.job(["a pear [submit=400x1]", "a plum [poll=failedx1]", "a fig"])
    assert bench.run().returncode == 3
    _check_idle(bench, 3)
    _check_idle(bench, 3, "--resubmit-lost", "--resubmit-expired", "--on-uncertain", "resubmit")
    (made,) = filter(None, (row["prediction_id"] for row in failures(bench.dataset)))
    assert bench.run("--retry-failed").returncode == 0
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    assert log.count(f"was prediction {made} and is made again") == 1
    assert bench.service.counts().by_prompt("billed") == {
        "a pear [submit=400x1]": 1,
        "a plum [poll=failedx1]": 2,
        "a fig": 1,
    }
    bench.check_whole(3)
    attempts = {row["prompt"]: row["attempts"] for row in bench.rows()}
    assert sorted(attempts.values()) == [1, 2, 2]
    assert failures(bench.dataset) == []


def test_what_another_key_paid_is_left_alone_until_that_key_is_back(bench: Bench):
    _kill_submitted(bench, "a pear", "a plum")
    bench.job(["a pear", "a plum", "a fig"])
    polls = bench.service.counts()["polls"]
    done = bench.run(env={**bench.env, "WAVESPEED_API_KEY": "another-key-0001"})
    assert done.returncode == 4
    assert "2 paid variants belong to another key or service" in done.stderr
    assert bench.states() == {"submitted": 2, "saved": 1}
    assert bench.service.counts()["polls"] == polls + 1
    assert bench.run().returncode == 0
    bench.check_whole(3)
    bench.check_billed_once(3)


def test_a_prediction_unknown_to_the_service_for_less_than_a_minute_is_not_lost(bench: Bench):
    _kill_submitted(bench, "a pear [poll=404x3]")
    bench.age_submits(seconds=30)
    assert bench.run().returncode == 0
    bench.check_whole(1)
    bench.check_billed_once(1)


def test_what_is_left_of_downloads_is_thrown_away(bench: Bench):
    _make(bench, "a pear")
    parts = bench.dataset / ".batchgen" / "parts"
    (parts / "half_0").write_bytes(b"\x89PNG")
    _check_idle(bench, 0)
    assert list(parts.iterdir()) == []


def test_a_file_that_nobody_knows_is_neither_counted_nor_touched(bench: Bench):
    files = _make(bench, "a pear")
    mine = files[0].with_name("mine.png")
    mine.write_bytes(b"mine")
    _check_idle(bench, 0)
    assert mine.read_bytes() == b"mine"
    assert summary(bench.dataset)["images"] == 1


def test_what_the_job_no_longer_asks_for_is_never_bought_again(bench: Bench):
    old = ["a pear [submit=400x1]", "a plum [submit=500x1]", "a quince [image=404x2][created=old]"]
    bench.job(old)
    assert bench.run().returncode == 5
    bench.job(["a fig"])
    everything = ("--retry-failed", "--resubmit-expired", "--resubmit-lost")
    assert bench.run(*everything, "--on-uncertain", "resubmit").returncode == 0
    assert list(bench.service.counts().by_prompt("received").values()) == [1, 1, 1, 1]
    assert (summary(bench.dataset)["planned"], summary(bench.dataset)["saved"]) == (1, 1)
    bench.job(old)
    assert bench.run().returncode == 5
    assert list(bench.service.counts().by_prompt("received").values()) == [1, 1, 1, 1]


def test_a_variant_that_comes_back_into_the_job_is_there_already(bench: Bench):
    _make(bench, "a pear", "a plum")
    bench.job(["a plum"])
    _check_idle(bench, 0)
    bench.job(["a pear", "a plum"])
    _check_idle(bench, 0)
    assert summary(bench.dataset)["saved"] == 2


def test_a_job_that_lost_a_file_of_what_it_no_longer_asks_for_fetches_it_as_well(bench: Bench):
    files = _make(bench, "a pear", "a plum")
    for path in files:
        path.unlink()
    bench.job(["a plum"])
    assert bench.run().returncode == 0
    bench.check_whole(2)
    bench.check_billed_once(2)
