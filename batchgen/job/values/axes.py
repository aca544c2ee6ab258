"""The values of an axis: a list, ``"0..99"`` or ``{start: 0, count: 100}``.

Ranges stay Python ranges: two billion seeds take no memory, and membership is arithmetic.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from batchgen.job.models import Model
from batchgen.job.source.wording import describe, did_you_mean
from batchgen.job.values.canonical import canonical

_RANGE = re.compile(r"(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})")
MAX_VALUES = 10**18  # what Python can count is ten times that
MAX_TEXT = 1_000_000  # characters; it is written into every row of the manifest


@dataclass(frozen=True, slots=True)
class Values(Sequence[object]):
    """The distinct values of one parameter, in the order of the job file."""

    items: Sequence[object]
    _known: frozenset[bytes] | None = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        """How many values."""
        return len(self.items)

    def __getitem__(self, index: int) -> object:  # type: ignore[override]
        """The value at *index*."""
        return self.items[index]

    def __iter__(self) -> Iterator[object]:
        """The values in order."""
        return iter(self.items)

    def __contains__(self, value: object) -> bool:
        """Whether *value* is one of them; 1, 1.0 and true are different values to the service."""
        if isinstance(self.items, range):
            return type(value) is int and value in self.items
        if len(self.items) == 1:
            own = self.items[0]
            if type(own) is int or type(value) is int:
                return type(own) is type(value) and own == value
            return own == value and canonical(own) == canonical(value)
        if self._known is None:
            object.__setattr__(self, "_known", frozenset(map(canonical, self.items)))
        return canonical(value) in (self._known or ())

    def listed(self) -> list[object]:
        """The values as JSON has them; a range in short, by its ends."""
        if isinstance(self.items, range):
            return ["range", self.items.start, self.items.stop]
        return list(self.items)

    def without(self, other: "Values") -> list["Values"]:
        """The values that *other* lacks, in pieces: what is left of a range is ranges."""
        own, lost = self.items, self.common(other).items
        if not isinstance(own, range):
            pieces: list[Sequence[object]] = [tuple(v for v in own if v not in other)]
        elif not lost:
            pieces = [own]
        elif isinstance(lost, range):
            pieces = [range(own.start, lost.start), range(lost.stop, own.stop)]
        else:
            ends = [own.start - 1, *(v for v in lost if isinstance(v, int)), own.stop]
            pieces = [range(before + 1, after) for before, after in pairwise(ends)]
        return [Values(piece) for piece in pieces if piece]

    def common(self, other: "Values") -> "Values":
        """The values that *other* has too; no long range is walked through."""
        own, others = self.items, other.items
        if isinstance(own, range) and isinstance(others, range):
            start = max(own.start, others.start)
            return Values(range(start, max(start, min(own.stop, others.stop))))
        if isinstance(own, range):
            return Values(tuple(sorted(v for v in others if type(v) is int and v in own)))
        return Values(tuple(v for v in own if v in other))


class AxisError(ValueError):
    """The values of an axis cannot be used; ``index`` is the place in the list, if it has one."""

    def __init__(self, message: str, index: int | None = None) -> None:
        """Say *message* about the value at *index*, or about the whole."""
        super().__init__(message)
        self.index = index


def several(raw: object, *, name: str, model: Model) -> bool:
    """Whether *raw*, set on a prompt, stands for several values rather than one.

    ``0..9`` does so only for a whole number: a text may well look like that.
    """
    parameter = model.parameter(name)
    if isinstance(raw, str):
        return bool(parameter and parameter.kind == "integer" and _RANGE.fullmatch(raw))
    return isinstance(raw, list | dict)


def read_values(raw: object, *, name: str, model: Model) -> tuple[Values, list[str]]:
    """The checked values of the axis *name* and what to warn of.

    Raises AxisError with the first value the model does not accept.
    """
    items = spread(raw)
    if isinstance(items, range):
        for end in (items[0], items[-1]):
            refuse(end, name=name, model=model)
        return Values(items), []
    for index, value in enumerate(items):
        refuse(value, name=name, model=model, index=index)
    distinct = list({canonical(v): v for v in items}.values())
    repeated = len(items) - len(distinct)
    warnings = []
    if repeated:
        warnings.append(f"{name} repeats {repeated} of its values; equal requests are made once")
    return Values(tuple(distinct)), warnings


def refuse(value: object, *, name: str, model: Model, index: int | None = None) -> None:
    """Raise AxisError when *model* does not accept *value* for the parameter *name*."""
    parameter = model.parameter(name)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        message: str | None = too_long(value)
    elif parameter:
        message = parameter.refuse(value)
    elif isinstance(value, list | dict):
        message = f"expected a text, a number, true or false, got {describe(value)}"
    else:
        message = None
    if message:
        raise AxisError(message, index)


def too_long(text: str) -> str:
    """Say that *text* is longer than any model reads."""
    return f"expected a text of at most {MAX_TEXT:,} characters, got {len(text):,}"


def unknown_parameter(name: str, model: Model) -> str | None:
    """Say that *model* has no parameter *name*; None when it has, or when nothing is known."""
    if not model.documented or model.parameter(name):
        return None
    known = [p.name for p in model.parameters if p.name != "prompt"]
    near = did_you_mean(name, known) or f"; it has {', '.join(known)}"
    return f"{model.id} has no parameter {name!r}{near}"


def spread(raw: object) -> Sequence[object]:
    """The values in *raw* as they stand there: a list, or a range. Raises AxisError."""
    if isinstance(raw, list):
        if not raw:
            raise AxisError("expected at least one value, got an empty list")
        return raw
    if isinstance(raw, str) and (match := _RANGE.fullmatch(raw)):
        low, high = int(match[1]), int(match[2])
        if low > high:
            raise AxisError(f"expected low..high, got {raw!r}")
        return range(low, high + 1)
    if isinstance(raw, Mapping):
        return _counted(raw)
    raise AxisError(
        f'expected a list, "0..99" or {{start: 0, count: 100}}, got {describe(raw)}; '
        "a single value goes under params"
    )


def _counted(raw: Mapping[object, object]) -> range:
    start, count = raw.get("start"), raw.get("count")
    if set(raw) != {"start", "count"}:
        got = ", ".join(map(str, raw)) or "none"
        raise AxisError(f"expected the keys start and count, got {got}")
    if type(start) is not int or type(count) is not int:
        got = f"{describe(start)} and {describe(count)}"
        raise AxisError(f"expected whole numbers as start and count, got {got}")
    if count > MAX_VALUES:
        raise AxisError(f"expected a count of at most {MAX_VALUES:,}, got {count:,}")
    if count < 1:
        raise AxisError(f"expected a count of at least 1, got {count}")
    return range(start, start + count)
