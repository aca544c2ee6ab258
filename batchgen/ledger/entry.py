"""The states of a variant and the moves between them.

::

    planned ──► submitting ──► submitted ──► completed ──► saved
       ▲            │              │             │
       │            ├─► uncertain  ├─► failed    └─► expired
       └────────────┴─► failed     └─► expired

A variant that was never touched has no entry: it is planned. Money may have been spent from
``submitting`` on, so an entry reaches the disk in that state before its POST is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Unpack

from batchgen.ledger.fields import Fields

DROPPED = "dropped/"
"""How names begin of images that are not kept."""


class State(StrEnum):
    """Where a variant stands."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COMPLETED = "completed"
    SAVED = "saved"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    EXPIRED = "expired"


LEGAL: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PLANNED: frozenset({State.SUBMITTING}),
        State.SUBMITTING: frozenset(
            {State.SUBMITTED, State.PLANNED, State.FAILED, State.UNCERTAIN}
        ),
        State.SUBMITTED: frozenset({State.COMPLETED, State.FAILED, State.EXPIRED}),
        State.COMPLETED: frozenset({State.SAVED, State.EXPIRED}),
        State.SAVED: frozenset({State.COMPLETED}),
        State.FAILED: frozenset({State.SUBMITTING}),
        State.UNCERTAIN: frozenset({State.SUBMITTED, State.PLANNED, State.SUBMITTING}),
        State.EXPIRED: frozenset({State.SUBMITTING, State.SAVED}),
    }
)


class IllegalMoveError(RuntimeError):
    """A bug: a variant was to move to a state that does not follow its own."""


class TakenIdError(RuntimeError):
    """The service gave a prediction id that belongs to another variant already."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the ledger knows of one variant."""

    key: str
    state: State
    revision: int
    """Counts the moves; the ledger refuses a move that was made from an older revision."""
    prompt_id: str
    model: str
    request: Mapping[str, object]
    images_asked: int
    attempts: int = 0
    """Submits so far, refused ones included."""
    prediction_id: str | None = None
    spent_micros: int | None = None
    """Millionths of a US dollar spent or possibly spent; None when the price is unknown."""
    account: str | None = None
    """Fingerprint of the key and service of the last submit; its id means nothing to another."""
    intent_at: str | None = None
    """When the last submit was about to be sent, on the service's clock as far as it is known."""
    created_at: str | None = None
    """The service's clock; the times below are ours. RFC 3339 in UTC."""
    submitted_at: str | None = None
    completed_at: str | None = None
    queue_ms: int | None = None
    inference_ms: int | None = None
    total_ms: int | None = None
    polls: int = 0
    error_class: str | None = None
    error: str | None = None
    labels: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """What the axes that are no parameters had for it; no part of the request."""

    def move(self, state: State, **changes: Unpack[Fields]) -> "Entry":
        """The entry after its move to *state*. Raises IllegalMoveError when that is not legal."""
        if state not in LEGAL[self.state]:
            raise IllegalMoveError(f"{self.key}: {self.state} cannot become {state}")
        return self._changed(state=state, revision=self.revision + 1, **changes)

    def polled(self) -> "Entry":
        """The entry after one more poll; no move, it reaches the disk with the next one."""
        return self._changed(polls=self.polls + 1)

    def begun(self, queue_ms: int) -> "Entry":
        """The entry once its making was seen to have begun; no move either."""
        return self._changed(queue_ms=queue_ms)

    def _changed(self, **changes: object) -> "Entry":
        """As ``dataclasses.replace``, which takes five times as long, five times for an image."""
        made = object.__new__(Entry)
        made.__dict__.update(self.__dict__)
        made.__dict__.update(changes)
        return made

    @property
    def paid(self) -> bool | None:
        """Whether the service was paid for it: None when that is unknown."""
        if self.prediction_id is not None:
            return True
        unknown = self.state in {State.UNCERTAIN, State.SUBMITTING}
        # What an earlier attempt may have cost is still counted as spent.
        return None if unknown or self.spent_micros else False


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image file of a saved variant."""

    index: int
    file_name: str
    """Relative to the dataset folder."""
    bytes: int
    sha256: str
    media_type: str
    width: int
    height: int
    nsfw: bool | None
    saved_at: str

    @property
    def dropped(self) -> bool:
        """Whether its file was deleted as the job asks: only the record is kept."""
        return self.file_name.startswith(DROPPED)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over a whole dataset."""

    images: int
    bytes: int
    nsfw: int
    spent_micros: int
    """Millionths of a US dollar: spent, or possibly spent."""
    reserved_micros: int
    """Of these, for submits of which nobody knows whether they were accepted."""
    refund_micros: int
    """Of these, for predictions that failed: the service gives them back within three hours."""
    images_unwanted: int
    """Asked for by saved variants of an earlier form of the job, which wants them no longer."""
    short: int
    """Saved variants with fewer images than asked for."""
