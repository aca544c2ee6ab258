"""YAML as a job file may use it: the 1.2 core rules, and nothing that surprises or explodes."""

import os
import time
from pathlib import Path

import pytest
import yaml

from batchgen.errors import JobError, UsageError
from batchgen.job.source import document
from batchgen.job.source.document import parse_document, read_document
from batchgen.job.source.scalars import resolve

LOADERS = [
    pytest.param(yaml.SafeLoader, id="pyyaml"),
    pytest.param(getattr(yaml, "CSafeLoader", yaml.SafeLoader), id="libyaml"),
]


@pytest.fixture(params=LOADERS, autouse=True)
def loader(request, monkeypatch):
    """Every test here holds for both parsers."""
    monkeypatch.setattr(document, "_LOADER", request.param)


def places(text: str) -> list[str]:
    """What is wrong with *text*, as ``line:column: message``."""
    with pytest.raises(JobError) as caught:
        parse_document(text, file="j")
    return [f"{p.line}:{p.column}: {p.message}" for p in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        *[
            "16:9",
            "1:1",
            "no",
            "on",
            "yes",
            "off",
            "y",
            "2026-01-31",
            "2026-01-31T10:00:00Z",
            "1_000",
            "0x10",
            "0o7",
            ".inf",
        ],
        *[
            "-.INF",
            ".nan",
            "1e999",
            "190:20:30",
            "1,5",
            "--1",
            "+",
            "-",
            ".",
            "tRUE",
            "nULL",
            "1e",
            "e5",
            "12a",
            "None",
            "\u0661",
        ],
        "1" * 20,
    ],
)
def test_what_is_no_core_number_or_word_stays_text(text):
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ("7 -7 +7 010 -0 9999999999999999999", [7, -7, 7, 10, 0, 10**19 - 1]),
        ("0.5 .5 1. 1e3 -1.5E-2", [0.5, 0.5, 1.0, 1000.0, -0.015]),
        ("true True TRUE false False FALSE", [True, True, True, False, False, False]),
        ("null Null NULL ~", [None, None, None, None]),
    ],
)
def test_core_numbers_and_words_have_their_types(texts, values):
    found = [resolve(text) for text in texts.split()]
    assert [(type(v), v) for v in found] == [(type(v), v) for v in values]
    assert resolve("") is None


def test_quotes_make_any_scalar_a_text():
    found = parse_document("a: '7'\nb: \"true\"\nc: ''\nd: |\n  7\n", file="j").value
    assert found == {"a": "7", "b": "true", "c": "", "d": "7\n"}


def test_keys_are_texts_whatever_they_look_like():
    assert parse_document("7: a\nnull: b\ntrue: c\n", file="j").value == {
        "7": "a",
        "null": "b",
        "true": "c",
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n"])
def test_an_empty_file_holds_nothing(text):
    assert parse_document(text, file="j").value is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: *x\n", "1:4: aliases are not supported; a text that starts with * needs quotes"),
        ("a: &x b\n", "1:4: anchors are not supported; a text that starts with & needs quotes"),
        ("a: !!int 3\n", "1:4: tags are not supported; a text that starts with ! needs quotes"),
        ("a: !x [b]\n", "1:4: tags are not supported; a text that starts with ! needs quotes"),
        ("<<: {a: b}\n", "1:1: merge keys are not supported; write the keys out"),
        ("a: 1\nb: 2\na: 3\n", "3:1: key 'a' was given before, on line 1"),
        ("x: {a: 1, 'a': 2}\n", "1:11: key 'a' was given before, on line 1"),
        ("a: 1\n---\nb: 2\n", "2:1: expected one YAML document, got a second one after '---'"),
        ("? [a]\n: b\n", "1:3: expected a text as key, got a list or a mapping"),
        ("{" * 500, "1:2: expected a text as key, got a list or a mapping"),
        ("[" * 500, "1:51: expected at most 50 levels of nesting"),
        ("a: " + "9" * 20, "1:4: expected a number of at most 19 digits, or quotes around"),
        ("a: -" + "9" * 5000, "1:4: expected a number of at most 19 digits, or quotes around"),
        ("a: b\nc: '\x07'\n", "2:5: expected text, got the control character U+0007"),
        ("# é😀 \x00\n", "1:6: expected text, got the control character U+0000"),
        ("a: b\ufeff\n", "1:5: expected text, got the control character U+FEFF"),
        ('a: "x\nb: 1\n', "1:4: expected valid YAML: the quote that opens here is never closed"),
        ("a: 'x\n", "1:4: expected valid YAML: the quote that opens here is never closed"),
        ("\na: [1\nb: 3\n", "3:2: expected valid YAML: expected ',' or ']' to go on from line 2"),
        (
            "a: [b {c}]\n",
            "1:7: expected valid YAML: within [ ] or { } a text with { in it needs quotes",
        ),
        ("a: {b: 1\n", "2:1: expected valid YAML: expected ',' or '}' to go on from line 1"),
    ],
)
def test_what_a_job_file_may_not_hold(text, problem):
    assert places(text) == [problem]


