"""What each variant in flight is doing, for whoever wonders why nothing seems to move."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from batchgen.ledger.entry import Entry


class Step(StrEnum):
    """Where a variant is on its way; its value completes the sentence "it …"."""

    WAITING = "waits for its moment to be submitted"
    SUBMITTING = "is being submitted"
    FOLLOWING = "is being made"
    COLLECTING = "is being downloaded"


@dataclass(kw_only=True, eq=False)
class Slot:
    """One variant on its way."""

    entry: Entry
    step: Step
    since: float
    """When that step began, by the clock of the slots."""


class Slots:
    """All variants on their way; kept up by each of them at the cost of a few assignments."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is on its way."""
        self._clock = clock
        self._slots: dict[str, Slot] = {}

    def __len__(self) -> int:
        """How many are on their way."""
        return len(self._slots)

    def waiting(self) -> int:
        """How many wait to be submitted."""
        return sum(slot.step is Step.WAITING for slot in self._slots.values())

    def begin(self, entry: Entry) -> None:
        """The variant of *entry* is on its way from now on."""
        self._slots[entry.key] = Slot(entry=entry, step=Step.WAITING, since=self._clock())

    def end(self, entry: Entry) -> None:
        """The variant of *entry* is not on its way any more."""
        del self._slots[entry.key]

    def now(self, step: Step, entry: Entry) -> None:
        """The variant of *entry* has begun with *step*."""
        slot = self._slots[entry.key]
        slot.entry = entry
        if slot.step is not step:
            slot.step, slot.since = step, self._clock()

    def slowest(self, most: int) -> list[str]:
        """A sentence for each of those that wait longest for their next step, *most* at most."""
        now = self._clock()
        # A variant that only waits for its turn is never the cause.
        order = sorted(self._slots.values(), key=lambda s: (s.step is Step.WAITING, s.since))
        return [
            f"{_name(slot.entry)} {slot.step}, for {now - slot.since:.0f} s"
            for slot in order[:most]
        ]


def _name(entry: Entry) -> str:
    of = f"variant {entry.key} of prompt {entry.prompt_id}"
    return f"prediction {entry.prediction_id}, {of}," if entry.prediction_id else of
