"""Expansion: a lazy, index-addressable sequence of variants.

Every prompt spans a *box*: the product of its parameters' values. A variant is found by arithmetic
on its index, so a million of them take no more memory than the lists they are made of.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import overload

from batchgen.job.axes import Values
from batchgen.job.canonical import digest, drawn_seed, variant_key
from batchgen.job.models import Model
from batchgen.job.prompts import Prompt


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

    def request(self, index: int) -> dict[str, object]:
        """The parameters at *index*, by mixed-radix arithmetic."""
        chosen: dict[str, object] = {}
        for name, values in reversed(list(self.values.items())):
            index, digit = divmod(index, len(values))
            chosen[name] = values[digit]
        return {"prompt": self.text} | dict(reversed(chosen.items()))

    def _with(self, name: str, values: Values) -> "Box":
        changed = {**self.values, name: values}
        return Box(prompt_id=self.prompt_id, text=self.text, values=changed)

    def minus(self, other: "Box") -> list["Box"]:
        """What is left without the variants of *other*, as boxes that do not overlap."""
        common = {name: own.common(other.values[name]) for name, own in self.values.items()}
        if not all(common.values()):
            return [self]
        pieces, rest = [], self
        for name, shared in common.items():
            outside = rest.values[name].without(shared)
            if outside:
                pieces.append(rest._with(name, outside))
            rest = rest._with(name, shared)
        return pieces


class Variants(Sequence[Variant]):
    """The variants of a job in its order; ``len``, ``[i]``, slices and iteration build no list."""

    def __init__(self, boxes: Sequence[Box], model: Model, window: range | None = None) -> None:
        """Stand for the variants of *boxes* that are in *window*, all of them by default."""
        self._boxes = boxes
        self._model = model
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
            return Variants(self._boxes, self._model, self._window[index])
        return self._variant(self._window[index])

    def fingerprint(self) -> str:
        """A hash of the whole plan: equal for equal plans, without expanding them."""
        content = [
            [b.prompt_id, b.text, {n: _spelled(v) for n, v in b.values.items()}]
            for b in self._boxes
        ]
        return digest({"v": 1, "model": self._model.id, "boxes": content})

    def _variant(self, position: int) -> Variant:
        number = bisect_right(self._ends, position)
        box = self._boxes[number]
        request = box.request(position - (self._ends[number] - box.size))
        if request.get("seed") == -1:
            request["seed"] = drawn_seed(self._model.id, request)
        return Variant(
            index=position,
            key=variant_key(self._model.id, request),
            prompt_id=box.prompt_id,
            model=self._model.id,
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


def distinct_boxes(boxes: Iterable[Box]) -> list[Box]:
    """The same variants with those left out that ask for the same as an earlier one."""
    kept: list[Box] = []
    # Only boxes of the same text and parameter names can overlap. Boxes of one variant, of which
    # a prompt file may give many thousand, are looked up; only larger ones are cut piece by piece.
    points: set[str] = set()
    small: dict[tuple[str, frozenset[str]], list[Box]] = {}
    large: dict[tuple[str, frozenset[str]], list[Box]] = {}
    for box in boxes:
        kind = (box.text, frozenset(box.values))
        if box.size == 1 and digest(box.request(0)) in points:
            continue
        left = [box]
        for other in [*large.get(kind, ()), *(small.get(kind, ()) if box.size > 1 else ())]:
            left = [piece for part in left for piece in part.minus(other)]
        for piece in left:
            if piece.size == 1:
                points.add(digest(piece.request(0)))
            (small if piece.size == 1 else large).setdefault(kind, []).append(piece)
        kept.extend(left)
    return kept


def _spelled(values: Values) -> list[object]:
    items = values.items
    return ["range", items.start, items.stop] if isinstance(items, range) else list(items)