@pytest.mark.parametrize("bracket", "[{")
def test_a_nest_deeper_than_a_parser_can_be_is_refused_in_its_words_or_ours(bracket: str):
    (said,) = places(bracket * 100_000)
    assert "nesting" in said or "expected a text as key" in said


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("a: b: c\n", 1, 5, "a text with ': ' in it needs quotes"),
        ("a: - b\n", 1, 4, "a text that starts with '- ' needs quotes"),
        ("a:\n - {b} c\n", 2, 8, "a text that starts with { or [ needs quotes"),
        ("a: {b} c\n", 1, 8, "a text that starts with { or [ needs quotes"),
        ("a: [b, {c} d]\n", 1, 12, "a text that starts with { or [ needs quotes"),
        ("a: @b\n", 1, 4, "a text that starts with a special character needs quotes"),
        ("a: %b\n", 1, 4, "a text that starts with a special character needs quotes"),
        ("a: ]\n", 1, 4, "a text that starts with a special character needs quotes"),
        ("a: * b\n", 1, 5, "a text that starts with a special character needs quotes"),
        ("a:\n  - b\n c: 3\n", 3, 2, "check the indentation, and the quotes around texts"),
        ('a: "b" c\n', 1, 8, "check the indentation, and the quotes around texts"),
    ],
)
def test_a_syntax_error_says_what_helps(text, line, column, hint):
    (problem,) = places(text)
    assert problem.startswith(f"{line}:{column}: expected valid YAML: ")
    assert problem.endswith(f"; {hint}")


def test_half_of_a_surrogate_pair_is_refused():
    (problem,) = places('a: "\\ud800"\n')
    assert problem.startswith(("1:4: expected valid YAML: ", "1:7: expected valid YAML: "))


def test_mistakes_that_allow_to_read_on_are_all_said():
    assert [p.split(": ")[0] for p in places("a: *x\nb: &y 1\na: !z 2\n")] == [
        "1:4",
        "2:4",
        "3:1",
        "3:4",
    ]


def test_bombs_of_aliases_and_merge_keys_end_at_once():
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    rows += [f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]" for i in range(1, 12)]
    rows += [f"c{i}: &c{i} {{<<: [*c{i - 1}, *c{i - 1}]}}" for i in range(1, 30)]
    start = time.monotonic()
    found = places("\n".join(rows))
    assert time.monotonic() - start < 5
    assert len(found) > 10


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(end):
    found = parse_document(f"a: 1{end}{end}b:{end}  - x{end}  - y{end}", file="j")
    place = found.place(("b", 1))
    assert (place.line, place.column, place.source) == (5, 5, "  - y")
    key = found.place(("b",), of_key=True)
    assert (key.line, key.column) == (3, 1)


def test_lines_are_those_of_an_editor_also_after_a_line_separator():
    found = parse_document('a: "x\u2028y\x85z"\nb: 1\n', file="j")
    place = found.place(("b",))
    assert (place.line, place.column, place.source) == (2, 4, "b: 1")


def test_columns_count_characters_not_bytes():
    place = parse_document("é😀: {ü: x}\n", file="j").place(("é😀", "ü"))
    assert (place.line, place.column) == (1, 9)


def test_the_place_of_what_is_not_there_is_that_of_what_is_above():
    place = parse_document("a:\n  b: 1\n", file="j").place(("a", "x", 3))
    assert (place.line, place.column) == (2, 3)


def test_a_control_character_never_reaches_the_terminal():
    with pytest.raises(JobError) as caught:
        parse_document("a: \x1b[2Jb\u202e\n", file="j")
    text = str(caught.value)
    assert text.splitlines()[1] == "    a: \ufffd[2Jb\ufffd"
    assert text.splitlines()[2] == "       ^"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "j.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    found = read_document(tmp_path / "j.yaml")
    assert (found.value, found.place(("a",)).column) == ({"a": 1}, 4)


def test_text_that_is_not_utf8_is_refused_at_its_first_bad_byte(tmp_path):
    (tmp_path / "j.yaml").write_bytes("a: é\nb: ü".encode() + b"\xe9\n")
    with pytest.raises(JobError) as caught:
        read_document(tmp_path / "j.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 5)
    assert problem.message == "expected UTF-8 text, got the byte 0xe9; save it as UTF-8"


def test_a_file_of_more_than_16_mib_is_refused(tmp_path):
    path = tmp_path / "j.yaml"
    path.touch()
    os.truncate(path, 16 * 1024 * 1024 + 1)
    with pytest.raises(UsageError, match="expected a job file of at most 16 MiB at "):
        read_document(path)


def test_only_a_regular_file_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="but that is not a regular file"):
            read_document(path)
    with pytest.raises(UsageError, match="but that is a folder"):
        read_document(tmp_path)
    with pytest.raises(UsageError, match="but there is no such file"):
        read_document(tmp_path / "missing")
    with pytest.raises(UsageError, match="Not a directory"):
        read_document(tmp_path / "pipe" / "x")
