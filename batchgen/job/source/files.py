"""Reading the files a job names: regular files only, capped, UTF-8, with the place of a mistake."""

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from batchgen.errors import JobError, Problem, UsageError
from batchgen.text import aligned, redact

_MAX_MESSAGE = 600  # characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place in a job or prompt file; line and column count from 1."""

    file: str
    line: int
    column: int
    source: str = ""

    def within(self, text: str, offset: int) -> "Place":
        """The place of the character at *offset* of *text*, which stands here; or this one.

        A text over several lines, or with escapes, does not stand in the file as it is read.
        """
        start = self.source.find(text, self.column - 1)
        return self if start < 0 else replace(self, column=start + offset + 1)

    def problem(self, message: str) -> Problem:
        """The problem *message*, found here; it may quote a key of a million characters."""
        message = redact(message)
        if len(message) > _MAX_MESSAGE:
            message = message[: _MAX_MESSAGE // 2] + " ... " + message[-_MAX_MESSAGE // 2 :]
        return Problem(
            file=self.file,
            line=self.line,
            column=self.column,
            message=aligned(message),
            source=aligned(self.source),
        )


def folder_of(place: Place) -> Path:
    """The folder that a path written at *place* is relative to; here for the command line."""
    return Path() if place.file.startswith("--") else Path(place.file).parent


def read_regular_file(path: Path, *, max_bytes: int, what: str) -> bytes:
    """The bytes of the regular file at *path*.

    A device or a pipe could block or never end, so it is refused before it is read, as is a file
    of more than *max_bytes*. A file that has more to it than its size says is one of the system's
    own, such as /proc/self/environ, or is being written. Raises UsageError in these cases and when
    it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"expected {what} at {path}, but there is no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {what} at {path}: {_reason(error)}") from None
    # Looked at before it becomes a file object, which a directory cannot.
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        found_kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise UsageError(f"expected {what} at {path}, but that is {found_kind}")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > max_bytes:
            raise UsageError(f"expected {what} of at most {max_bytes >> 20} MiB at {path}")
        try:
            data = file.read(found.st_size + 1)
        except OSError as error:
            raise UsageError(f"cannot read {what} at {path}: {_reason(error)}") from None
    if len(data) > found.st_size:
        raise UsageError(f"expected {what} at {path}, but that has no fixed size")
    return data


def decode_text(raw: bytes, *, file: str) -> str:
    """UTF-8 text, with or without a byte order mark. Raises JobError at the first bad byte."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        message = f"expected UTF-8 text, got the byte 0x{raw[error.start]:02x}; save it as UTF-8"
        problem = Problem(file=file, line=line, column=column, message=message)
        raise JobError([problem]) from None


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
