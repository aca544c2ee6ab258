"""Making a folder ready, and claiming it or parts of it: at once, or after the run that has it."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.dataset.disk import network_file_system
from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import LockedError
from batchgen.job.load import Job
from batchgen.ledger.lock import locked
from batchgen.run.pace.stop import Stop
from batchgen.run.writing.reports import check_output

log = logging.getLogger(__name__)

# Seconds that a shard waits for another one to divide the dataset: that took 2.3 s for 200,000
# variants. A run of the whole dataset keeps it longer, and then the shard gives up.
SHORTLY = 60.0
_AGAIN = 0.05
LOOK_AT_LOCK = 1.0  # seconds, where it may take a night


def prepare(job: Job, folder: DatasetFolder) -> None:
    """Make *folder* ready for a run of *job*.

    Raises UsageError when it cannot be what the job wants, StorageError when it cannot be written.
    """
    check_output(job, folder)
    folder.prepare()
    if kind := network_file_system(folder.root):
        log.warning("%s is on a network file system (%s): locks may fail there", folder.root, kind)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """What a run does about a lock that another one holds."""

    stop: Stop = field(default_factory=Stop)
    wait: bool = False
    """Whether the end of the other run is waited for."""
    until: float | None = None
    """The moment of the monotonic clock at which that waiting ends; None for never."""


async def acquire(
    lock: Path,
    stack: ExitStack,
    patience: Patience | None = None,
    *,
    shared: bool = False,
    seconds: float = 0.0,
    unless: Callable[[], bool] = lambda: False,
) -> bool:
    """Hold the lock file *lock* until *stack* ends; False when *unless* held before that.

    So many *seconds* are waited for it in any case. Raises LockedError when it cannot be had, or
    when it is time to leave.
    """
    patience = patience or Patience()
    ends = time.monotonic() + seconds
    told = False
    while not unless():
        try:
            stack.enter_context(locked(lock, shared=shared))
        except LockedError as error:
            now, until = time.monotonic(), patience.until
            if now >= ends and not (patience.wait and (until is None or now < until)):
                raise
            if now >= ends and not told:
                log.warning("waiting: %s", error)
                told = True
            if not await patience.stop.pause(_AGAIN if now < ends else LOOK_AT_LOCK):
                raise
        else:
            return True
    return False
