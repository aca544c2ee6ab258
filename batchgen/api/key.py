"""The API key: read from the environment, held in one object that never shows it.

Every sink of words (screen, log, traceback) passes them through :func:`redact`, which knows all
keys of this process. That is the second line of defence: no word should hold a key in the first
place.
"""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from batchgen.errors import UsageError
from batchgen.text import keep_secret, redact

KEY = "WAVESPEED_API_KEY"
KEY_FILE = "WAVESPEED_API_KEY_FILE"
MAX_KEY_FILE_BYTES = 4_096


class ApiKey:
    """A key. Only :meth:`header` gives it away, and only the API's own session asks for that."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keep the key. Raises UsageError for one that cannot stand in a header, without echo."""
        text = text.strip()  # a pasted newline is the usual cause of a 401
        if not re.fullmatch(r"[!-~]+", text):
            raise UsageError("expected a key of visible ASCII characters, without spaces")
        self._text = text
        keep_secret(text)

    def __repr__(self) -> str:
        """Three stars."""
        return "***"

    __str__ = __repr__

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._text}"

    def fingerprint(self, salt: str, origin: str) -> str:
        """Eight hex digits that change with the key or the service, and give neither away."""
        return hashlib.sha256(f"{salt} {origin} {self._text}".encode()).hexdigest()[:8]

    def redact(self, data: bytes) -> bytes:
        """*data* with the key replaced, for words that come from a server."""
        # Every byte is one character of Latin-1, so that what is no UTF-8 comes back as it was.
        return redact(data.decode("latin-1")).encode("latin-1")


def learn_key(environment: Mapping[str, str] = os.environ) -> None:
    """Let :func:`redact` know the key in *environment* before anything has asked for it."""
    with suppress(UsageError):
        ApiKey(environment.get(KEY, ""))


def read_key(environment: Mapping[str, str] = os.environ) -> ApiKey:
    """The key from WAVESPEED_API_KEY, else from the file WAVESPEED_API_KEY_FILE names.

    Raises UsageError when there is none, or when others may read or write the file.
    """
    if environment.get(KEY, "").strip():
        return ApiKey(environment[KEY])
    if not environment.get(KEY_FILE):
        raise UsageError(
            f"expected an API key in {KEY}, or in a file named by {KEY_FILE}; "
            "to try things without a key, use --service local"
        )
    path = Path(environment[KEY_FILE])
    try:
        return ApiKey(read_own_file(path, "key file"))
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        # What is no text would show a byte of the key.
        why = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
        raise UsageError(f"cannot read the key file {path}: {why}") from None


def read_own_file(path: Path, what: str) -> str:
    """The ASCII text of *what*: a small file that only its owner can have written and may read.

    Raises UsageError for any other file, OSError and ValueError when it cannot be read.
    """
    # A named pipe without a writer would keep an ordinary open waiting.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"expected the {what} {path} to be a regular file")
        if found.st_mode & 0o077:
            raise UsageError(f"others may read the {what} {path}; run: chmod 600 {path}")
        if found.st_uid not in {0, os.geteuid()}:
            raise UsageError(f"the {what} {path} belongs to another user; use one of your own")
        content = file.read(MAX_KEY_FILE_BYTES + 1)
    if len(content) > MAX_KEY_FILE_BYTES:
        raise UsageError(f"expected a key in {path}, got more than {MAX_KEY_FILE_BYTES:,} bytes")
    return content.decode("ascii")
