"""The commands for starting out: init, models, schema."""

import json
from typing import Any

import pytest
import yaml

from tests.support.cli import ROOT, rows, run_batchgen


def test_init_writes_a_job_that_runs_as_it_is(tmp_path):
    done = run_batchgen("init", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    ran = run_batchgen("run", "job.yaml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert len(rows(tmp_path / "out" / "job")) == 8


@pytest.mark.parametrize("name", ["My Kitchen!.yaml", "ÄÖ.yaml", "a b.yaml"])
def test_init_makes_a_valid_name_of_any_file_name(tmp_path, name):
    assert run_batchgen("init", name, cwd=tmp_path).returncode == 0
    assert run_batchgen("plan", name, cwd=tmp_path).returncode == 0


def test_init_never_overwrites_a_file(tmp_path):
    (tmp_path / "job.yaml").write_text("mine")
    done = run_batchgen("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (tmp_path / "job.yaml").read_text() == "mine"


def test_models_lists_the_parameters_and_the_price(tmp_path):
    words = run_batchgen("models", cwd=tmp_path)
    assert words.returncode == 0
    assert "wavespeed-ai/imagen4  ($0.04 an image)" in words.stdout
    assert "google/imagen4-fast  ($0.018 an image)" in words.stdout
    assert "9:16            768 × 1408 or 1536 × 2816 pixels" in words.stdout
    model, *others = json.loads(run_batchgen("models", "--json", cwd=tmp_path).stdout)
    assert [other["price_usd"] for other in others] == [0.038, 0.018, 0.058]
    assert model["price_usd"] == 0.04
    names = {parameter["name"] for parameter in model["parameters"]}
    assert names == {"prompt", "negative_prompt", "aspect_ratio", "num_images", "seed"}
    assert model["sizes"]["16:9"] == [1408, 768]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = run_batchgen("schema", cwd=tmp_path_factory.mktemp("schema"))
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


JOBS = [ROOT / "sample_jobs.yaml", *sorted((ROOT / "jobs").glob("*.yaml"))]


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.name)
def test_the_schema_knows_every_key_of_our_own_jobs(schema: dict[str, Any], job):
    content = yaml.safe_load(job.read_text("utf-8"))
    assert _unknown(content, schema, schema) == []
    assert set(schema["required"]) <= set(content)


def test_the_schema_does_not_know_a_misspelt_key(schema: dict[str, Any]):
    content = {"name": "x", "prompt": [], "run": {"concurency": 1, "poll": {"interval": 1}}}
    assert _unknown(content, schema, schema) == ["prompt", "concurency", "interval"]


def _unknown(value: object, part: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Keys in *value* that *part* of the schema does not allow."""
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    if not isinstance(value, dict) or part.get("additionalProperties", True) is not False:
        return []
    known = part["properties"]
    found = [name for name in value if name not in known]
    for name, inner in value.items():
        found += _unknown(inner, known.get(name, {}), schema)
    return found
