"""A strict YAML reader that knows the place of everything it read.

Plain YAML turns ``16:9`` into 969 and ``no`` into false, and a few hundred bytes of aliases into
gigabytes. A job file is read by the YAML 1.2 core rules instead, from PyYAML's events: no aliases,
merge keys, tags or duplicate keys, and caps on size, depth and numbers.
"""

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

import yaml

from batchgen.errors import JobError, Problem
from batchgen.job.source.faults import syntax_problem
from batchgen.job.source.files import Place, decode_text, read_regular_file
from batchgen.job.source.scalars import INT, MAX_DIGITS, resolve

MAX_BYTES = 16 * 1024 * 1024
MAX_LINES = 1_000_000
MAX_VALUES = 250_000  # keys included; of each its place is kept, which takes some 300 bytes
MAX_DEPTH = 50
MAX_PROBLEMS = 20  # a file that is no job at all has a mistake in every line
MAX_SOURCE = 10_000  # characters of a line that is shown beside a mistake


class Mark(Protocol):
    """What PyYAML and libyaml both tell of a place: characters from the start of the text.

    Their lines also end at U+0085 and U+2028, those of editors do not, so lines are counted here.
    """

    index: int


Keys = tuple[str | int, ...]
"""The way to a value: mapping keys and list indexes from the top, ``("prompts", 0, "text")``."""


class Source(Protocol):
    """Plain values with their places: a file, or several on top of one another."""

    @property
    def file(self) -> str:
        """Of the job."""

    @property
    def value(self) -> object:
        """All of it."""

    def has(self, path: Keys) -> bool:
        """Whether there is a value at *path*."""

    def place(self, path: Keys, *, of_key: bool = False) -> Place:
        """Where the value at *path* (or its key) stands; else the nearest thing above it."""

    def path_at(self, place: Place) -> Keys | None:
        """The way to what stands at *place*; None when that is no place of its own."""


_ELSEWHERE = "many prompts go into a file of their own (prompts: [{file: prompts.txt}])"

_LINE_END = re.compile(r"\r\n|\r|\n")
# libyaml tells the place of such a character in bytes, PyYAML in characters: looked for here.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# libyaml is ten times faster; the events are the same.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Document:
    """The plain values of a YAML file, and where each of them stands."""

    file: str
    value: object
    text: "_Text" = field(repr=False)
    values: dict[Keys, int] = field(repr=False)
    keys: dict[Keys, int] = field(repr=False)

    def has(self, path: Keys) -> bool:
        """Whether there is a value at *path*."""
        return path in self.values

    def place(self, path: Keys, *, of_key: bool = False) -> Place:
        """Where the value at *path* (or its key) stands; else the nearest thing above it."""
        if of_key and path in self.keys:
            return self.text.place(self.keys[path])
        while path and path not in self.values:
            path = path[:-1]
        return self.text.place(self.values.get(path, 0))

    def path_at(self, place: Place) -> Keys | None:
        """The way to what stands at *place*; None when that is no place of its own."""
        if place.file != self.file:
            return None
        index = self.text.index(place)
        every = chain(self.keys.items(), self.values.items())
        return next((path for path, found in every if found == index), None)


class _Text:
    """The text of a file, and the place of every character in it."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts = array("I", [0, *(end.end() for end in _LINE_END.finditer(text))])

    def index(self, place: Place) -> int:
        return self._starts[place.line - 1] + place.column - 1

    def place(self, index: int) -> Place:
        line = bisect_right(self._starts, index) - 1
        start = self._starts[line]
        more = line + 1 < len(self._starts)
        end = self._starts[line + 1] if more else len(self.text)
        # A line of megabytes is not worth showing, and must not be kept for every value on it.
        source = self.text[start:end].rstrip("\r\n") if end - start <= MAX_SOURCE else ""
        return Place(file=self.file, line=line + 1, column=index - start + 1, source=source)


def read_document(path: Path) -> Document:
    """Read the YAML file at *path*.

    Raises JobError with every problem found, UsageError when there is no such regular file.
    """
    raw = read_regular_file(path, max_bytes=MAX_BYTES, what="a job file")
    return parse_document(decode_text(raw, file=str(path)), file=str(path))


def parse_document(text: str, *, file: str, shown: str | None = None) -> Document:
    """Parse the YAML *text* of *file*, of which problems show the line *shown* when it is given.

    Raises JobError with every problem found.
    """
    if text.count("\n") + text.count("\r") > 2 * MAX_LINES:  # "\r\n" is one of each
        reader = _Reader(text=_Text(file, ""))
        reader.refuse(0, f"expected at most {MAX_LINES:,} lines; {_ELSEWHERE}")
        raise JobError(reader.problems)
    reader = _Reader(text=_Text(file, shown or text))
    try:
        _refuse_control_characters(text)
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except _StopError as error:
        reader.refuse(error.index, str(error))
    except yaml.MarkedYAMLError as error:
        reader.refuse(*syntax_problem(error, text))
    if reader.problems:
        raise JobError(reader.problems)
    return Document(
        file=file,
        value=reader.root,
        text=reader.text,
        values=reader.values,
        keys=reader.keys,
    )


class _StopError(Exception):
    """Stops the parser at a character; everything below would be nonsense anyway."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(kw_only=True)
