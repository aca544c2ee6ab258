"""A broken job file is checked to its end: what is wrong stands aside, the rest is still read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.errors import JobError, Problem
from batchgen.job.grammar.explain import check_shape
from batchgen.job.grammar.shape import JobFile
from batchgen.job.source.document import parse_document

SOUND = {"name": "k", "prompts": ["a"]}


def check(value: object) -> tuple[JobFile, list[Problem]]:
    return check_shape(parse_document(json.dumps(value), file="j"))  # JSON is YAML too


@pytest.mark.parametrize(
    ("wrong", "kept"),
    [
        ({"name": "K"}, {"prompts": ("a",)}),
        ({"prompts": 7, "matrix": {"seed": [1]}}, {"matrix": {"seed": [1]}}),
        ({"prompts": ["a", 7], "params": {"seed": 1}}, {"params": {"seed": 1}}),
        ({"run": {"rate": "x"}, "model": "a/b"}, {"model": "a/b"}),
    ],
)
def test_the_sound_part_of_a_wrong_file_is_kept(wrong, kept):
    shape, problems = check({**SOUND, **wrong})
    assert len(problems) == 1
    assert isinstance(shape, JobFile)
    for name, value in kept.items():
        found = getattr(shape, name)
        assert (tuple(found) if isinstance(value, tuple) else found) == value


def test_a_sound_file_has_no_problems():
    assert check(SOUND) == (JobFile(name="k", prompts=["a"]), [])


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 10**9)
    | st.floats(-9, 9)
    | st.text("a0: é", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*JobFile.model_fields, "file", "text", "id", "=entry", "poll", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*JobFile.model_fields, "x", ""]), plain))
def test_any_values_give_problems_in_plain_words(value):
    try:
        _, problems = check(value)
    except JobError as error:
        problems = list(error.problems)
    for problem in problems:
        assert "something else" not in problem.message
        assert "pydantic" not in problem.message


def test_every_word_of_the_schema_is_explained():
    schema = JobFile.model_json_schema()
    assert set(schema["required"]) == {"name", "prompts"}
    for name, section in {"": schema, **schema["$defs"]}.items():
        for key, value in section["properties"].items():
            told = value.get("description") or value.get("$ref") or value.get("default")
            assert told, f"{name}.{key}"
