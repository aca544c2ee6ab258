"""The states of a variant: which moves are legal, what they change, and what has been paid."""

from dataclasses import FrozenInstanceError, replace
from itertools import product

import pytest

from batchgen.ledger.entry import LEGAL, IllegalMoveError, State
from tests.ledger.made import ROUTES, image, untouched

MOVES = """
planned > submitting
submitting > submitted planned failed uncertain
submitted > completed failed expired
completed > saved expired
saved > completed
failed > submitting
uncertain > submitted planned submitting
expired > submitting saved
"""
LEGAL_MOVES = {
    (State(line.split(" > ")[0]), State(target))
    for line in MOVES.split("\n")
    if line
    for target in line.split(" > ")[1].split()
}
PAIRS = [pytest.param(a, b, id=f"{a}-{b}") for a, b in product(State, State)]


@pytest.mark.parametrize(("state", "target"), PAIRS)
def test_only_the_legal_moves_are_made(state, target):
    entry = replace(untouched(), state=state, revision=4)
    if (state, target) in LEGAL_MOVES:
        assert entry.move(target) == replace(entry, state=target, revision=5)
    else:
        with pytest.raises(IllegalMoveError, match=f"^k1: {state} cannot become {target}$"):
            entry.move(target)


def test_every_state_has_moves_and_can_be_reached():
    assert set(LEGAL) == set(State)
    assert {target for targets in LEGAL.values() for target in targets} == set(State)
    assert set(ROUTES) == set(State)


def test_a_move_changes_what_it_names_and_leaves_the_entry_it_came_from():
    entry = untouched().move(State.SUBMITTING, attempts=1, spent_micros=40_000)
    later = entry.move(State.SUBMITTED, prediction_id="p1", submitted_at="2026-01-01T00:00:00Z")
    assert (entry.state, entry.revision, entry.prediction_id) == (State.SUBMITTING, 1, None)
    assert (later.state, later.revision, later.prediction_id) == (State.SUBMITTED, 2, "p1")
    assert (later.attempts, later.spent_micros) == (1, 40_000)


def test_polls_and_waits_are_no_moves():
    entry = untouched().move(State.SUBMITTING, attempts=1)
    assert entry.polled().polled() == replace(entry, polls=2)
    assert entry.begun(70) == replace(entry, queue_ms=70)
    assert (entry.polls, entry.queue_ms) == (0, None)


def test_an_entry_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        untouched().state = State.SAVED  # type: ignore[misc]


@pytest.mark.parametrize("state", State)
def test_an_id_proves_that_a_variant_was_paid(state):
    assert replace(untouched(), state=state, prediction_id="p1").paid is True


@pytest.mark.parametrize("state", State)
def test_without_an_id_only_a_lost_answer_leaves_the_payment_unknown(state):
    unknown = state in {State.SUBMITTING, State.UNCERTAIN}
    assert replace(untouched(), state=state).paid is (None if unknown else False)
    # What an earlier attempt may have cost is not called unpaid.
    assert replace(untouched(), state=state, spent_micros=1).paid is None


def test_an_image_is_dropped_when_only_its_record_is_kept():
    assert not image().dropped
    assert replace(image(), file_name="dropped/k1_0.png").dropped
