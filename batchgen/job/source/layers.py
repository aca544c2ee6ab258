"""One job out of several: files that it extends, and values set on the command line.

Mappings are merged key by key, and what comes later wins; a list or a single value replaces the one
before as a whole. Everything keeps the place where it was written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.errors import JobError, UsageError
from batchgen.job.source.document import Document, Keys, Source, parse_document, read_document
from batchgen.job.source.files import Place
from batchgen.job.source.wording import describe

MAX_FILES = 20
EXTENDS = "extends"
_OPTION = re.compile(r"([^=]*)=(.*)", re.DOTALL)


@dataclass(kw_only=True)
class Layers:
    """Documents on top of one another; the form of a :class:`Source`."""

    file: str
    value: object
    origins: dict[Keys, tuple[Document, Keys]] = field(default_factory=dict)
    """Of values: the document that each was taken from, and the way to it there."""

    def has(self, path: Keys) -> bool:
        """Whether there is a value at *path*."""
        document, there = self._origin(path)
        return document.has(there)

    def place(self, path: Keys, *, of_key: bool = False) -> Place:
        """Where the value at *path* (or its key) stands; else the nearest thing above it."""
        document, there = self._origin(path)
        return document.place(there, of_key=of_key)

    def path_at(self, place: Place) -> Keys | None:
        """The way to what stands at *place*; None when that is no place of its own."""
        for path, (document, there) in self.origins.items():
            shown = document.place(()).source
            found = document.path_at(place) if place.source in shown or place.line > 1 else None
            if found is not None and found[: len(there)] == there:
                return (*path, *found[len(there) :])
        return None

    def _origin(self, path: Keys) -> tuple[Document, Keys]:
        above = path
        while above not in self.origins:
            above = above[:-1]
        document, there = self.origins[above]
        return document, (*there, *path[len(above) :])

    def put(self, path: Keys, document: Document, there: Keys = ()) -> None:
        """Let *path* have the value that *document* has; there is something above it."""
        value = _at(document.value, there)
        above = _at(self.value, path[:-1])
        new = isinstance(above, dict) and path[-1:] and path[-1] not in above
        if not new:  # else nothing below it has an origin, of which there may be 100,000
            self.origins = {p: o for p, o in self.origins.items() if p[: len(path)] != path}
        self.origins[path] = document, there
        if not path:
            self.value = _copied(value)
            return
        above[path[-1]] = _copied(value)  # type: ignore[index]  # a mapping, or a list that long

    def merge(self, path: Keys, document: Document) -> None:
        """Lay what *document* has at *path* over what is there."""
        new = _at(document.value, path)
        if not isinstance(new, dict) or not isinstance(_at(self.value, path), dict):
            self.put(path, document, path)
            return
        own = _at(self.value, path)
        for key in new:
            if isinstance(own, dict) and key in own:
                self.merge((*path, key), document)
            else:
                self.put((*path, key), document, (*path, key))


def read_layers(path: Path, overrides: Sequence[str]) -> Source:
    """The job file at *path*, over those that it extends, under the *overrides* ``path=value``.

    Raises JobError with what is wrong, UsageError when there is no such file, and for a text that
    is no override.
    """
    own = read_document(path)
    documents = [*_bases(own, path, (path.resolve(),), []), own]
    if not isinstance(own.value, dict) or (len(documents) == 1 and not overrides):
        return own
    layers = Layers(file=own.file, value={}, origins={(): (own, ())})
    for document in documents:
        layers.merge((), document)
    for option in overrides:
        way, document = read_option(option, "--set")
        _override(layers, way, document)
    return layers


def read_option(text: str, name: str) -> tuple[str, Document]:
    """What stands before the = of the option *name*, and its value, read as in a job file.

    Raises UsageError when there is no =, JobError for a value that cannot be read.
    """
    found = _OPTION.fullmatch(text)
    if not found or not found[1].strip():
        form = "path=value, such as matrix.seed=0..7"
        if name == "--only":
            form = "name=value, such as seed=3"
        raise UsageError(f"expected {name} {form}, got {text!r}")
    # Spaces for the path: a mistake is shown at its place in the option.
    return found[1].strip(), parse_document(" " * found.start(2) + found[2], file=name, shown=text)


def _bases(
    document: Document, path: Path, chain: tuple[Path, ...], read: list[Path]
) -> Iterator[Document]:
    """The files that *document* at *path* extends, those that these extend before them.

    *chain* are the files that led here, *read* all that were.
    """
    listed = document.value.get(EXTENDS, []) if isinstance(document.value, dict) else []
    if not isinstance(listed, list):
        wrong = f"expected a list of files, got {describe(listed)}"
        raise JobError([document.place((EXTENDS,)).problem(wrong)])
    for index, name in enumerate(listed):
        place = document.place((EXTENDS, index))
        if not isinstance(name, str):
            raise JobError([place.problem(f"expected a file, got {describe(name)}")])
        base = path.parent / name
        read.append(base.resolve())
        if read[-1] in chain:
            raise JobError([place.problem(f"{name} extends this file in turn")])
        if len(read) > MAX_FILES:
            raise JobError([place.problem(f"expected at most {MAX_FILES} files to be extended")])
        try:
            found = read_document(base)
        except JobError:
            raise
        except UsageError as error:
            raise JobError([place.problem(str(error))]) from None
        if not isinstance(found.value, dict):
            wrong = f"expected a mapping with keys of a job file, got {describe(found.value)}"
            raise JobError([found.place(()).problem(wrong)])
        yield from _bases(found, base, (*chain, read[-1]), read)
        yield found


def _override(layers: Layers, way: str, document: Document) -> None:
    path: Keys = ()
    start = Place(file=document.file, line=1, column=1, source=document.place(()).source)
    steps = way.split(".")
    for number, step in enumerate(steps):
        here = _at(layers.value, path)
        last = number == len(steps) - 1
        if isinstance(here, list):
            path = (*path, _index(step, here, way, start))
        elif isinstance(here, dict):
            path = (*path, step)
            if not last and step not in here:
                layers.put(path, parse_document("{}", file=start.file, shown=start.source))
        else:
            raise _wrong(
                start, f"{'.'.join(map(str, path))} is {describe(here)}; it has no {step!r}"
            )
    if path == (EXTENDS,):
        raise _wrong(start, "extends cannot be set here; it stands in the file")
    layers.put(path, document)


def _index(step: str, items: list[object], way: str, start: Place) -> int:
    if step.isdecimal() and len(step) < 10 and int(step) < len(items):
        return int(step)
    raise _wrong(start, f"expected an index below {len(items)} in {way}, got {step!r}")


def _wrong(place: Place, message: str) -> JobError:
    return JobError([place.problem(message)])


def _at(value: object, path: Keys) -> object:
    for key in path:
        value = value[key] if isinstance(value, dict | list) else None  # type: ignore[index]
    return value


def _copied(value: object) -> object:
    """*value* with mappings and lists of its own, for other layers to change."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
