"""How a run ended: counts that balance, and one exit code for every combination of reasons."""

import itertools
from pathlib import Path

import pytest

from batchgen.errors import ExitCode
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.accounts import Counts, Outcome, count, exit_code, why
from tests.ledger.made import bring, bring_all, image

# As the contract orders them; a bug of our own comes before all.
ORDER = (1, 130, 143, 7, 6, 5, 4, 3, 0)
STOPS = (None, 1, 130, 143, 7, 6, 4)


def counts(**some: int) -> Counts:
    names = ("saved", "failed", "uncertain", "expired", "pending")
    numbers = {name: some.get(name, 0) for name in names}
    numbers["saved"] += some.get("short", 0)
    return Counts(planned=sum(numbers.values()), short=some.get("short", 0), **numbers)


@pytest.mark.parametrize("stopped", STOPS)
async def test_the_first_class_that_holds_names_the_exit(stopped):
    codes = {"failed": 3, "expired": 3, "short": 3, "uncertain": 5, "pending": 4}
    for ends in (some for n in range(6) for some in itertools.combinations(codes, n)):
        stop = Stop()
        holds = {0, *(codes[end] for end in ends)}
        if stopped is not None:
            stop.note(ExitCode(stopped), "why")
            # A limit that was met, or an account that ran dry, with the last variant is no
            # reason to run again.
            holds |= {stopped} if stopped not in {4, 6} or "pending" in ends else set()
        found = exit_code(counts(saved=1, **dict.fromkeys(ends, 1)), stop)
        assert found == min(holds, key=ORDER.index), ends
        assert (found == 0) == (holds == {0})


async def test_what_was_met_with_the_last_variant_is_not_why_the_run_ended():
    limit, disk = Stop(), Stop()
    limit.no_more_submits(ExitCode.INCOMPLETE, "a limit was met")
    disk.leave(ExitCode.STORAGE, "the disk is full")
    done, left = counts(saved=1, failed=1), counts(saved=1, pending=1)
    assert [why(c, s) for c in (done, left) for s in (limit, disk)] == [
        "", "the disk is full", "a limit was met", "the disk is full"
    ]  # fmt: skip


async def test_the_counts_of_a_ledger_add_up_to_what_is_planned(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        for number, state in enumerate(State):
            await bring_all(ledger, [f"{state}{n}" for n in range(number + 1)], state)
        await bring(ledger, "short", State.SAVED, [image("short")], error_class="missing_output")
        found = count(ledger, 100, ledger.totals())
        assert (
            found.planned
            == 100
            == (found.saved + found.failed + found.uncertain + found.expired + found.pending)
        )
        states = ledger.counts()
        assert (found.failed, found.uncertain) == (states[State.FAILED], states[State.UNCERTAIN])
        assert (found.saved, found.short) == (states[State.SAVED], 1)
        # What the job no longer asks for is not counted.
        ledger.want(["short"])
        assert count(ledger, 1, ledger.totals()) == counts(short=1)


def outcome(found: Counts, code: ExitCode, *, why: str = "", only: tuple[str, ...] = ()) -> Outcome:
    return Outcome(
        job="pears",
        dataset=Path("out"),
        service="local",
        exit_code=code,
        why=why,
        counts=found,
        images=1,
        images_planned=10,
        nsfw=0,
        bytes=5,
        spent_usd=None,
        reserved_usd=None,
        refund_expected_usd=None,
        only=only,
    )


@pytest.mark.parametrize("code", ExitCode)
def test_every_end_has_a_sentence_that_begins_with_its_class(code):
    found = counts(saved=1, failed=2, uncertain=3, pending=4)
    ended = outcome(found, code, why="the disk is full")
    sentence = ended.sentence()
    assert sentence.startswith(f"{code.word}: ")
    assert "\n" not in sentence
    told = ended.summary()
    assert (told["exit_code"], told["class"], told["planned"]) == (int(code), code.word, 10)


@pytest.mark.parametrize(
    ("some", "only", "says"),
    [
        ({"saved": 1}, (), "ok: every one of 1 variant has its images"),
        ({"saved": 2}, ("seed=1",), "ok: every one of 2 chosen variants has its images"),
        ({"failed": 1, "saved": 1}, ("seed=1",), "1 of 2 chosen variants have not all"),
        ({"pending": 1}, (), "; 1 variant is left, run again to go on"),
        ({"uncertain": 1}, (), "1 submit was not answered and may have been paid; it is held, not"),
        ({"uncertain": 2}, (), "2 submits were not answered and may have been paid; they are held"),
        ({"pending": 1200}, (), "; 1,200 variants are left, run again to go on"),
    ],
)
def test_a_sentence_counts_one_as_one_and_says_what_was_chosen(some, only, says):
    found = counts(**some)
    ended = outcome(found, exit_code(found, Stop()), only=only)
    assert says in ended.sentence()
