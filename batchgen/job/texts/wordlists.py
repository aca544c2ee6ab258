"""Word lists: ``__colours__`` is a line of ``colours.txt`` beside the job file.

Empty lines and lines that start with ``#`` do not count. A line may have a weight (``3::red``) and
wildcards of its own; a name with ``*`` or ``?`` stands for the lines of all files that match.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from batchgen.errors import UsageError
from batchgen.job.source.files import decode_text, read_regular_file
from batchgen.job.source.wording import describe, did_you_mean
from batchgen.job.texts.choices import Choice, Phrase, choice
from batchgen.job.texts.wildcards import WildcardError, parse_line

MAX_LINES = 100_000  # of all files a name stands for
MAX_BYTES = 16 * 1024 * 1024
MAX_NESTED = 10  # lists in lists
MAX_NAME = 200  # bytes; file systems take 255
_MAX_NAMES = 1_000  # files that are looked at for a name that is near

_Lines = list[tuple[int, Phrase]]


class WordLists:
    """The word lists of a folder; each file is read when it is first named, and once."""

    def __init__(self, folder: Path) -> None:
        """Look in *folder*, that of the job file; nothing is read yet."""
        self._folder = folder
        self._found: dict[str, tuple[Choice, int]] = {}
        self._read: dict[Path, tuple[_Lines, int]] = {}
        self._reading: dict[Path, int] = {}
        """The files that are being read, and how deeply each nests as far as it is known."""

    def find(self, name: str) -> Choice:
        """The lines of the list *name*.

        Raises WildcardError for a name that leaves the folder or fits no file, for a file that
        cannot be read, is too large, has a mistake or no word, and for lists in a circle.
        """
        if name not in self._found:
            self._found[name] = self._load(name)
        among, height = self._found[name]
        if len(self._reading) + height > MAX_NESTED:
            raise WildcardError(f"expected word lists at most {MAX_NESTED} deep, at {name!r}")
        if self._reading:
            last = next(reversed(self._reading))
            self._reading[last] = max(self._reading[last], height + 1)
        return among

    def _load(self, name: str) -> tuple[Choice, int]:
        lines: _Lines = []
        height = 1
        for path in self._paths(name):
            own, own_height = self._file(path)
            height = max(height, own_height)
            lines += own
            if len(lines) > MAX_LINES:
                raise WildcardError(f"expected at most {MAX_LINES:,} lines for {name!r}, got more")
        return choice(lines), height

    def _paths(self, name: str) -> list[Path]:
        parts = name.split("/")
        if ".." in name or not all(parts) or len(name.encode()) > MAX_NAME or "**" in name:
            expected = "expected the name of a word list in the folder of the job file"
            raise WildcardError(f"{expected}, without '..' or '**', got {describe(name)}")
        path = self._folder / f"{name}.txt"
        try:
            if "*" in name or "?" in name:
                paths = sorted(self._folder.glob(f"{name}.txt"))
            else:
                paths = [path] if path.exists() else []
        except OSError as error:
            raise WildcardError(f"cannot read {path}: {error.strerror}") from None
        if not paths:
            near = did_you_mean(name, islice(self._names(path.parent), _MAX_NAMES))
            raise WildcardError(f"expected a word list at {path}, but there is no such file{near}")
        return paths

    def _names(self, folder: Path) -> Iterator[str]:
        for path in folder.glob("*.txt"):
            yield path.relative_to(self._folder).with_suffix("").as_posix()

    def _file(self, path: Path) -> tuple[_Lines, int]:
        if path in self._read:
            return self._read[path]
        if path in self._reading:
            files = [*self._reading, path]
            way = " -> ".join(file.name for file in files[files.index(path) :])
            raise WildcardError(f"word lists name each other in a circle: {way}")
        if len(self._reading) == MAX_NESTED:
            raise WildcardError(f"expected word lists at most {MAX_NESTED} deep, at {path.name}")
        self._reading[path] = 1
        try:
            lines = self._lines(path)
        finally:
            height = self._reading.pop(path)
        self._read[path] = lines, height
        return lines, height

    def _lines(self, path: Path) -> _Lines:
        try:
            raw = read_regular_file(path, max_bytes=MAX_BYTES, what="a word list")
            text = decode_text(raw, file=str(path))
        except UsageError as error:
            raise WildcardError(str(error)) from None
        if "\0" in text:
            raise WildcardError(f"expected a word list of text at {path}, got a zero byte in it")
        written = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
        if len(written) > MAX_LINES:
            got = f"got {len(written):,} in {path}"
            raise WildcardError(f"expected a word list of at most {MAX_LINES:,} lines, {got}")
        lines: _Lines = []
        for number, line in enumerate(written, 1):
            word = line.strip()
            if not word or word.startswith("#"):
                continue
            try:
                lines.append(parse_line(word, self.find))
            except WildcardError as error:
                raise WildcardError(f"{path.name}:{number}: {error.message}") from None
        if not lines:
            raise WildcardError(f"expected words in {path}, got none")
        return lines