class _Reader:
    """Builds values from events with a stack of its own, so depth cannot exhaust Python's."""

    text: _Text
    root: object = None
    documents: int = 0
    values: dict[Keys, int] = field(default_factory=dict)
    keys: dict[Keys, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    stack: list[tuple[dict[str, object] | list[object], Keys]] = field(default_factory=list)
    pending_key: list[str | None] = field(default_factory=list)

    def refuse(self, where: Mark | int, message: str) -> None:
        place = self.text.place(where if isinstance(where, int) else where.index)
        self.problems.append(place.problem(message))

    def take(self, event: yaml.Event) -> None:
        mark: Mark = event.start_mark  # type: ignore[assignment]  # the stubs allow None
        if len(self.problems) >= MAX_PROBLEMS:
            raise _StopError(mark.index, "too many mistakes; nothing more was read")
        if len(self.values) + len(self.keys) > MAX_VALUES:
            raise _StopError(mark.index, f"expected at most {MAX_VALUES:,} values; {_ELSEWHERE}")
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents == 2:
                self.refuse(mark, "expected one YAML document, got a second one after '---'")
        elif isinstance(event, yaml.AliasEvent):
            self.refuse(mark, "aliases are not supported; a text that starts with * needs quotes")
            self._put(None, mark)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.stack.pop()
            self.pending_key.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._node(event, mark)

    def _node(self, event: yaml.NodeEvent, mark: Mark) -> None:
        if event.anchor:
            self.refuse(mark, "anchors are not supported; a text that starts with & needs quotes")
        if getattr(event, "tag", None):
            self.refuse(mark, "tags are not supported; a text that starts with ! needs quotes")
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, mark)
            return
        if len(self.stack) >= MAX_DEPTH:
            raise _StopError(mark.index, f"expected at most {MAX_DEPTH} levels of nesting")
        new: dict[str, object] | list[object]
        new = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._put(new, mark)
        self.stack.append((new, path))
        self.pending_key.append(None)

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        if self._expects_key():
            self._key(event.value, mark, plain=not event.style)
        else:
            if _SURROGATE.search(event.value):  # only PyYAML lets the escape \ud800 pass
                self.refuse(mark, "expected valid YAML: found half of a surrogate pair")
            value = event.value if event.style else self._plain(event.value, mark)
            self._put(value, mark)

    def _plain(self, text: str, mark: Mark) -> object:
        if len(text.lstrip("+-")) > MAX_DIGITS and INT.fullmatch(text):
            self.refuse(mark, f"expected a number of at most {MAX_DIGITS} digits, or quotes around")
            return None
        return resolve(text)

    def _expects_key(self) -> bool:
        return (
            bool(self.stack)
            and isinstance(self.stack[-1][0], dict)
            and self.pending_key[-1] is None
        )

    def _key(self, key: str, mark: Mark, *, plain: bool) -> None:
        container, path = self.stack[-1]
        if plain and key == "<<":
            self.refuse(mark, "merge keys are not supported; write the keys out")
        elif key in container:
            first = self.text.place(self.keys[(*path, key)]).line
            self.refuse(mark, f"key {key!r} was given before, on line {first}")
        self.pending_key[-1] = key
        self.keys[(*path, key)] = mark.index

    def _put(self, value: object, mark: Mark) -> Keys:
        if not self.stack:
            if self.documents == 1:
                self.root = value
            self.values[()] = mark.index
            return ()
        container, path = self.stack[-1]
        if isinstance(container, list):
            container.append(value)
            path = (*path, len(container) - 1)
        else:
            key = self.pending_key[-1]
            self.pending_key[-1] = None
            if key is None:
                raise _StopError(mark.index, "expected a text as key, got a list or a mapping")
            container[key] = value
            path = (*path, key)
        self.values[path] = mark.index
        return path


def _refuse_control_characters(text: str) -> None:
    if bad := _FORBIDDEN.search(text):
        message = f"expected text, got the control character U+{ord(bad[0]):04X}"
        raise _StopError(bad.start(), message)
