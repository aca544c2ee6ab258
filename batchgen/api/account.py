"""What an account can be asked on the wire: its history, its balance, the price of a request.

Pure functions, as in ``wire``. Nothing here creates or costs anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.api.wire import PREDICTION_ID, PREFIX, WireError, read_time

HISTORY_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One prediction as the history lists it."""

    id: str
    model: str | None
    """None when the history does not say."""
    created_at: str | None
    """The service's own clock, RFC 3339 in UTC with milliseconds; None when it gives none."""
    inputs: Mapping[str, Any] | None
    """The request, where the history shows it; the documented form does not."""


def history_path() -> str:
    """Path of the POST that lists the predictions of the past seven days."""
    return f"{PREFIX}/predictions"


def balance_path() -> str:
    """Path of the GET that tells the account's balance."""
    return f"{PREFIX}/balance"


def price_path() -> str:
    """Path of the POST that quotes the price of a request."""
    return f"{PREFIX}/model/price"


def read_history(data: Mapping[str, Any] | None) -> list[Listed]:
    """Read ``data`` of a history answer, newest first.

    Raises WireError when it has no list of at most 100 predictions, or one that tells two things
    of one prediction.
    """
    items = data.get("items") if data else None
    if not isinstance(items, list):
        raise WireError("the answer has no list of predictions")
    if len(items) > HISTORY_PAGE:
        raise WireError(f"the answer lists more than the {HISTORY_PAGE} that were asked for")
    found = [_listed(item) for item in items]
    first: dict[str, Listed] = {}
    for listed in found:
        if first.setdefault(listed.id, listed) != listed:
            raise WireError(f"the list tells two things of prediction {listed.id}")
    return found


def read_number(data: Mapping[str, Any], *names: str) -> float | None:
    """The first of the fields *names* that is a finite number of 0 or more, else None."""
    for name in names:
        value = data.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
            return float(value)
    return None


def _listed(item: object) -> Listed:
    # An item that cannot be read might be the very one that is looked for.
    name = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(name, str) or not PREDICTION_ID.fullmatch(name):
        raise WireError("the list holds something that is no prediction")
    inputs = item.get("inputs", item.get("input"))
    return Listed(
        id=name,
        model=item["model"] if isinstance(item.get("model"), str) else None,
        created_at=read_time(item.get("created_at")),
        inputs=inputs if isinstance(inputs, dict) and inputs else None,
    )
