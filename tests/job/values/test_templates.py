"""Placeholders in texts: what is one, what stays a brace, how a value is spelled."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job.values.templates import Template

VALUES = {"a": "red", "b_2": 7, "_c": 0.5}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("a {a} cup", "a red cup"),
        ("{a}{b_2}{_c}{a}", "red70.5red"),
        ("{{a}}", "{a}"),
        ("{{{a}}}", "{{a}}"),
        ("{{a}", "{red"),
        ("{a}}", "red}"),
        ("{{a}} {a}", "{a} red"),
        ("{{a} b}", "{red b}"),
        ("", ""),
    ],
)
def test_a_name_in_braces_is_replaced_unless_they_are_doubled(text, filled):
    assert Template(text).fill(VALUES) == filled


@pytest.mark.parametrize(
    "text",
    [
        *("{", "}", "{}", "}{", "{{", "}}", "{A b}", "{1}", "{1a}", "{ a }", "{a b}", "{a", "a}"),
        *("{A}", "{a-b}", "{a|b}", "{{A b}}", "{{ a }}", "{é}", "{a\n}", "a {", "{a.b}", "{a!r}"),
        *('{"json": {"k": [1, {}]}}', "p { color: red; } a{b:c}", "{a:>3}", "100 %s %(a)s $a"),
    ],
)
def test_every_other_brace_stays_itself(text):
    template = Template(text)
    assert template.fill(VALUES) == text
    assert template.names == frozenset()


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        *(("16:9", "16:9"), ("", ""), ("{a}", "{a}"), ("Tüte 😀", "Tüte 😀"), (7, "7"), (-1, "-1")),
        *((0.1, "0.1"), (7.5, "7.5"), (1.0, "1.0"), (True, "true"), (False, "false")),
        *((None, "null"), ([1, "a"], '[1,"a"]'), (2**63, "9223372036854775808")),
    ],
)
def test_values_are_spelled_as_in_yaml(value, spelled):
    assert Template("<{x}>").fill({"x": value}) == f"<{spelled}>"


def test_missing_names_come_with_the_place_of_their_first_brace():
    template = Template("{{x}} {b} {a} {y}{b}")
    assert template.names == {"a", "b", "y"}
    assert template.missing(["a"]) == [("b", 6), ("y", 14)]
    assert template.missing(iter("aby")) == []
    assert Template("plain").missing([]) == []
    with pytest.raises(KeyError, match="b"):
        template.fill({"a": 1})


def test_a_text_without_placeholders_is_not_copied():
    for text in ("x" * 10_000, "{A b}" * 2_000):
        assert Template(text).fill({}) is text


@given(st.text("{}a_1 A", max_size=30))
def test_braces_are_kept_and_filled_as_a_plain_reading_says(text):
    def read(found: re.Match[str]) -> str:
        return "{" + found[1] + "}" if found[1] else "<" + found[2] + ">"

    template = Template(text)
    expected = re.sub(r"\{\{([a_][a_1]*)\}\}|\{([a_][a_1]*)\}", read, text)
    assert template.fill({name: f"<{name}>" for name in template.names}) == expected
    assert [name for name, _ in template.missing([])] == list(
        dict.fromkeys(re.findall(r"<([a_1]+)>", expected))
    )
    for name, offset in template.missing([]):
        assert text.startswith("{" + name + "}", offset)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["{", "}", "{a", "{{a", "{a}", "{{a}}", "{{a}", "a"])
def test_a_million_braces_are_read_at_once(piece):
    text = (piece * 1_000_000)[:1_000_000]
    template = Template(text)
    assert len(template.fill({"a": "{a}"})) <= len(text)
    assert Template("{" + "a" * 1_000_000).names == frozenset()
