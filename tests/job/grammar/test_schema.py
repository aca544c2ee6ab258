"""The JSON Schema of job files says something about every key."""

import json
from collections.abc import Iterator
from typing import Any

from batchgen.job.grammar.schema import job_schema
from batchgen.job.models import MODELS, Model, Parameter


def _properties(value: object, way: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property in *value*, with its way from the top."""
    if isinstance(value, dict):
        properties = value.get("properties")
        for name, part in properties.items() if isinstance(properties, dict) else ():
            yield f"{way}.{name}", part
        for name, part in value.items():
            yield from _properties(part, f"{way}.{name}" if name != "properties" else way)
    elif isinstance(value, list):
        for part in value:
            yield from _properties(part, way)


def test_every_key_is_described():
    schema = job_schema()
    found = dict(_properties(schema))
    assert len(found) > 40
    for way, part in found.items():
        section = schema["$defs"].get(part.get("$ref", "").rpartition("/")[2], {})
        forms = [section, part, *part.get("anyOf", ())]
        assert any(len(form.get("description", "")) > 5 for form in forms), way


def test_parameters_are_suggested_and_refuse_nothing():
    schema = job_schema()
    for part in (schema["properties"]["params"], schema["$defs"]["PromptEntry"]):
        ratio = part["properties"]["aspect_ratio"]
        assert "one of 1:1, 16:9" in ratio["description"]
        assert {} in ratio["anyOf"] or {} in ratio["anyOf"][0]["anyOf"]
        assert part["additionalProperties"] is True
    assert schema["properties"]["model"]["anyOf"] == [{"enum": [*MODELS]}, {"type": "string"}]


def test_where_models_differ_the_first_one_speaks(monkeypatch):
    wide = Parameter(name="aspect_ratio", kind="text", choices=("21:9",), description="Wide.")
    other = Model(id="a/b", parameters=(wide,))
    monkeypatch.setattr("batchgen.job.grammar.schema.MODELS", {**MODELS, other.id: other})
    ratio = job_schema()["properties"]["params"]["properties"]["aspect_ratio"]
    assert "one of 1:1, 16:9" in ratio["description"]


BASE = """\
prompts: [{id: cup, text: "A {size} cup in {light}, {style}", style: wood, size: big, light: noon}]
matrix: {seed: [1, 2, 3]}
"""
ZIPPED = BASE.replace("seed: [1, 2, 3]", "num_images: [1, 2]")


def test_the_examples_are_keys_of_a_job(load):
    top = job_schema()["properties"]
    for name in ("matrix", "zip", "exclude", "set", "add", "vars"):
        assert top[name]["examples"]
        for example in top[name]["examples"]:
            job = {"name": "k", "extends": ["base.yaml"], name: example}
            made = load(json.dumps(job), base_yaml=ZIPPED if name == "zip" else BASE)
            assert len(made.variants) > 0
