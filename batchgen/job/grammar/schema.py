"""The JSON Schema of job files, from the same classes that check them.

It helps while writing; what a model accepts is checked when the job is read, so the parameters here
are suggestions and refuse nothing.
"""

from collections.abc import Callable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from batchgen.job.grammar.shape import JobFile
from batchgen.job.models import MODELS, Parameter

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def job_schema() -> Schema:
    """The schema, with the parameters of the built-in models where parameters may stand."""
    schema = JobFile.model_json_schema(schema_generator=_Plain)
    top, parts = schema["properties"], schema["$defs"]
    axis = top["matrix"]["additionalProperties"]
    _suggest(top["matrix"], lambda value: _axis(value, axis))
    _suggest(top["params"], lambda value: value)
    for name in ("PromptEntry", "PromptFile"):
        _suggest(parts[name], _several)
    top["model"]["anyOf"] = [{"enum": list(MODELS)}, {"type": top["model"].pop("type")}]
    for part in (schema, top["matrix"], top["params"], *parts.values()):
        for name, value in part["properties"].items():
            value.setdefault("title", name)
            if not isinstance(value.get("default"), str | int | float):
                value.pop("default", None)  # null, or all the keys of a section once more
    return {"$schema": DIALECT, **schema}


class _Plain(GenerateJsonSchema):
    """As editors show it best: names without a capital letter, and no unions with null."""

    def field_title_should_be_set(self, _: object) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        inner = self.generate_inner(schema["schema"])
        if not isinstance(inner.get("type"), str):
            return super().nullable_schema(schema)
        choices = {"enum": [*inner["enum"], None]} if "enum" in inner else {}
        return {**inner, **choices, "type": [inner["type"], "null"]}


def _suggest(part: Schema, form: Callable[[Schema], Schema]) -> None:
    """Let *part*, which has any keys, know those that are parameters; *form* makes its values."""
    # Of models that differ in a parameter the first one speaks, which is the default model.
    every = reversed([*MODELS.values()])
    known = {p.name: p for model in every for p in model.parameters if not p.required}
    own = part.setdefault("properties", {})
    own.update({name: form(_value(p)) for name, p in known.items() if name not in own})


def _value(parameter: Parameter) -> Schema:
    value: Schema = {"description": f"{parameter.description} ({parameter.expected})"}
    if parameter.choices:
        value["anyOf"] = [{"enum": list(parameter.choices)}, {}]
    if parameter.default is not None:
        value["default"] = parameter.default
    return value


def _axis(value: Schema, axis: Schema) -> Schema:
    """A value of each item of *axis*, whatever its form is."""
    array, *others = axis["anyOf"]
    forms = [{**array, "items": value}, *others]
    return {"anyOf": [{**form, "description": value["description"]} for form in forms]}


def _several(value: Schema) -> Schema:
    """One value, or a list that multiplies."""
    array = {"type": "array", "items": value, "description": value["description"]}
    return {"description": value["description"], "anyOf": [value, array]}
