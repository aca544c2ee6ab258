"""What is allowed in a job and may still surprise."""

import pytest

from batchgen.job.advice import advise, tokens


def test_a_plain_job_needs_no_advice(load):
    assert list(advise(load("name: x\nprompts: [A pear, {id: b-1, text: A plum}]\n"))) == []


@pytest.mark.parametrize(
    ("text", "near"),
    [("pear " * 307, 383.75), ("pear " * 308, 385), ("梨" * 384, 384), ("梨" * 385, 385)],
)
def test_a_prompt_near_what_the_model_reads_is_named(load, text: str, near: float):
    assert tokens(text) == near
    told = list(advise(load(f"name: x\nprompts: [{{id: long, text: {text!r}}}]\n")))
    assert [t.startswith("1 prompt may be longer than the 480 tokens") for t in told] == (
        [True] if near > 384 else []
    )
    assert all("'long'" in t for t in told)


def test_nothing_is_said_of_the_length_where_the_limit_is_unknown(load):
    job = load(f"name: x\nmodel: a/b\nprompts: [{{id: long, text: {'pear ' * 900!r}}}]\n")
    assert list(advise(job)) == []


def test_ids_that_file_names_cannot_keep_are_counted_and_one_is_shown(load):
    text = "name: x\nprompts: [{id: test, text: A}, {id: ok, text: B}, {id: ÄÖ 1, text: C}]\n"
    assert list(advise(load(text))) == [
        "another id in file names for 2 prompts, such as 'testx' for 'test'"
    ]
    pattern = 'output: {file_name: "{key}_{index}"}\n'
    assert list(advise(load(text + pattern))) == []
