"""Which failures end the submits, and which do not."""

import pytest

from batchgen.errors import ExitCode
from batchgen.run.pace.breaker import Breaker
from batchgen.run.pace.stop import Stop


def after(events: str, *, allowed: int | None = None, prompts: int = 9) -> Stop:
    """What a run knows after *events*.

    A small letter is a failure of that prompt after it was accepted and ``.`` an image, a capital
    a failed submit and ``,`` an accepted one.
    """
    stop = Stop()
    breaker = Breaker(stop, max_failures=allowed, prompts=prompts)
    for event in events:
        if event == ".":
            breaker.saved()
        elif event == ",":
            breaker.accepted()
        else:
            failed = breaker.submit_failed if event.isupper() else breaker.making_failed
            failed(event, f"no {event}")
    return stop


@pytest.mark.parametrize(
    ("events", "allowed", "prompts", "goes_on"),
    [
        ("", None, 9, True),
        ("abcabcabc", None, 9, True),
        ("abcabcabca", None, 9, False),
        ("a" * 500, None, 9, True),
        ("ab" * 50, None, 9, True),
        ("ab" * 50 + "c", None, 9, False),
        ("a" * 9, None, 1, True),
        ("a" * 10, None, 1, False),
        ("a" * 10, None, 2, True),
        ("ab" * 5, None, 2, False),
        ("abcabcabc.a", None, 9, True),
        ("abcabcabc.abcabcabc.abc", None, 9, True),
        ("abcabcabc.abcabcabca", None, 9, False),
        ("ABCABCABCA", None, 9, False),
        ("ABCABCABC,ABC", None, 9, True),
        ("ABCABCABC.A", None, 9, False),
        ("abcabcabc,a", None, 9, False),
        ("ABCABCABCabcabcabc", None, 9, True),
        ("ABCabc", 5, 9, False),
        ("....", 0, 9, True),
        ("a", 0, 9, False),
        ("a.b.c", 3, 9, True),
        ("a.b.c.d", 3, 9, False),
        ("aaaaaaaaaaaaaaaaaaaa", 20, 9, True),
        ("abcabcabcabc", 20, 9, False),
    ],
)
def test_submits_end_after_these_failures(events, allowed, prompts, goes_on):
    stop = after(events, allowed=allowed, prompts=prompts)
    assert stop.submitting is goes_on
    assert stop.code is (ExitCode.OK if goes_on else ExitCode.INCOMPLETE)
    assert not stop.leaving  # what is paid is collected


def test_the_reason_names_the_rule_and_the_latest_failure():
    assert after("a.b", allowed=1).why == "2 variants failed, more than the failure limit allows"
    assert after("abcabcabca").why == "the last 10 variants all failed, the latest with: no a"
