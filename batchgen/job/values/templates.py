"""Placeholders: ``{name}`` in a text stands for the value of the parameter *name*.

A placeholder is ``{name}``, the name of lower-case letters, digits and underscores and not
starting with a digit. Every other brace stays itself, so JSON and CSS need no escapes: ``{``,
``{}``, ``{A b}``, ``{1}``, ``{ name }``. Doubled braces keep a name from being one: ``{{name}}``
gives ``{name}``, ``{{{name}}}`` gives ``{{name}}``. They mean that only right before and right
after a name: ``{{`` and ``{{A b}}`` stay as they are, and ``{{name}`` is a brace and a placeholder.
"""

import re
from collections.abc import Iterable, Mapping

from batchgen.job.values.canonical import spelled

NAME = "[a-z_][a-z0-9_]*+"  # possessive: never tried a second time
_PLACEHOLDER = re.compile(rf"\{{\{{({NAME})\}}\}}|\{{({NAME})\}}")


class Template:
    """A text with placeholders, read once and filled many times."""

    __slots__ = ("_names", "_offsets", "_texts", "names")

    def __init__(self, text: str) -> None:
        """Find the placeholders of *text*; no text is refused."""
        texts: list[str] = []  # one more than there are placeholders
        names: list[str] = []
        offsets: dict[str, int] = {}  # of the first of each name
        pieces: list[str] = []
        end = 0
        # Most texts have no brace, and a copy of a text may be a megabyte.
        for found in _PLACEHOLDER.finditer(text) if "{" in text else ():
            pieces.append(text[end : found.start()])
            end = found.end()
            if found[1] is not None:
                pieces.append(f"{{{found[1]}}}")
                continue
            texts.append("".join(pieces))
            pieces.clear()
            names.append(found[2])
            offsets.setdefault(found[2], found.start())
        pieces.append(text[end:] if end else text)
        texts.append("".join(pieces))
        self._texts = tuple(texts)
        self._names = tuple(names)
        self._offsets = offsets
        self.names = frozenset(names)

    def fill(self, values: Mapping[str, object]) -> str:
        """The text with *values* in place of the placeholders.

        A value is spelled as YAML spells it: a text as is, ``7``, ``0.5``, ``true``, ``null``;
        1 and 1.0 stay two texts, as they are two values. Braces in a value are text. Raises
        KeyError for a placeholder without a value; ``missing`` finds those.
        """
        if not self._names:
            return self._texts[0]
        pieces = [self._texts[0]]
        for name, after in zip(self._names, self._texts[1:], strict=True):
            value = values[name]
            pieces += value if isinstance(value, str) else spelled(value), after
        return "".join(pieces)

    def missing(self, known: Iterable[str]) -> list[tuple[str, int]]:
        """The names that *known* lacks, each with the offset of its first brace, in text order."""
        if not self._names:
            return []
        lost = self.names.difference(known)
        return [(name, offset) for name, offset in self._offsets.items() if name in lost]
