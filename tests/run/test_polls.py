"""Polls that misbehave: what is recovered, what is a failure, what waits for the next run."""

import csv

import pytest

from tests.support.bench import Bench
from tests.support.cli import failures, summary

RECOVERED = (
    *("500x2", "503x1", "429x1", "404x2", "page504x1", "notjsonx1", "hangx1", "resetx1", "halfx1"),
    *("otherx1", "unknown-statusx3", "pendingx2", "createdx1][poll=processingx2"),
)
FAILED = {
    "failed:1200": "moderation",
    "failed:1400": "parameter",
    "failed:1402": "parameter",
    "failed:5000": "failed",
    "failed": "failed",
    **{word: word for word in ("cancelled", "timeout", "deleted")},
}


def test_a_poll_without_an_answer_is_asked_again(bench: Bench):
    bench.job([f"a pear [poll={word}]" for word in RECOVERED], run={"timeouts": {"poll": 0.7}})
    done = bench.run()
    assert done.returncode == 0, done.stderr
    bench.check_whole(len(RECOVERED))
    counts = bench.service.counts()
    assert set(counts.by_prompt("received").values()) == {1}
    polls = counts.by_prompt("polls")
    assert polls["a pear [poll=500x2]"] == 3
    # A connection that dies before its answer is asked again by the HTTP library as well.
    polls["a pear [poll=resetx1]"] = 1
    assert {row["prompt"]: row["polls"] for row in bench.rows()} == polls


def test_a_prediction_that_failed_is_reported_as_paid_and_never_submitted_again(bench: Bench):
    bench.job([f"a pear [poll={word}]" for word in FAILED] + ["a pear [outputs=none]"])
    assert bench.run().returncode == 3
    classes = {f"a pear [poll={word}]": name for word, name in FAILED.items()}
    classes["a pear [outputs=none]"] = "empty_outputs"
    found = failures(bench.dataset)
    assert {row["prompt"]: row["error_class"] for row in found} == classes
    assert {(row["state"], row["paid"], row["attempts"]) for row in found} == {("failed", True, 1)}
    assert {row["prediction_id"] for row in found} == bench.service.counts().ids
    before = bench.service.counts().requests
    assert bench.run().returncode == 3
    assert bench.service.counts().requests == before


def test_images_that_are_listed_late_are_waited_for(bench: Bench):
    bench.job(["a pear [outputs=nonex2]", "a plum [outputs=nullx1]"])
    assert bench.run().returncode == 0
    bench.check_whole(2)


def test_fewer_images_than_asked_for_are_kept_and_reported(bench: Bench):
    bench.job(["a pear [outputs=fewer]", "a plum [outputs=more]"], params={"num_images": 2})
    assert bench.run().returncode == 3
    bench.check_whole(3)
    (row,) = failures(bench.dataset)
    assert (row["prompt"], row["error_class"]) == ("a pear [outputs=fewer]", "missing_output")
    assert (row["state"], row["paid"]) == ("saved", True)
    assert summary(bench.dataset)["short"] == 1
    before = bench.service.counts().requests
    assert bench.run().returncode == 3
    assert bench.service.counts().requests == before


def test_outputs_may_be_objects_or_a_single_text(bench: Bench):
    bench.job(["a pear [outputs=objects]", "a plum [outputs=text]"])
    assert bench.run().returncode == 0
    bench.check_whole(2)


def test_an_unknown_flag_is_never_written_as_a_known_one(bench: Bench):
    words: dict[str, list[bool | None]] = {
        "null": [None, None],
        "object": [None, None],
        "short": [True, None],
        "words": [None, None],
        "numbers": [None, None],
        "long": [True, True],
        "mixed": [True, False],
    }
    bench.job([f"a pear [nsfw={word}]" for word in words], params={"num_images": 2})
    done = bench.run("--json")
    assert done.returncode == 0
    found = {(row["prompt"], row["image_index"]): row["nsfw"] for row in bench.rows()}
    assert found == {
        (f"a pear [nsfw={word}]", index): flag
        for word, flags in words.items()
        for index, flag in enumerate(flags)
    }
    with (bench.dataset / "manifest.csv").open(newline="", encoding="utf-8") as file:
        cells = {(r["prompt"], int(r["image_index"])): r["nsfw"] for r in csv.DictReader(file)}
    spelled = {None: "", True: "true", False: "false"}
    assert cells == {place: spelled[flag] for place, flag in found.items()}
    assert summary(bench.dataset)["nsfw"] == 4


def test_a_prediction_that_outlasts_our_patience_is_left_for_the_next_run(bench: Bench):
    bench.job(3, run={"timeouts": {"prediction": 0.4}})
    bench.service.hold(completion=1)
    done = bench.run()
    assert done.returncode == 4, done.stderr
    assert bench.states() == {"saved": 1, "submitted": 2}
    assert summary(bench.dataset)["pending"] == 2
    bench.service.release()
    assert bench.run().returncode == 0
    bench.check_whole(3)
    assert bench.service.counts()["billed"] == 3


@pytest.mark.parametrize("word", ["401x1", "401x2"])
def test_a_poll_that_is_refused_keeps_the_paid_prediction_for_the_next_run(bench: Bench, word):
    bench.job([f"a pear [poll={word}]"])
    for _ in range(int(word[-1])):
        assert bench.run().returncode == 6
        assert bench.states() == {"submitted": 1}
    assert bench.run().returncode == 0
    bench.check_whole(1)
    assert bench.service.counts()["billed"] == 1


def test_a_prediction_that_the_service_has_lost_is_reported_after_a_minute(bench: Bench):
    bench.job(["a pear [poll=404]"], run={"timeouts": {"prediction": 0.3}})
    assert bench.run().returncode == 4
    assert bench.states() == {"submitted": 1}
    bench.age_submits(seconds=61)
    bench.job(["a pear [poll=404]"])
    assert bench.run().returncode == 3
    (row,) = failures(bench.dataset)
    assert (row["state"], row["error_class"], row["paid"]) == ("expired", "lost", True)
    assert bench.service.counts()["billed"] == 1
