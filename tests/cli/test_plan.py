"""``batchgen plan``: what would be made, exactly, without writing or sending anything."""

import json
import subprocess
from typing import Any

import pytest

from batchgen.cli.plan import _line
from batchgen.job.load import load_job
from tests.support.bench import Bench
from tests.support.cli import command, environment, run_batchgen, write_job
from tests.support.picture import canonical

KEYS = [
    *("variant_key", "prompt_id", "state", "model", "request", "images", "price_usd"),
    "file_names",
]


def _lines(bench: Bench) -> list[dict[str, Any]]:
    done = run_batchgen("plan", "job.yaml", "--json", cwd=bench.folder, env=bench.env)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_plan_shows_the_very_requests_prices_and_names_of_the_run(bench: Bench):
    prompts = ["a pear", {"id": "plum", "text": "a plum: [submit=400]", "negative_prompt": ""}]
    bench.job(prompts, matrix={"seed": [1, 2], "aspect_ratio": ["16:9"]}, params={"num_images": 2})
    planned = _lines(bench)
    assert [list(line) for line in planned] == [KEYS] * 4
    assert {line["state"] for line in planned} == {"planned"}
    assert {(line["images"], line["price_usd"]) for line in planned} == {(2, 0.08)}
    assert [path.name for path in bench.folder.iterdir()] == ["job.yaml"]
    assert bench.service.counts().requests == 0

    assert bench.run().returncode == 3
    sent = bench.service.counts().by_request("received")
    assert sent == {canonical(line["request"]): 1 for line in planned}
    saved = {row["file_name"] for row in bench.rows()}
    assert saved == {
        n for line in planned if line["prompt_id"] != "plum" for n in line["file_names"]
    }
    states = {line["variant_key"]: line["state"] for line in _lines(bench)}
    assert sorted(states.values()) == ["failed", "failed", "saved", "saved"]
    assert {line["variant_key"] for line in planned} == set(states)


def test_a_plan_in_words_counts_and_prices_what_is_new(bench: Bench):
    bench.job(3, matrix={"seed": [1, 2]})
    done = run_batchgen("plan", "job.yaml", cwd=bench.folder, env=bench.env)
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert "variants 6 = 3 prompts × 2 seed images 6 of 1024×1024" in said
    assert "variants images new 6 6 price $0.240 for what is new, at $0.04 an image time" in said
    assert bench.run("--budget", 0.08).returncode == 4
    said = " ".join(
        run_batchgen("plan", "job.yaml", cwd=bench.folder, env=bench.env).stdout.split()
    )
    assert "new 4 4 saved 2 2 price $0.160 for what is new, at $0.04 an image; $0.080 spent" in said
    bench.job(2, matrix={"seed": [1, 2]})
    said = " ".join(
        run_batchgen("plan", "job.yaml", cwd=bench.folder, env=bench.env).stdout.split()
    )
    assert "new 2 2 saved 2 2 price" in said
    bench.job(2, matrix={"seed": [2, 3]}, run={"budget": 0.1})
    done = run_batchgen("plan", "job.yaml", cwd=bench.folder, env=bench.env)
    assert "saved 1 1 no longer wanted 1 their images" in " ".join(done.stdout.split())
    assert "warning: the budget leaves $0.020 for what costs $0.120" in done.stderr


def test_a_plan_leaves_the_dataset_as_it_is(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    before = {p: p.read_bytes() for p in bench.dataset.rglob("*") if p.is_file()}
    _lines(bench)
    assert {path: path.read_bytes() for path in before} == before


def test_a_reader_that_has_seen_enough_of_a_plan_is_no_error(bench: Bench):
    bench.job(3000, run={"budget": 200})
    with subprocess.Popen(
        [*command(), "plan", "job.yaml", "--json"],
        cwd=bench.folder,
        env=environment(bench.folder, **bench.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["prompt_id"]
        process.stdout.close()
        assert (process.stderr.read(), process.wait(30)) == (b"", 0)


@pytest.mark.parametrize(
    ("asked", "ending"), [("jpeg", "jpg"), ("WEBP", "webp"), ("png", "png"), (None, "png")]
)
def test_a_plan_names_files_by_the_format_that_is_asked_for(tmp_path, asked, ending):
    params = {"num_images": 2} | ({"output_format": asked} if asked else {})
    job = load_job(write_job(tmp_path / "job.yaml", ["a"], model="some/model", params=params))
    names = _line(job, job.variants[0], "planned", free=False)["file_names"]
    assert isinstance(names, list)
    assert [name.rsplit(".")[-1] for name in names] == [ending] * 2
