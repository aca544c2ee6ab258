"""What threads are to the scheduler."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from batchgen.threads import stand_back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="policies are Linux's")


def policies() -> tuple[int, int]:
    before = os.sched_getscheduler(0)
    stand_back()
    return before, os.sched_getscheduler(0)


def test_a_thread_that_stands_back_does_so_alone():
    ours = os.sched_getscheduler(0)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(policies).result() == (ours, os.SCHED_BATCH)
    assert os.sched_getscheduler(0) == ours


def test_a_thread_with_a_policy_of_its_own_keeps_it():
    idle = os.sched_param(0)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(os.sched_setscheduler, 0, os.SCHED_IDLE, idle).result()
        assert thread.submit(policies).result() == (os.SCHED_IDLE, os.SCHED_IDLE)


@pytest.mark.parametrize("call", ["sched_getscheduler", "sched_setscheduler"])
def test_where_it_is_not_allowed_all_goes_on(monkeypatch, call):
    def refuse(*_: object) -> None:
        raise PermissionError

    with ThreadPoolExecutor(1) as thread, monkeypatch.context() as refusing:
        before = thread.submit(os.sched_getscheduler, 0).result()
        refusing.setattr(os, call, refuse)
        thread.submit(stand_back).result()
        refusing.undo()
        assert thread.submit(os.sched_getscheduler, 0).result() == before
