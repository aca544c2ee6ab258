"""What the local service accepts: bodies checked by the model's documented parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchgen.api.wire import WireError, decode, read_time
from batchgen.job.models import MODELS, Model
from batchgen.local.answers import RefusedError
from batchgen.local.predictions import Value

MAX_PAGE_SIZE = 100


def read_body(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a request body. Raises RefusedError (400) for anything else."""
    try:
        value = decode(body)
    except WireError:
        raise RefusedError(400, "expected a JSON object as the body, got something else") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "expected a JSON object as the body, got another JSON value")
    return value


def served_model(model_id: object) -> Model:
    """The model. Raises RefusedError (404) for one that the local service does not draw."""
    model = MODELS.get(model_id) if isinstance(model_id, str) else None
    if model is None:
        raise RefusedError(
            404, f"model {_short(model_id)} not found; the local service has {', '.join(MODELS)}"
        )
    return model


def checked_request(model: Model, body: Mapping[str, Any]) -> dict[str, Value]:
    """The body of a submit. Raises RefusedError (400) that names the first wrong parameter."""
    known = ", ".join(p.name for p in model.parameters)
    for name, value in body.items():
        parameter = model.parameter(name)
        if parameter is None:
            raise RefusedError(
                400, f"{_short(name)}: not a parameter of {model.id}; it takes {known}"
            )
        if (problem := parameter.refuse(value)) is not None:
            raise RefusedError(400, f"{name}: {problem}")
    for parameter in model.parameters:
        if parameter.required and parameter.name not in body:
            raise RefusedError(400, f"{parameter.name}: required, and not in the body")
    return dict(body)


@dataclass(frozen=True, kw_only=True)
class HistoryQuery:
    """One page of a history; times are seconds since the epoch, both ends included."""

    page: int
    page_size: int
    model: str | None
    status: str | None
    after: float | None
    before: float | None


def history_query(body: Mapping[str, Any]) -> HistoryQuery:
    """The body of a history request. Raises RefusedError (400); unknown keys are ignored."""
    return HistoryQuery(
        page=_whole(body, "page", 2**31 - 1),
        page_size=_whole(body, "page_size", MAX_PAGE_SIZE),
        model=_text(body, "model"),
        status=_text(body, "status"),
        after=_moment(body, "created_after"),
        before=_moment(body, "created_before"),
    )


def deleted_ids(body: Mapping[str, Any]) -> list[str]:
    """The ids of a delete request. Raises RefusedError (400)."""
    ids = body.get("ids")
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise RefusedError(400, "ids: expected a list of prediction ids")
    return ids


def _whole(body: Mapping[str, Any], name: str, maximum: int) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= maximum:
        raise RefusedError(400, f"{name}: required, a whole number from 1 to {maximum}")
    return value


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedError(400, f"{name}: expected a text")
    return value or None


def _moment(body: Mapping[str, Any], name: str) -> float | None:
    if (text := _text(body, name)) is None:
        return None
    if (time := read_time(text)) is None:
        raise RefusedError(400, f"{name}: expected an ISO 8601 time such as 2026-01-31T23:59:59Z")
    return datetime.fromisoformat(time).timestamp()


def _short(value: object) -> str:
    return ascii(value)[:80]
