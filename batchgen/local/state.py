"""The state file: one JSON line per accepted prediction and per delete, read back on start."""

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import IO

from batchgen.errors import StorageError, UsageError
from batchgen.local.predictions import LocalPrediction

_NAMES = frozenset(field.name for field in fields(LocalPrediction))
# Every line starts like this; what is left of a line cut short by a crash must too.
_ACCEPTED, _DELETED = '{"accepted":', '{"deleted":'

Event = LocalPrediction | Sequence[str]
"""A prediction that was accepted, or the ids of those that were deleted."""


class StateFile:
    """An append-only file, held by one local service at a time.

    A line is written and handed to the operating system before the submit is answered, so that it
    survives the death of the process. It is not forced to the disk: a rehearsal need not survive
    the death of the machine.
    """

    def __init__(self, path: Path) -> None:
        """Open and lock *path*, made when missing, readable by its owner only.

        Raises UsageError when it cannot be opened or another local service holds it.
        """
        self.path = path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise UsageError(f"state file {path}: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UsageError(f"state file {path}: expected a regular file")
        self._file: IO[bytes] = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            busy = error.errno in {errno.EAGAIN, errno.EACCES}
            why = "another local service uses it" if busy else error.strerror
            raise UsageError(f"state file {path}: {why}") from None

    def replay(self) -> Iterator[Event]:
        """Yield what happened before, oldest first, and cut off a last line that is torn.

        Raises UsageError for a file that is not a state file; such a file is not changed.
        """
        end = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                if not _torn(line):
                    raise self._foreign(number)
                self._file.truncate(end)
                break
            try:
                event = _read(line)
            except (ValueError, TypeError, KeyError, RecursionError):
                raise self._foreign(number) from None
            yield event
            end += len(line)
        self._file.seek(end)

    def accept(self, prediction: LocalPrediction) -> None:
        """Append an accepted prediction. Raises StorageError when it cannot be written."""
        self._append({"accepted": {name: getattr(prediction, name) for name in sorted(_NAMES)}})

    def delete(self, ids: Sequence[str]) -> None:
        """Append a delete. Raises StorageError when it cannot be written."""
        self._append({"deleted": list(ids)})

    def close(self) -> None:
        """Close the file and release the lock."""
        self._file.close()

    def _append(self, event: Mapping[str, object]) -> None:
        try:
            self._file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(f"state file {self.path}: {error.strerror}") from None

    def _foreign(self, number: int) -> UsageError:
        return UsageError(f"{self.path}:{number}: not a line of a local service's state file")


def _read(line: bytes) -> Event:
    event = json.loads(line)
    if "deleted" in event:
        return [str(prediction_id) for prediction_id in event["deleted"]]
    return LocalPrediction(**event["accepted"])


def _torn(line: bytes) -> bool:
    start = line.decode(errors="replace")
    return any(start[: len(known)] == known[: len(start)] for known in (_ACCEPTED, _DELETED))
