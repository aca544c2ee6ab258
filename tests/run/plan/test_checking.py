"""A model that is not built in is held against the service's catalog before anything is paid."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_catalog import PROPERTIES, SCHEMA, entry
from tests.support import cli
from tests.support.bench import Bench

MODEL = "acme/paint"
FLAG = {"upscale": {"type": "boolean"}}
CATALOG = [
    entry({**SCHEMA, "properties": {**PROPERTIES, **FLAG, "seed": {"type": "integer"}}}),
    {"model_id": "acme/edit", **{k: v for k, v in entry().items() if k != "model_id"}},
]


def catalog_file(bench: Bench) -> Path:
    (found,) = (bench.folder / ".cache" / "batchgen").glob("catalog-*.json")
    return found


def test_what_the_model_accepts_is_sent(bench: Bench):
    bench.service.account(catalog=CATALOG)
    params = {"strength": 1, "upscale": True}
    bench.job(2, model=MODEL, matrix={"size": ["small", "large"], "seed": "0..1"}, params=params)
    done = bench.run()
    assert (done.returncode, "catalog" in done.stderr) == (0, False)
    bench.check_billed_once(8)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"matrix": {"sede": [1]}}, "has no parameter 'sede'; did you mean 'seed'?"),
        ({"params": {"mask": "x"}}, "has no parameter 'mask'; it has prompt, seed, size, "),
        ({"params": {"size": "huge"}}, "size of acme/paint: expected one of small, large, got"),
        ({"params": {"size": "Large"}}, "got the text 'Large'; did you mean 'large'?"),
        ({"matrix": {"steps": "1..51"}}, "expected a whole number from 1 to 50, got the number 51"),
        ({"params": {"steps": 1.5}}, "expected a whole number from 1 to 50, got the number 1.5"),
        ({"params": {"steps": True}}, "expected a whole number from 1 to 50, got true"),
        ({"params": {"strength": 0}}, "expected a number from 0.1 to 1.0, got the number 0"),
        ({"params": {"upscale": 1}}, "upscale of acme/paint: expected true or false, got the "),
        ({"params": {"a": 1, "b": 2}}, "has no parameter 'a'; it has"),
    ],
)
def test_what_the_model_does_not_accept_ends_the_run_before_money(bench: Bench, keys, says):
    bench.service.account(catalog=CATALOG)
    bench.job(2, model=MODEL, **keys)
    for done in (bench.run(), plan(bench, "--check")):
        assert done.returncode == 2
        assert says in done.stderr.splitlines()[-1]
    assert bench.service.counts()["received"] == 0
    assert bench.states() == {}


def plan(bench: Bench, *options: object) -> cli.Done:
    return cli.run_batchgen("plan", "job.yaml", *options, cwd=bench.folder, env=bench.env)


def test_a_value_of_one_prompt_is_checked_too(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(["a pear", {"text": "a plum", "steps": 99}], model=MODEL)
    done = bench.run()
    assert (done.returncode, bench.service.counts()["received"]) == (2, 0)
    assert "steps of acme/paint: expected a whole number from 1 to 50" in done.stderr


def test_a_parameter_that_is_required_has_to_be_set(bench: Bench):
    bench.service.account(catalog=[entry({**SCHEMA, "required": ["prompt", "size", "strength"]})])
    bench.job(1, model=MODEL)
    done = bench.run()
    assert done.returncode == 2
    assert "acme/paint requires the parameter 'strength', which the job does" in done.stderr
    bench.job(1, model=MODEL, params={"strength": 0.5})
    assert bench.run().returncode == 0


def test_a_long_range_is_checked_by_its_ends(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(1, model=MODEL, matrix={"steps": "1..900000000"}, run={"max_variants": 10**9})
    done = bench.run()
    assert (done.returncode, "to 50, got the number 900000000" in done.stderr) == (2, True)


def test_a_model_that_is_not_listed_ends_the_run_with_near_names(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(1, model="acme/pain")
    done = bench.run()
    assert (done.returncode, bench.service.counts()["received"]) == (2, 0)
    last = done.stderr.splitlines()[-1]
    assert "the service's catalog lists no model 'acme/pain'; did you mean acme/paint" in last


def test_paid_work_of_a_model_that_is_gone_is_collected_first(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(2, model=MODEL, run={"limit": 1})
    assert bench.run().returncode == 4
    (bench.dataset / bench.rows()[0]["file_name"]).unlink()
    bench.service.account(catalog=CATALOG[1:])
    catalog_file(bench).unlink()
    bench.job(2, model=MODEL)
    done = bench.run()
    assert (done.returncode, bench.service.counts()["billed"]) == (4, 1)
    assert "lists no model 'acme/paint'" in done.stderr.splitlines()[-1]
    bench.check_whole(1)
    assert bench.run().returncode == 2


def test_with_nothing_left_to_submit_no_catalog_is_asked(bench: Bench):
    bench.job(2, model=MODEL)
    assert bench.run().returncode == 0
    bench.service.account(catalog=CATALOG[1:])
    (bench.dataset / bench.rows()[0]["file_name"]).unlink()
    assert bench.run().returncode == 0
    bench.check_whole(2)
    assert bench.service.counts()["catalogs"] == 1  # of the first run


@pytest.mark.parametrize(
    "told", [None, [], "models", [{"model_id": 7}], [{"model_id": MODEL, "api_schema": []}]]
)
def test_a_catalog_that_cannot_be_had_is_a_note_and_no_more(bench: Bench, told: Any):
    bench.service.account(catalog=told)
    bench.job(2, model=MODEL, params={"anything": 7})
    done = bench.run()
    assert done.returncode == 0
    notes = [line for line in done.stderr.splitlines() if "the service's catalog" in line]
    assert len(notes) == 1
    assert "the parameters of acme/paint are sent unchecked" in notes[0]
    bench.check_billed_once(2)


def test_it_is_asked_once_an_hour(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(1, model=MODEL)
    assert bench.run().returncode == 0
    bench.job(2, model=MODEL)
    assert bench.run().returncode == 0
    assert bench.service.counts()["catalogs"] == 1
    hour_ago = time.time() - 3601
    os.utime(catalog_file(bench), (hour_ago, hour_ago))
    bench.job(3, model=MODEL)
    assert bench.run().returncode == 0
    assert bench.service.counts()["catalogs"] == 2


@pytest.mark.parametrize("kept", [b"", b"\xff", b"[]", json.dumps({"data": CATALOG[1:]}).encode()])
def test_what_is_kept_refuses_nothing_by_itself(bench: Bench, kept):
    bench.service.account(catalog=CATALOG)
    bench.job(1, model=MODEL)
    assert plan(bench, "--check").returncode == 0
    catalog_file(bench).write_bytes(kept)
    assert bench.run().returncode == 0
    assert bench.service.counts()["catalogs"] == 2


def test_for_a_built_in_model_no_catalog_is_asked(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(1)
    assert bench.run().returncode == 0
    done = plan(bench, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert bench.service.counts()["catalogs"] == 0


def test_a_plan_asks_only_when_it_is_told_to(bench: Bench):
    bench.service.account(catalog=CATALOG)
    bench.job(1, model=MODEL)
    done = plan(bench)
    assert "note: batchgen plan --check asks the service's catalog" in done.stderr
    assert bench.service.counts()["catalogs"] == 0
    done = plan(bench, "--check", "--json")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "the service's catalog has acme/paint, at a base price of $0.05" in done.stderr
    assert bench.service.counts()["catalogs"] == 1
    assert bench.service.counts()["received"] == 0


@pytest.mark.parametrize("command", [("run",), ("plan", "--check")])
def test_the_local_service_says_which_models_it_has(bench: Bench, command):
    bench.job(1, model="google/imagen5")
    done = cli.run_batchgen(*command, "job.yaml", "--service", "local", cwd=bench.folder)
    assert done.returncode == 2
    assert "did you mean google/imagen4" in done.stderr.splitlines()[-1]


def test_words_of_a_catalog_cannot_fool_a_terminal(bench: Bench):
    odd = {**PROPERTIES, "\x1b[2J": {}, "size": {"enum": ["\x1b]0;mine\x07", "\u202e"]}}
    bench.service.account(catalog=[entry({"properties": odd})])
    bench.job(1, model=MODEL, params={"zzz": 1, "size": "x"})
    done = bench.run()
    assert done.returncode == 2
    assert not set("\x1b\x07\u202e") & set(done.stderr)


def test_a_plan_in_which_two_images_have_one_name_is_refused_before_money(bench: Bench):
    # Their keys begin with the same eight digits: found by trying.
    prompts = [{"text": "a", "seed": [21312, 33446, 1]}]
    bench.job(prompts, output={"file_name": "{key}_{index}"})
    done = bench.run()
    assert done.returncode == 2
    assert "two variants would have an image called images/fee5dd0e_0" in done.stderr
    assert bench.service.counts()["received"] == 0
    bench.job(prompts, output={"file_name": "{variant_key}_{index}"})
    assert bench.run().returncode == 0
    assert {len(row["file_name"]) for row in bench.rows()} == {len("images/.png") + 20 + 2}
