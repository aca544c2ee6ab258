"""The API key: read from the environment, held in one object that never shows it."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from batchgen.errors import UsageError

KEY = "WAVESPEED_API_KEY"
KEY_FILE = "WAVESPEED_API_KEY_FILE"


class ApiKey:
    """A key. Only :meth:`header` gives it away, and only the API's own session asks for that."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keep the key. Raises UsageError for one that cannot stand in a header, without echo."""
        text = text.strip()  # a pasted newline is the usual cause of a 401
        if not re.fullmatch(r"[!-~]+", text):
            raise UsageError("expected a key of visible ASCII characters, without spaces")
        self._text = text

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
        return data.replace(self._text.encode(), b"***")


def read_key(environment: Mapping[str, str] = os.environ) -> ApiKey:
    """The key from WAVESPEED_API_KEY, else from the file WAVESPEED_API_KEY_FILE names.

    Raises UsageError when there is none, or when others may read the file.
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
        if path.stat().st_mode & 0o077:
            raise UsageError(f"others may read the key file {path}; run: chmod 600 {path}")
        return ApiKey(path.read_text("ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the key file {path}: {type(error).__name__}") from None
