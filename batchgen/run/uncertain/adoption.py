"""Deciding what became of uncertain submits, from the service's history: a pure function.

The history tells ids, models and times of everything the account made in the past seven days, other
people's included, and often not the prompt. A wrong match would label a picture with another one's
prompt for ever, so a prediction is adopted only when there is no other way to read the history.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from batchgen.api.account import Listed
from batchgen.job.models import find_model

_Values = tuple[str | int | float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A submit whose answer was never read, and when the service may have created it."""

    key: str
    model: str
    request: Mapping[str, object]
    earliest: str
    """On the service's clock, RFC 3339 in UTC, as ``latest``."""
    latest: str
    timed: bool = True
    """Whether these times are known; without them only a request that is shown proves anything."""


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
    """Whether *item* may be what *attempt* made: nothing that is known of it says otherwise."""
    other = item.inputs is not None and _contradict(item.inputs, attempt.request)
    return _may_be(item.model, attempt.model) and _in_time(item, attempt) and not other


def _may_be(shown: str | None, model: str) -> bool:
    # A history may name an alias or a version of what was asked for.
    return shown is None or shown.startswith(model) or model.startswith(shown)


def _proves(item: Listed, attempt: Attempt) -> bool:
    """Whether *item* shows exactly the request of *attempt*; a service may add defaults."""
    if item.inputs is None or item.model != attempt.model or not _in_time(item, attempt):
        return False
    defaults = dict.fromkeys(item.inputs) | find_model(attempt.model).with_defaults({})
    expected = defaults | dict(attempt.request)
    nothing = (None, "", -1)
    return all(
        item.inputs.get(name) == value or (name not in attempt.request and shown in nothing)
        for name, value in expected.items()
        for shown in [item.inputs.get(name)]
    )


def _contradict(inputs: Mapping[str, object], request: Mapping[str, object]) -> bool:
    """Whether shown inputs belong to another request.

    What is left out or spelled differently proves nothing: to call it another would buy twice.
    """
    shown = {name: str(inputs[name]).strip() for name in request if name in inputs}
    return any(text != str(request[name]).strip() for name, text in shown.items())


def _match_exactly(
    attempts: Sequence[Attempt], orphans: Sequence[Listed], found: Decisions
) -> None:
    """A shown request that equals ours beats everything else; the oldest such one is ours."""
    taken: set[str] = set()
    alike: dict[tuple[str, ...], dict[_Values, list[Listed]]] = {}
    for attempt in attempts:
        names = tuple(attempt.request)
        if names not in alike:
            alike[names] = _by_values(orphans, names)
        likely = alike[names].get(_values(attempt.request, names), [])
        proofs = [item for item in likely if item.id not in taken and _proves(item, attempt)]
        if proofs:
            ours = min(proofs, key=lambda item: item.created_at or "")
            found.adopted[attempt.key] = ours
            taken.add(ours.id)


def _by_values(orphans: Sequence[Listed], names: Sequence[str]) -> dict[_Values, list[Listed]]:
    """Those that show a request, by its values of *names*: of a rebuilt ledger there are many."""
    found: dict[_Values, list[Listed]] = {}
    for item in orphans:
        if item.inputs is not None:
            found.setdefault(_values(item.inputs, names), []).append(item)
    return found


def _values(inputs: Mapping[str, object], names: Sequence[str]) -> _Values:
    """What equals when all values of *names* do; a list has no place in a dictionary."""
    values = map(inputs.get, names)
    return tuple(value if isinstance(value, str | int | float) else None for value in values)


def _match_alone(attempts: Sequence[Attempt], orphans: Sequence[Listed], found: Decisions) -> None:
    """Without a shown request, only an attempt and a prediction that fit nobody else will do."""
    for attempt in attempts:
        if not attempt.timed:
            found.held[attempt.key] = "nobody knows when it was sent, or whether"
            continue
        fitting = {item.id: item for item in orphans if _fits(item, attempt)}
        if not fitting:
            found.absent.add(attempt.key)
            continue
        only = next(iter(fitting.values()))
        wanted_elsewhere = any(_fits(only, other) for other in attempts if other is not attempt)
        others = [o for o in orphans if o.id not in fitting and _in_time(o, attempt)]
        if len(fitting) > 1 or wanted_elsewhere:
            found.held[attempt.key] = f"{len(fitting)} predictions of the history fit it"
        elif others:
            found.held[attempt.key] = "others use the account at the same time"
        elif only.model != attempt.model:
            found.held[attempt.key] = "the history names the model differently"
        else:
            found.adopted[attempt.key] = only
