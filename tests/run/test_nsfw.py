"""What becomes of images that the service flags: kept, put aside, or deleted."""

import json

import pytest

from batchgen.dataset.folder import DatasetFolder
from tests.support.bench import Bench
from tests.support.cli import rows, run_batchgen, summary

PROMPTS = ["a pear", "a plum [nsfw=true]", "a fig [nsfw=null]"]


def tops(bench: Bench) -> dict[str, str]:
    """Which folder the image of each prompt is said to be in."""
    return {row["prompt"]: row["file_name"].split("/")[0] for row in rows(bench.dataset)}


def files(bench: Bench) -> set[str]:
    """What is in each of the folders."""
    found = (path for path in bench.dataset.rglob("*.png") if ".batchgen" not in path.parts)
    return {path.relative_to(bench.dataset).as_posix() for path in found}


def shown(bench: Bench) -> set[str]:
    lines = (bench.dataset / "metadata.jsonl").read_text("utf-8").splitlines()
    return {json.loads(line)["prompt"] for line in lines}


@pytest.mark.parametrize(("policy", "top"), [("quarantine", "nsfw"), ("drop", "dropped")])
def test_a_flagged_image_is_put_aside_or_deleted(bench: Bench, policy: str, top: str):
    bench.job(PROMPTS, output={"nsfw": policy})
    assert bench.run().returncode == 0
    assert tops(bench) == {PROMPTS[0]: "images", PROMPTS[1]: top, PROMPTS[2]: "images"}
    there = {row["file_name"] for row in rows(bench.dataset)}
    assert files(bench) == {name for name in there if not name.startswith("dropped/")}
    assert shown(bench) == {PROMPTS[0], PROMPTS[2]}
    found = summary(bench.dataset)
    assert (found["images"], found["nsfw"], len(found["nsfw_by_prompt"])) == (3, 1, 1)
    # And that is how it is to be, for whoever looks.
    assert run_batchgen("verify", bench.dataset, cwd=bench.folder).returncode == 0
    submits = bench.service.counts()["received"]
    assert bench.run().returncode == 0
    assert bench.service.counts()["received"] == submits


@pytest.mark.parametrize("policy", ["quarantine", "drop"])
def test_a_rebuilt_ledger_knows_what_was_put_aside_or_deleted(bench: Bench, policy: str):
    bench.job(PROMPTS, output={"nsfw": policy})
    assert bench.run().returncode == 0
    before, known = files(bench), rows(bench.dataset)
    DatasetFolder(bench.dataset).ledger.write_bytes(b"gone")
    done = run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env)
    assert done.returncode == 0, done.stderr
    assert files(bench) == before
    assert [row["file_name"] for row in rows(bench.dataset)] == [row["file_name"] for row in known]


def test_a_file_that_a_killed_run_did_not_delete_goes_with_the_next(bench: Bench):
    bench.job(PROMPTS, output={"nsfw": "drop"})
    assert bench.run().returncode == 0
    (name,) = (r["file_name"] for r in rows(bench.dataset) if r["file_name"].startswith("dropped/"))
    (bench.dataset / name).write_bytes(b"left")
    assert bench.run().returncode == 0
    assert not (bench.dataset / name).exists()


def test_a_policy_is_for_what_comes_after_it(bench: Bench):
    bench.job(PROMPTS)
    assert bench.run().returncode == 0
    bench.job([*PROMPTS, "a quince [nsfw=true]"], output={"nsfw": "drop"})
    assert bench.run().returncode == 0
    assert tops(bench) == {**dict.fromkeys(PROMPTS, "images"), "a quince [nsfw=true]": "dropped"}
