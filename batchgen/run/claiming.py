"""Making a folder ready, and claiming it: at once, or when the run that owns it has ended."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from batchgen.dataset.disk import network_file_system
from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import LockedError
from batchgen.job.load import Job
from batchgen.ledger.lock import locked
from batchgen.run.reports import check_exports
from batchgen.run.stop import Stop

log = logging.getLogger(__name__)

LOOK_AT_LOCK = 1.0  # seconds


def prepare(job: Job, folder: DatasetFolder) -> None:
    """Make *folder* ready for a run of *job*.

    Raises UsageError when it cannot be what the job wants, StorageError when it cannot be written.
    """
    check_exports(job, folder)
    folder.prepare()
    if kind := network_file_system(folder.root):
        log.warning("%s is on a network file system (%s): locks may fail there", folder.root, kind)


@asynccontextmanager
async def claimed(
    lock: Path, stop: Stop, *, wait: bool, until: float | None = None
) -> AsyncIterator[None]:
    """Own the dataset of *lock* while the block lasts.

    With *wait*, another owner is waited for, until that moment of the monotonic clock. Raises
    LockedError when the dataset cannot be had, or when it is time to leave.
    """
    with ExitStack() as stack:
        told = False
        while True:
            try:
                stack.enter_context(locked(lock))
                break
            except LockedError as error:
                if not wait or (until is not None and time.monotonic() >= until):
                    raise
                if not told:
                    log.warning("waiting: %s", error)
                told = True
                if not await stop.pause(LOOK_AT_LOCK):
                    raise
        yield
