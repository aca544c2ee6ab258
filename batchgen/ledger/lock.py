"""One run at a time: a lock on the dataset that dies with its process."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from batchgen.errors import LockedError, StorageError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file *path* for the block.

    The kernel frees it when the process ends, however it ends, so a stale file never blocks.
    Raises LockedError, naming the holder, when another process has it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"cannot open the lock {path}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(_held(os.read(descriptor, 1000), path)) from None
        except OSError as error:
            reason = f"cannot lock {path}: {error.strerror}; use a local folder"
            raise StorageError(reason) from None
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        except OSError as error:
            raise StorageError(f"cannot write the lock {path}: {error.strerror}") from None
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _held(content: bytes, path: Path) -> str:
    try:
        holder = json.loads(content)
        by = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, TypeError, KeyError):
        by = "another process"
    return f"the dataset {path.parent.parent} is in use by {by}; wait for it, or stop it"
