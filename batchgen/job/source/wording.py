"""How messages name what a job file holds, so that every one of them reads alike."""

import difflib
from collections.abc import Iterable

from batchgen.text import redact

_MAX_WORD = 100  # characters


def describe(value: object) -> str:
    """Name a value of a job file the way its author would: ``the text '7'``, ``a list``."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            value = redact(value)
            shown = value if len(value) <= 60 else value[:57] + "..."
            return f"the text {ascii(shown) if not shown.isprintable() else repr(shown)}"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """``; did you mean 'seed'?`` when one of *known* is near *word*, else an empty text."""
    if len(word) > _MAX_WORD:  # comparing takes its length squared
        return ""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""
