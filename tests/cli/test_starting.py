"""The commands for starting out: init, models, schema."""

import json
import re
from itertools import chain
from typing import Any

import pytest
import yaml

from batchgen.job.load import load_job
from tests.support.cli import ROOT, rows, run_batchgen


def test_init_writes_a_job_that_runs_as_it_is(tmp_path):
    done = run_batchgen("init", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    ran = run_batchgen("run", "job.yaml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert len(rows(tmp_path / "out" / "job")) == 8


def test_init_goes_on_with_the_commands_it_names(tmp_path):
    (tmp_path / "jobs").mkdir()
    done = run_batchgen("init", "jobs/first.yaml", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "wrote jobs/first.yaml: 2 prompts, 8 images",
        "wrote jobs/batchgen.schema.json, for help in your editor",
        "look at it, then:  batchgen plan jobs/first.yaml  and  batchgen run jobs/first.yaml",
    ]
    text = (tmp_path / "jobs" / "first.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=batchgen.schema.json\n")
    assert "\nname: first\n" in text


def _examples(lines: list[str]) -> list[list[int]]:
    """The commented-out examples of a job: their line numbers, those together that are one."""
    found: list[list[int]] = []
    for number, line in enumerate(lines[1:], 1):
        if re.match(r" *# ([a-z_]+:|- )", line):
            found.append([number])
        elif re.match(" *#  ", line):
            found[-1].append(number)
    return found


@pytest.mark.parametrize("options", [(), ("--from", "prompts.txt")])
def test_every_example_of_a_starter_is_valid_alone_and_with_all_others(tmp_path, options):
    (tmp_path / "prompts.txt").write_text("A pear\nA plum\n")
    assert run_batchgen("init", *options, cwd=tmp_path).returncode == 0
    path = tmp_path / "job.yaml"
    lines = path.read_text("utf-8").splitlines()
    examples = _examples(lines)
    for chosen in [[], *examples, [*chain(*examples)]]:
        used = [re.sub("# ", "", s, count=1) if n in chosen else s for n, s in enumerate(lines)]
        path.write_text("\n".join(used), "utf-8")
        assert load_job(path).warnings == () or chosen == [*chain(*examples)]
    assert len(examples) > 8


@pytest.mark.parametrize(
    ("name", "content"),
    [("p.txt", "A pear\n# not one\nA plum\n"), ("p.csv", "text,seed\nA pear,1\nA plum,2\n")],
)
def test_init_takes_the_prompts_of_a_file(tmp_path, name: str, content: str):
    (tmp_path / name).write_text(content)
    (tmp_path / "jobs").mkdir()
    done = run_batchgen("init", "jobs/j.yaml", "--from", name, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wrote jobs/j.yaml: 2 prompts, ")
    job = load_job(tmp_path / "jobs" / "j.yaml")
    assert [prompt.text for prompt in job.prompts] == ["A pear", "A plum"]


def test_init_leaves_room_for_more_than_the_usual_number_of_prompts(tmp_path):
    (tmp_path / "many.txt").write_text("A pear\n" + "".join(f"A plum {n}\n" for n in range(10_000)))
    done = run_batchgen("init", "--from", "many.txt", cwd=tmp_path)
    assert done.stdout.startswith("wrote job.yaml: 10,001 prompts, 10,001 images\n")


@pytest.mark.parametrize("name", ["nowhere.txt", "table.csv", "odd.docx"])
def test_init_leaves_no_job_of_prompts_that_cannot_be_read(tmp_path, name: str):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "odd.docx").write_text("A pear\n")
    done = run_batchgen("init", "--from", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert name in done.stderr
    assert not (tmp_path / "job.yaml").exists()


@pytest.mark.parametrize("name", ["My Kitchen!.yaml", "ÄÖ.yaml", "a b.yaml"])
def test_init_makes_a_valid_name_of_any_file_name(tmp_path, name):
    assert run_batchgen("init", name, cwd=tmp_path).returncode == 0
    assert run_batchgen("plan", name, cwd=tmp_path).returncode == 0


def test_init_never_overwrites_a_file(tmp_path):
    (tmp_path / "job.yaml").write_text("mine")
    done = run_batchgen("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (tmp_path / "job.yaml").read_text() == "mine"
    (tmp_path / "batchgen.schema.json").write_text("mine too")
    done = run_batchgen("init", "other.yaml", cwd=tmp_path)
    assert "schema" not in done.stdout
    assert (tmp_path / "batchgen.schema.json").read_text() == "mine too"


def test_models_lists_the_parameters_and_the_price(tmp_path):
    words = run_batchgen("models", cwd=tmp_path)
    assert words.returncode == 0
    assert "wavespeed-ai/imagen4  ($0.04 an image)" in words.stdout
    assert "google/imagen4-fast  ($0.018 an image)" in words.stdout
    assert "9:16            768 × 1408 or 1536 × 2816 pixels" in words.stdout
    model, *others = json.loads(run_batchgen("models", "--json", cwd=tmp_path).stdout)
    assert [other["price_usd"] for other in others][:3] == [0.038, 0.018, 0.058]
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
