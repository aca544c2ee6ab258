"""Deciding what became of uncertain submits, from the service's history: a pure function.

The history tells ids, models and times of everything the account made in the past seven days, other
people's included, and often not the prompt. A wrong match would label a picture with another one's
prompt for ever, so a prediction is adopted only when there is no other way to read the history.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from batchgen.api.account import Listed


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A submit whose answer was never read, and when the service may have created it."""

    key: str
    model: str
    request: Mapping[str, object]
    earliest: str
    """On the service's clock, RFC 3339 in UTC, as ``latest``."""
    latest: str


@dataclass(kw_only=True)
class Decisions:
    """What the history shows about a set of attempts."""

    adopted: dict[str, Listed] = field(default_factory=dict)
    """The prediction that an attempt made, by the key of its variant."""
    absent: set[str] = field(default_factory=set)
    """Attempts that provably made nothing."""
    held: dict[str, str] = field(default_factory=dict)
    """Attempts that the history cannot settle, and why not."""
    strangers: list[Listed] = field(default_factory=list)
    """Predictions in the time of the attempts that nothing here accounts for."""


def decide(
    attempts: Sequence[Attempt], history: Iterable[Listed], known: Collection[str]
) -> Decisions:
    """Match *attempts* with the predictions of *history* that are not *known* already.

    The history has to cover the time of every attempt completely.
    """
    orphans = [
        item
        for item in history
        if item.id not in known and any(_in_time(item, attempt) for attempt in attempts)
    ]
    found = Decisions()
    _match_exactly(attempts, orphans, found)
    taken = {item.id for item in found.adopted.values()}
    _match_alone(
        [a for a in attempts if a.key not in found.adopted],
        [o for o in orphans if o.id not in taken],
        found,
    )
    taken = {item.id for item in found.adopted.values()}
    found.strangers = [item for item in orphans if item.id not in taken]
    return found


def _in_time(item: Listed, attempt: Attempt) -> bool:
    # An item without a time may be anybody's; it stays a possible match.
    return not item.created_at or attempt.earliest <= item.created_at <= attempt.latest


def _fits(item: Listed, attempt: Attempt) -> bool:
    other = item.inputs is not None and _contradict(item.inputs, attempt.request)
    return item.model == attempt.model and _in_time(item, attempt) and not other


def _same(inputs: Mapping[str, object], request: Mapping[str, object]) -> bool:
    """Whether shown inputs are those of *request*; a service may add its defaults to them."""
    return all(name in inputs and inputs[name] == value for name, value in request.items())


def _contradict(inputs: Mapping[str, object], request: Mapping[str, object]) -> bool:
    """Whether shown inputs belong to another request.

    What is left out or spelled differently proves nothing: to call it another would buy twice.
    """
    shown = {name: str(inputs[name]).strip() for name in request if name in inputs}
    return any(text != str(request[name]).strip() for name, text in shown.items())


def _match_exactly(
    attempts: Sequence[Attempt], orphans: Sequence[Listed], found: Decisions
) -> None:
    """Shown inputs that equal the request beat everything else; the oldest such one is ours."""
    for attempt in attempts:
        proofs = [
            item
            for item in orphans
            if item.inputs is not None
            and _fits(item, attempt)
            and _same(item.inputs, attempt.request)
            and all(item.id != other.id for other in found.adopted.values())
        ]
        if proofs:
            found.adopted[attempt.key] = min(proofs, key=lambda item: item.created_at or "")


def _match_alone(attempts: Sequence[Attempt], orphans: Sequence[Listed], found: Decisions) -> None:
    """Without shown inputs, only one attempt and one prediction that fit nobody else will do."""
    for attempt in attempts:
        candidates = [item for item in orphans if _fits(item, attempt)]
        if not candidates:
            found.absent.add(attempt.key)
            continue
        alone = len(candidates) == 1 and not any(
            _fits(candidates[0], other) for other in attempts if other is not attempt
        )
        shared = [o for o in orphans if _in_time(o, attempt) and o not in candidates]
        if alone and not shared:
            found.adopted[attempt.key] = candidates[0]
        elif shared and alone:
            found.held[attempt.key] = "others use the account at the same time"
        else:
            found.held[attempt.key] = f"{len(candidates)} predictions of the history fit it"
