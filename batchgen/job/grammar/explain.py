"""Mistakes in the shape of a job file in words: what was expected, what was got, and where."""

import re
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from batchgen.errors import JobError, Problem
from batchgen.job.grammar.sections import Output, Poll, Run, Timeouts
from batchgen.job.grammar.shape import JobFile, SetRule
from batchgen.job.source.document import MAX_PROBLEMS, Keys, Source
from batchgen.job.source.wording import describe, did_you_mean

_SECTIONS: dict[str, type[BaseModel]] = {
    "": JobFile,
    "run": Run,
    "run.poll": Poll,
    "run.timeouts": Timeouts,
    "output": Output,
    "set": SetRule,
}
# Keys of other languages that sound like one of ours.
_OTHERS = {
    "include": "; more variants go under add, other values for some of them under set",
    "strategy": "; matrix stands at the top",
    "env": "; words of the texts go under vars",
    "seed": "; several seeds go under matrix, one goes under params",
    "negative_prompt": "; it goes under params, matrix or a prompt",
    "aspect_ratio": "; it goes under params, matrix or a prompt",
    "num_images": "; it goes under params, matrix or a prompt",
}
_KEY = re.compile("[a-z_]+")
# What people call the API key.
_SECRETS = {"api_key", "apikey", "api-key", "key", "token", "secret", "wavespeed_api_key"}


def check_shape(document: Source) -> tuple[JobFile, list[Problem]]:
    """Check the shape of a whole document.

    Returns the job file and its problems. When there are problems, what they are about has been
    left out or replaced by a stand-in, so that the rest can still be checked in the same run.
    Raises JobError when the document is no mapping at all.
    """
    if not isinstance(document.value, dict):
        got = describe(document.value)
        message = f"expected a mapping with the keys name and prompts, got {got}"
        raise JobError([document.place(()).problem(message)])
    try:
        return JobFile.model_validate(document.value), []
    except ValidationError as errors:
        found = list({_named(e): e for e in reversed(errors.errors(include_url=False))}.values())
        found.reverse()
        problems = [_explain(e, document) for e in found[:MAX_PROBLEMS]]
        if len(found) >= MAX_PROBLEMS:
            raise JobError(problems) from None
        return JobFile.model_validate(_without([e["loc"] for e in found], document.value)), problems


def _named(error: ErrorDetails) -> tuple[int | str, ...]:
    """What is wrong, once: pydantic says of one value that it is no text, and that no number."""
    loc = error["loc"]
    return loc[:-1] if loc[-1] in ("str", "int") and error["type"] != "extra_forbidden" else loc


def _without(wrong: list[tuple[int | str, ...]], value: dict[str, object]) -> dict[str, object]:
    bad_items = {loc[1] for loc in wrong if loc[0] == "prompts" and len(loc) > 1}
    bad_keys = {loc[0] for loc in wrong if loc[0] != "prompts" or len(loc) == 1}
    sound: dict[str, object] = {"name": "x", "prompts": ["x"]}
    sound |= {key: item for key, item in value.items() if key not in bad_keys}
    for part in ("run", "output"):
        if isinstance(section := value.get(part), dict):
            bad = {loc[1] for loc in wrong if loc[0] == part and len(loc) > 1}
            sound[part] = {key: item for key, item in section.items() if key not in bad}
    prompts = sound["prompts"]
    if bad_items and isinstance(prompts, list):
        sound["prompts"] = ["x" if i in bad_items else item for i, item in enumerate(prompts)]
    return sound


def _explain(error: ErrorDetails, document: Source) -> Problem:
    path = _document_path(error["loc"], document)
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, document)
    if error["type"] == "missing":
        name = str(path[-1])
        if path[0] == "prompts" and _is_split_text(error["input"]):
            hint = "a text with ': ' in it needs quotes"
            return document.place(path[:-1]).problem(f"expected a text, got a mapping; {hint}")
        section = _section(path[:-1])
        others = [key for key in error["input"] if not section or key not in section.model_fields]
        near = did_you_mean(name, others).replace("did you mean", "is it called")
        return document.place(path[:-1]).problem(f"expected the key {name!r}, got none{near}")
    return document.place(path).problem(f"expected {_expected(error)}, got {_got(error)}")


def _is_split_text(entry: object) -> bool:
    """Whether YAML has read a text as a key and a value, for the ": " in it."""
    return isinstance(entry, dict) and len(entry) == 1 and not _KEY.fullmatch(next(iter(entry)))


def _unknown_key(path: Keys, document: Source) -> Problem:
    name = str(path[-1])
    section = _section(path[:-1])
    near = did_you_mean(name, section.model_fields if section else ())
    if len(path) == 1:
        near = _OTHERS.get(name, near)
    problem = document.place(path, of_key=True).problem(f"unknown key {path[-1]!r}{near}")
    if name.lower() not in _SECRETS:
        return problem
    advice = "a job file never holds the API key; it is read from WAVESPEED_API_KEY"
    # The line would show it.
    return replace(problem, message=f"unknown key {path[-1]!r}: {advice}", source="")


def _section(path: Keys) -> type[BaseModel] | None:
    return _SECTIONS.get(".".join(key for key in path if isinstance(key, str)))


def _document_path(loc: tuple[int | str, ...], document: Source) -> Keys:
    """Pydantic's way to a value without the names of union branches in it."""
    path: Keys = ()
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if document.has((*path, part)) or (last and not str(part).startswith("=")):
            path = (*path, part)
    return path


def _got(error: ErrorDetails) -> str:
    value = error["input"]
    if value in ("", []):
        return "an empty list" if value == [] else "an empty one"
    hint = ""
    if error["type"] == "string_type" and isinstance(value, int | float | bool):
        hint = "; put it in quotes"
    if error["type"] == "bool_type" and value in ("yes", "no", "on", "off"):
        hint = "; write true or false"
    if error["type"] == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, re.findall("'([^']*)'", str(error.get("ctx"))))
    return describe(value) + hint


def _expected(error: ErrorDetails) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    fixed = {
        "string_type": "a text",
        "string_too_short": "a text",
        "int_type": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "too_short": "at least one prompt",
        "finite_number": "a finite number",
    }
    match error["type"]:
        case known if known in fixed:
            words = fixed[known]
        case "literal_error":
            words = str(context["expected"]).replace("'", "")
        case "string_pattern_mismatch":
            words = "lower-case letters, digits, '-', '_' and '.', starting with a letter or digit"
        case "string_too_long":
            words = f"at most {context['max_length']} characters"
        case "greater_than_equal":
            words = f"a number of at least {context['ge']:,.10g}"
        case "greater_than":
            words = f"a number of more than {context['gt']:,.10g}"
        case "less_than_equal":
            words = f"a number of at most {context['le']:,.10g}"
        case _:
            words = f"something else ({error['msg'].lower()})"
    return words
