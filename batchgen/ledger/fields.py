"""The fields of an entry that a move may change."""

from typing import TypedDict


class Fields(TypedDict, total=False):
    """As in :class:`batchgen.ledger.entry.Entry`; all optional."""

    attempts: int
    prediction_id: str | None
    spent_micros: int | None
    account: str | None
    intent_at: str | None
    created_at: str | None
    submitted_at: str | None
    completed_at: str | None
    queue_ms: int | None
    inference_ms: int | None
    total_ms: int | None
    polls: int
    error_class: str | None
    error: str | None
