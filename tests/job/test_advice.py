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


@pytest.mark.parametrize(
    ("prompts", "lost"),
    [
        ("- Use #1 pencil\n- A pear", "'#1 pencil' in job.yaml:3"),
        ("- id: b\n  text: Use  #1 pencil", "'#1 pencil' in job.yaml:4"),
        ('- A pear # ripe\n- "Use #1 pencil"\n- A plum ## both\n- it\'s#1', None),
    ],
)
def test_a_text_that_ends_at_a_comment_is_shown(load, prompts: str, lost: str | None):
    told = list(advise(load(f"name: x\nprompts:\n{prompts}\n")))
    end = "is a comment to YAML; quotes around the text keep it"
    assert told == ([f"1 prompt may be cut short: {lost} {end}"] if lost else [])


def test_choices_without_a_sample_are_shown(load):
    texts = '["a {red|blue} pear", "{a} | {b}"]'
    (told,) = advise(load(f"name: x\nprompts: {texts}\nvars: {{a: 1, b: 2}}"))
    assert told.startswith("1 prompt sent with choices as they stand, such as '{red|blue}'; with ")
    sampled = 'name: x\nprompts: [{text: "a {red|blue} pear", sample: all}]'
    assert list(advise(load(sampled))) == []
