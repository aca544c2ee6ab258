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
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock file *path* for the block, alone or *shared* with others who share it.

    The kernel frees it when the process ends, however it ends, so a stale file never blocks.
    Raises LockedError, naming a holder that has it alone, when another process is in the way.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"cannot open the lock {path}: {error.strerror}") from None
    try:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(_held(os.read(descriptor, 1000), path)) from None
        except OSError as error:
            reason = f"cannot lock {path}: {error.strerror}; use a local folder"
            raise StorageError(reason) from None
        if shared:
            yield
            return
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
    dataset = next((p.parent for p in path.parents if p.name == ".batchgen"), path.parent.parent)
    return f"the dataset {dataset} is in use by {by}; wait for it, or stop it"
