"""A seal on a ledger that was closed in order, so that its next opening need not look through it.

It holds the checksum of a file that was found sound, as it was when it was closed: a file that fits
it is the same, byte for byte. A million variants are compared in half a second; to
look through their records and indexes takes ten.

What a run writes is not looked through again before it is sealed: that would take the ten seconds
at the end of each. A disk that damages a page under a run is found all the same, because the seal
is of what the system holds in memory, and the next opening reads the disk. What is sealed as sound
is a page that was damaged and read again while the run had the file open, or that another program
wrote into it past SQLite.
"""

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path

_CHUNK = 1024 * 1024
_MOST = 1_000  # bytes of a seal


def seal(path: Path) -> None:
    """Seal the closed ledger at *path*. One that cannot be sealed is only looked through again."""
    with suppress(OSError):
        if not _has_log(path):  # otherwise somebody else has it open
            told = json.dumps(_told(path)).encode()
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(_seal(path), flags, 0o600), "wb") as file:
                file.write(told)


def is_sealed(path: Path) -> bool:
    """Whether the ledger at *path* is what it was when it was sealed, and nothing came since."""
    try:
        with os.fdopen(os.open(_seal(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            told = json.loads(file.read(_MOST))
        return not _has_log(path) and told == _told(path)
    except (OSError, ValueError, RecursionError):
        return False


def _seal(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def _has_log(path: Path) -> bool:
    """Whether commits wait beside the file: of a run that was killed, or still goes on."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _told(path: Path) -> dict[str, int]:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return {"crc32": checksum}
