"""The ledger against a plain dict: random moves, refusals and crashes, compared at every step."""

import asyncio
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from batchgen.ledger.entry import LEGAL, Entry, IllegalMoveError, Image, State, TakenIdError
from batchgen.ledger.store import Ledger
from tests.ledger.made import image, untouched

KEYS = [f"k{number}" for number in range(6)]
keys = st.sampled_from(KEYS)
states = st.sampled_from(list(State))
ids = st.none() | st.sampled_from([f"p{number}" for number in range(8)])
micros = st.none() | st.integers(0, 10**12)


class LedgerMachine(RuleBasedStateMachine):
    """A ledger file and what was acknowledged of it."""

    def __init__(self) -> None:
        """Start with an empty file."""
        super().__init__()
        self.ends = ExitStack()
        self.folder = Path(self.ends.enter_context(tempfile.TemporaryDirectory()))
        self.crashes = 0
        self.entries: dict[str, Entry] = {}
        self.images: list[tuple[str, Image]] = []
        self.wanted: dict[str, bool] = {}
        self.meta: dict[str, object] = {"schema_version": 2}

    @initialize()
    def open(self) -> None:
        """Open the file of this life."""
        self.ledger = Ledger(self.folder / f"{self.crashes}.sqlite3")

    def teardown(self) -> None:
        """Close what is open."""
        if hasattr(self, "ledger"):
            self.ledger.close()
        self.ends.close()

    def write(self, entry: Entry, images: list[Image] | None = None) -> None:
        """Write a move; the model learns of it when the ledger has acknowledged it."""
        asyncio.run(self.ledger.write(entry, images or []))
        if entry.state is State.COMPLETED:
            self.images = [(key, made) for key, made in self.images if key != entry.key]
        self.images += [(entry.key, made) for made in images or []]
        self.entries[entry.key] = entry
        self.wanted.setdefault(entry.key, True)

    def known(self, key: str) -> Entry:
        """The entry as the model has it."""
        return self.entries.get(key, untouched(key))

    @rule(data=st.data(), key=keys, prediction=ids, spent=micros, count=st.integers(1, 3))
    def move(self, data, key, prediction, spent, count) -> None:
        """A legal move, its images with it."""
        entry = self.known(key)
        state = data.draw(st.sampled_from(sorted(LEGAL[entry.state])))
        fields = {"spent_micros": spent, "prediction_id": entry.prediction_id}
        if state is State.SUBMITTED:
            fields["prediction_id"] = prediction
        moved = replace(entry.move(state), **fields)
        images = [image(key, index) for index in range(count)] if state is State.SAVED else []
        if prediction and state is State.SUBMITTED and self.taken(key, prediction):
            with pytest.raises(TakenIdError):
                self.write(moved)
        else:
            self.write(moved, images)

    def taken(self, key: str, prediction: str) -> bool:
        """Whether another variant has the prediction."""
        return any(e.prediction_id == prediction for e in self.entries.values() if e.key != key)

    @rule(key=keys, state=states)
    def illegal_move(self, key, state) -> None:
        """A move that does not follow is refused."""
        entry = self.known(key)
        if state not in LEGAL[entry.state]:
            with pytest.raises(IllegalMoveError):
                entry.move(state)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), state=states, step=st.sampled_from([-2, -1, 0, 2, 3]))
    def stale_move(self, data, state, step) -> None:
        """A move from any revision but the last one is refused."""
        entry = self.entries[data.draw(st.sampled_from(sorted(self.entries)))]
        with pytest.raises(IllegalMoveError):
            self.write(replace(entry, state=state, revision=entry.revision + step), [image("x")])

    @precondition(lambda self: self.images)
    @rule(key=keys)
    def stolen_file(self, key) -> None:
        """A file that belongs to another image takes the whole move back."""
        owner, made = self.images[0]
        entry = self.known(key)
        if key != owner and State.SAVED in LEGAL[entry.state]:
            with pytest.raises(Exception, match="UNIQUE"):
                self.write(entry.move(State.SAVED), [image(key), replace(made, index=1)])

    @rule()
    def hold_unanswered(self) -> None:
        """What was being submitted becomes uncertain."""
        held = [e for e in self.entries.values() if e.state is State.SUBMITTING]
        assert self.ledger.hold_unanswered() == len(held)
        error = "the run ended before the answer was read"
        for entry in held:
            moved = entry.move(State.UNCERTAIN, error_class="unanswered", error=error)
            self.entries[entry.key] = moved

    @rule(chosen=st.sets(keys))
    def want(self, chosen) -> None:
        """The job asks for other variants."""
        self.ledger.want(chosen)
        self.wanted = {key: key in chosen for key in self.wanted}

    @rule(value=st.none() | st.integers() | st.text(max_size=5) | st.lists(st.booleans()))
    def set_meta(self, value) -> None:
        """A fact is stored."""
        self.ledger.set_meta(fact=value)
        self.meta["fact"] = value

    @rule()
    def reopen(self) -> None:
        """A tidy end and a new start."""
        self.ledger.close()
        self.open()

    @rule()
    def crash(self) -> None:
        """Only what is on disk at this moment is left: the file and its log."""
        old = self.ledger.path
        self.crashes += 1
        new = self.folder / f"{self.crashes}.sqlite3"
        for suffix in ("", "-wal"):
            there = old.with_name(old.name + suffix)
            if there.exists():
                shutil.copy(there, new.with_name(new.name + suffix))
        self.ledger.close()
        self.open()

    @invariant()
    def agree(self) -> None:
        """The ledger says what was acknowledged, in every way it can be asked."""
        if not hasattr(self, "ledger"):
            return
        assert self.ledger.known(KEYS) == self.entries
        by_state = sorted(self.entries.values(), key=lambda e: (list(State).index(e.state), e.key))
        assert list(self.ledger.entries(*State)) == by_state
        wanted = [entry for entry in by_state if self.wanted[entry.key]]
        assert list(self.ledger.entries(*State, wanted_only=True)) == wanted
        assert [(e.key, i) for e, i in self.ledger.images()] == self.images
        assert self.ledger.meta() == self.meta
        counts = self.ledger.counts()
        assert counts.total() == len(wanted)
        assert all(counts[s] == sum(e.state is s for e in wanted) for s in State)

    @invariant()
    def sums(self) -> None:
        """The sums are those of the entries."""
        if not hasattr(self, "ledger"):
            return
        totals, entries = self.ledger.totals(), self.entries.values()
        assert totals.spent_micros == sum(e.spent_micros or 0 for e in entries)
        doubt = {State.SUBMITTING, State.UNCERTAIN}
        assert totals.reserved_micros == sum(
            e.spent_micros or 0 for e in entries if e.state in doubt
        )
        assert totals.refund_micros == sum(
            e.spent_micros or 0
            for e in entries
            if e.state is State.FAILED and e.prediction_id is not None
        )
        assert totals.images == len(self.images)
        assert totals.images_unwanted == sum(
            e.images_asked for e in entries if e.state is State.SAVED and not self.wanted[e.key]
        )


def test_the_ledger_says_what_was_acknowledged_through_any_moves_and_crashes():
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
