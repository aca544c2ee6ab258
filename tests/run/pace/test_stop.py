"""Ending a run: who waits is woken, the weightiest reason stays, a second signal hurries."""

import asyncio
import itertools
import os
import signal

import pytest

from batchgen.errors import ExitCode
from batchgen.run.pace.stop import PRECEDENCE, Stop, signals

WEIGHTS = (ExitCode.TERMINATED, ExitCode.STORAGE, ExitCode.ACCOUNT, ExitCode.INCOMPLETE)


@pytest.mark.parametrize("order", list(itertools.permutations(WEIGHTS)))
async def test_the_weightiest_reason_stays_in_whatever_order_they_come(order):
    stop = Stop()
    for code in order:
        stop.note(code, code.name)
    assert (stop.code, stop.why) == (ExitCode.TERMINATED, "TERMINATED")
    assert stop.submitting
    assert not stop.leaving


async def test_of_reasons_that_weigh_the_same_the_first_stays():
    stop = Stop()
    stop.no_more_submits(ExitCode.INCOMPLETE, "first")
    stop.no_more_submits(ExitCode.INCOMPLETE, "second")
    assert stop.why == "first"
    assert (stop.submitting, stop.leaving) == (False, False)


async def test_what_only_ended_the_submits_is_told_from_what_ended_the_run():
    stop = Stop()
    stop.no_more_submits(ExitCode.STORAGE, "little room")
    assert (stop.why, stop.limited) == ("little room", True)
    stop.leave(ExitCode.STORAGE, "no room")
    assert (stop.why, stop.limited) == ("no room", False)
    stop.no_more_submits(ExitCode.STORAGE, "little room")
    assert (stop.why, stop.limited) == ("no room", False)


def test_every_class_but_those_that_never_start_has_its_place():
    assert set(ExitCode) - set(PRECEDENCE) == {ExitCode.USAGE, ExitCode.LOCKED}
    assert len(PRECEDENCE) == len(set(PRECEDENCE))


async def test_leaving_wakes_everybody_who_pauses():
    stop = Stop()
    pauses = [asyncio.create_task(stop.pause(1e6)) for _ in range(5)]
    until = asyncio.create_task(stop.until_left())
    await asyncio.sleep(0)
    stop.leave(ExitCode.STORAGE, "full")
    assert await asyncio.gather(*pauses) == [False] * 5
    await until
    assert (stop.leaving, stop.submitting) == (True, False)


@pytest.mark.parametrize("seconds", [0, -1, 0.0])
async def test_a_pause_of_nothing_is_over_at_once_unless_it_is_time_to_leave(seconds):
    stop = Stop()
    assert await stop.pause(seconds)
    stop.leave(ExitCode.INCOMPLETE, "")
    assert not await stop.pause(seconds)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGHUP, ExitCode.TERMINATED),
    ],
)
async def test_a_signal_leaves_and_a_second_one_hurries(number, code):
    stop = Stop()
    before = signal.getsignal(number)
    with signals(stop):
        os.kill(os.getpid(), number)
        assert not await stop.pause(10)
        assert (stop.code, stop.why) == (code, f"stopped by {number.name}")
        assert not stop.hurry.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.hurry.wait(), 10)
    assert signal.getsignal(number) is before


@pytest.fixture(autouse=True)
def nobody_ignores_signals():
    """As at a terminal, also where the tests were started by ``nohup`` or in the background."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


async def test_what_nohup_ignores_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = Stop()
    with signals(stop):
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert not stop.leaving


async def test_what_was_there_before_is_there_again():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals(Stop()):
        assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


async def test_a_handler_that_python_does_not_know_is_not_put_back(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    with signals(Stop()):
        pass
