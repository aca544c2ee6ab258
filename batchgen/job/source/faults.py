"""What the YAML parsers refuse, in words that help."""

import re

import yaml

# What the parsers say, in words common to both of them, and what helps.
_HINTS = (
    ("mapping values are not allowed", "a text with ': ' in it needs quotes"),
    ("sequence entries are not allowed", "a text that starts with '- ' needs quotes"),
    ("character '\t'", "indent with spaces, not tabs"),
    ("tab", "indent with spaces, not tabs"),
    ("escape", "in double quotes a backslash starts an escape; single quotes keep it"),
    ("cannot start any token", "a text that starts with a special character needs quotes"),
    ("node content", "a text that starts with a special character needs quotes"),
    ("alphabetic or numeric", "a text that starts with a special character needs quotes"),
    ("expected key", "check the indentation, and the quotes around texts"),
    ("block end", "check the indentation, and the quotes around texts"),
    ("'-' indicator", "check the indentation"),
    ("closing bracket", "a text that starts with { or [ needs quotes"),
)


def syntax_problem(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Where *text* is wrong, in characters from its start, and how."""
    problem, opened = error.problem or "it cannot be read", error.context_mark
    mark = error.problem_mark or opened
    if opened and "quoted scalar" in (error.context or "") and "end of stream" in problem:
        return opened.index, "expected valid YAML: the quote that opens here is never closed"
    if opened and (bracket := re.search(r"',' or '[\]}]'", problem)):
        if mark and text.startswith("{", mark.index):
            wrong = "within [ ] or { } a text with { in it needs quotes"
            return mark.index, f"expected valid YAML: {wrong}"
        problem = f"expected {bracket[0]} to go on from line {opened.line + 1}"
    if mark and text.startswith("\t", mark.index):
        problem = "found a tab"  # libyaml does not name the character
    before = text[: mark.index].rstrip(" ") if mark else ""
    if mark and before.endswith(("}", "]")) and not text.startswith(("{", "["), mark.index):
        problem = "found more after a closing bracket"
    hint = next((f"; {hint}" for words, hint in _HINTS if words in problem), "")
    return mark.index if mark else 0, f"expected valid YAML: {problem}{hint}"
