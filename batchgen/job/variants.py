"""Expansion: a lazy, index-addressable sequence of variants.

Every prompt spans a *box*: the product of its parameters' values. A variant is found by arithmetic
on its index, so a million of them take no more memory than the lists they are made of.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import overload

from batchgen.job.axes import Values
from batchgen.job.canonical import digest, drawn_seed, variant_key
from batchgen.job.models import Model
from batchgen.job.prompts import Prompt

Kind = tuple[str, frozenset[str]]
"""What boxes must share to have a variant in common: the text and the parameters' names."""

_DRAWN = Values((-1,))
_SMALL = 64  # variants of a box whose points are looked up one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One point of the expansion: exactly one request to the service."""

    index: int
    key: str
    """20 hex digits over model, request and repeat; equal for equal requests, whatever the job."""
    prompt_id: str
    model: str
    request: Mapping[str, object]
    """The body of the POST, as it will be sent."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """All variants of one prompt: one value for each parameter, the last parameter fastest."""

    prompt_id: str
    text: str
    values: Mapping[str, Values]

    @property
    def size(self) -> int:
        """How many variants, by multiplication."""
        return math.prod(map(len, self.values.values()))

    @property
    def kind(self) -> Kind:
        """What another box must share to overlap with this one."""
        return self.text, frozenset(self.values)

    def request(self, index: int) -> dict[str, object]:
        """The parameters at *index*, by mixed-radix arithmetic."""
        chosen: dict[str, object] = {}
        for name, values in reversed(list(self.values.items())):
            index, digit = divmod(index, len(values))
            chosen[name] = values[digit]
        return {"prompt": self.text} | dict(reversed(chosen.items()))

    def with_values(self, name: str, values: Values) -> "Box":
        """The same with other *values* of one parameter."""
        changed = {**self.values, name: values}
        return Box(prompt_id=self.prompt_id, text=self.text, values=changed)

    def point(self, request: Mapping[str, object]) -> "Box":
        """The box of the one variant with the parameters of *request*."""
        values = {name: Values((request[name],)) for name in self.values}
        return Box(prompt_id=self.prompt_id, text=self.text, values=values)

    def holds(self, request: Mapping[str, object]) -> bool:
        """Whether one of its variants has the parameters of *request*, of the same names."""
        return all(request[name] in values for name, values in self.values.items())

    def minus(self, other: "Box") -> list["Box"]:
        """What is left without the variants of *other*, as boxes that do not overlap."""
        common = {name: own.common(other.values[name]) for name, own in self.values.items()}
        if not all(common.values()):
            return [self]
        pieces: list[Box] = []
        rest = self
        for name, shared in common.items():
            outside = rest.values[name].without(shared)
            pieces.extend(rest.with_values(name, values) for values in outside)
            rest = rest.with_values(name, shared)
        return pieces


class Variants(Sequence[Variant]):
    """The variants of a job in its order; ``len``, ``[i]``, slices and iteration build no list."""

    def __init__(self, boxes: Sequence[Box], model: Model, window: range | None = None) -> None:
        """Stand for the variants of *boxes* that are in *window*, all of them by default."""
        self._boxes = boxes
        self.model = model
        self._ends = list(accumulate(box.size for box in boxes))
        self._window = range(self._ends[-1] if boxes else 0) if window is None else window

    def __len__(self) -> int:
        """How many variants, without expanding one."""
        return len(self._window)

    def __iter__(self) -> Iterator[Variant]:
        """The variants in order, made one at a time."""
        return map(self._variant, self._window)

    @overload
    def __getitem__(self, index: int) -> Variant: ...
    @overload
    def __getitem__(self, index: slice) -> "Variants": ...
    def __getitem__(self, index: int | slice) -> "Variant | Variants":
        """The variant at *index*, or a view of a part that is as lazy as the whole."""
        if isinstance(index, slice):
            return Variants(self._boxes, self.model, self._window[index])
        return self._variant(self._window[index])

    def fingerprint(self) -> str:
        """A hash of the whole plan: equal for equal plans, without expanding them."""
        content = [
            [b.prompt_id, b.text, {n: _spelled(v) for n, v in b.values.items()}]
            for b in self._boxes
        ]
        return digest({"v": 1, "model": self.model.id, "boxes": content})

    def _variant(self, position: int) -> Variant:
        number = bisect_right(self._ends, position)
        box = self._boxes[number]
        request = box.request(position - (self._ends[number] - box.size))
        if request.get("seed") == -1:
            request["seed"] = drawn_seed(self.model.id, request)
        return Variant(
            index=position,
            key=variant_key(self.model.id, request),
            prompt_id=box.prompt_id,
            model=self.model.id,
            request=MappingProxyType(request),
        )


def boxes_of(
    prompts: Iterable[Prompt],
    *,
    axes: Mapping[str, Values],
    params: Mapping[str, object],
    model: Model,
) -> list[Box]:
    """One box for each prompt: prompt entry > axis > ``params`` > the model's default.

    A seed that is missing is -1, which stands for a drawn one, when the model takes a seed.
    """
    shared = {name: Values((value,)) for name, value in params.items() if name not in axes}
    if model.takes_seed() and "seed" not in axes:
        shared.setdefault("seed", Values((-1,)))
    # A dictionary keeps the place of a key that is set again: an axis keeps its turn.
    return [
        Box(prompt_id=p.id, text=p.text, values={**axes, **shared, **p.values}) for p in prompts
    ]


def distinct_boxes(boxes: Sequence[Box], model: str) -> list[Box]:
    """The same variants with those left out that ask for the same as another one."""
    return _without_drawn_twins(_without_overlaps(boxes), model)


def _without_overlaps(boxes: Sequence[Box]) -> list[Box]:
    """Leave out what an earlier box has."""
    # Of small boxes, of which a prompt file may give many thousand, every point is looked up; only
    # large ones are compared with one another, and only those of a kind can overlap at all.
    kinds = Counter(box.kind for box in boxes)
    points: set[str] = set()
    earlier: dict[Kind, list[Box]] = {}
    large: dict[Kind, list[Box]] = {}
    kept: list[Box] = []
    for box in boxes:
        if kinds[box.kind] == 1:
            kept.append(box)
            continue
        if box.size <= _SMALL:
            here = {digest(r): r for r in map(box.request, range(box.size))}
            twins = [box.point(r) for name, r in here.items() if name in points]
            left = _cut([box], [*twins, *large.get(box.kind, ())])
            points.update(here)
        else:
            left = _cut([box], earlier.get(box.kind, ()))
            large.setdefault(box.kind, []).extend(left)
        earlier.setdefault(box.kind, []).extend(left)
        kept.extend(left)
    return kept


def _without_drawn_twins(boxes: Sequence[Box], model: str) -> list[Box]:
    """Leave out a drawn seed that the same request is also asked for with by name."""
    named: dict[Kind, list[Box]] = {}
    for box in boxes:
        seeds = box.values.get("seed", _DRAWN)
        if len(seeds) > 1 or -1 not in seeds:
            named.setdefault(box.kind, []).append(box)
    kept: list[Box] = []
    for box in boxes:
        others = named.get(box.kind, ())
        twins: list[Box] = []
        if others and -1 in box.values.get("seed", ()):
            drawn = box.with_values("seed", _DRAWN)
            for request in map(drawn.request, range(drawn.size)):
                known = {**request, "seed": drawn_seed(model, request)}
                if any(other.holds(known) for other in others):
                    twins.append(box.point(request))
        kept.extend(_cut([box], twins))
    return kept


def _cut(pieces: list[Box], others: Iterable[Box]) -> list[Box]:
    for other in others:
        pieces = [rest for piece in pieces for rest in piece.minus(other)]
    return pieces


def _spelled(values: Values) -> list[object]:
    items = values.items
    return ["range", items.start, items.stop] if isinstance(items, range) else list(items)
