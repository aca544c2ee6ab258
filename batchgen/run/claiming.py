"""Claiming a dataset: at once, or when the run that owns it has ended."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from batchgen.errors import LockedError
from batchgen.ledger.lock import locked
from batchgen.run.stop import Stop

log = logging.getLogger(__name__)

LOOK_AT_LOCK = 1.0  # seconds


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
