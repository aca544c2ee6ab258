"""Threads beside the event loop, which work for it and should not interrupt it."""

import os
import sys
from contextlib import suppress


def stand_back() -> None:
    """Let the calling thread wait its turn when it wakes, with the same share of the processor.

    A thread that wakes because the disk is done would else take the core from the event loop, only
    to wait for the interpreter that the loop still has: on one core, where each image is synced, 8
    switches for an image and a tenth of the time. Linux only, where it is the policy
    ``SCHED_BATCH`` (sched(7)); a thread with a policy of its own keeps it.
    """
    with suppress(OSError):  # a sandbox may not allow it, nor every C library ask
        if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
