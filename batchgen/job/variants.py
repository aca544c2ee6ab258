"""Expansion: a lazy, index-addressable sequence of variants.

Every prompt spans a *box*: the product of its parameters' values. A variant is found by arithmetic
on its index, so a million of them take no more memory than the lists they are made of.
"""

import hashlib
import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate, groupby, product
from types import MappingProxyType
from typing import overload

from batchgen.job.axes import Values
from batchgen.job.canonical import canonical
from batchgen.job.keys import BoxKeys
from batchgen.job.models import Model
from batchgen.job.prompts import Prompt

Kind = tuple[str, frozenset[str]]
"""What boxes must share to have a variant in common: the text and the parameters' names."""

_DRAWN = Values((-1,))
_NOT_SET = Values((None,))
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """All variants of one prompt: one value for each parameter, the last parameter fastest.

    Prompts without values of their own share one mapping of them.
    """

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

    def __init__(self, boxes: Sequence[Box], model: Model) -> None:
        """Stand for all variants of *boxes*."""
        self._boxes = boxes
        self.model = model
        self._ends = array("q", accumulate(box.size for box in boxes))
        self._window = range(self._ends[-1] if boxes else 0)
        self._here = range(0)
        """The positions of the box that was asked for last, of which the next two are."""
        self._box: Box
        self._keys: BoxKeys

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
            part = copy(self)
            part._window = self._window[index]  # noqa: SLF001  # of our own class
            return part
        return self._variant(self._window[index])

    def keys(self) -> Iterator[str]:
        """The keys of the variants in order: much quicker than whole variants."""
        for position in self._window:
            self._go_to(position)
            yield self._keys.at(position - self._here.start)[0]

    def tally(self, *names: str) -> Counter[tuple[object, ...]]:
        """How many variants have each combination of values of the parameters *names*.

        Found by multiplication, of all variants; a parameter that is not set is None.
        """
        found: Counter[tuple[object, ...]] = Counter()
        for alike in self._alike():
            values, size = alike[0].values, alike[0].size
            several = [values.get(name, _NOT_SET) for name in names]
            times = len(alike) * size // math.prod(map(len, several))
            for point in product(*several):
                found[point] += times
        return found

    def fingerprint(self) -> str:
        """A hash of the whole plan: equal for equal plans, without expanding them."""
        found = hashlib.sha256(canonical({"v": 2, "model": self.model.id}))
        for alike in self._alike():
            values = canonical({name: _listed(own) for name, own in alike[0].values.items()})
            for box in alike:
                found.update(canonical([box.prompt_id, box.text]) + values)
        return found.hexdigest()

    def _alike(self) -> Iterator[list[Box]]:
        """The boxes in order, those together that share their values."""
        return (list(boxes) for _, boxes in groupby(self._boxes, lambda box: id(box.values)))

    def _go_to(self, position: int) -> None:
        """Make ``_box`` the box that has the variant at *position*."""
        if position in self._here:
            return
        number = bisect_right(self._ends, position)
        box, end = self._boxes[number], self._ends[number]
        self._box, self._here = box, range(end - box.size, end)
        self._keys = BoxKeys(self.model.id, box.text, box.values)

    def _variant(self, position: int) -> Variant:
        self._go_to(position)
        index = position - self._here.start
        request = self._box.request(index)
        key, seed = self._keys.at(index)
        if seed is not None:
            request["seed"] = seed
        return Variant(
            index=position,
            key=key,
            prompt_id=self._box.prompt_id,
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
        shared.setdefault("seed", _DRAWN)
    # A dictionary keeps the place of a key that is set again: an axis keeps its turn.
    plain = {**axes, **shared}
    return [
        Box(prompt_id=p.id, text=p.text, values={**plain, **p.values} if p.values else plain)
        for p in prompts
    ]


def distinct_boxes(boxes: Sequence[Box], model: str) -> Sequence[Box]:
    """The same variants with those left out that ask for the same as another one."""
    return _without_drawn_twins(_without_overlaps(boxes), model)


def _without_overlaps(boxes: Sequence[Box]) -> Sequence[Box]:
    """Leave out what an earlier box has."""
    texts = Counter(box.text for box in boxes)
    if len(texts) == len(boxes):
        return boxes
    # Of small boxes, of which a prompt file may give many thousand, every point is looked up; only
    # large ones are compared with one another, and only those of a kind can overlap at all.
    kinds = Counter(box.kind for box in boxes if texts[box.text] > 1)
    points: set[bytes] = set()
    earlier: dict[Kind, list[Box]] = {}
    large: dict[Kind, list[Box]] = {}
    kept: list[Box] = []
    for box in boxes:
        if texts[box.text] == 1 or kinds[box.kind] == 1:
            kept.append(box)
            continue
        if box.size <= _SMALL:
            here = {_point_hash(r): r for r in map(box.request, range(box.size))}
            twins = [box.point(r) for name, r in here.items() if name in points]
            left = _cut([box], [*twins, *large.get(box.kind, ())])
            points.update(here)
        else:
            left = _cut([box], earlier.get(box.kind, ()))
            large.setdefault(box.kind, []).extend(left)
        earlier.setdefault(box.kind, []).extend(left)
        kept.extend(left)
    return kept


def _point_hash(request: Mapping[str, object]) -> bytes:
    return hashlib.blake2b(canonical(request), digest_size=16).digest()


def _without_drawn_twins(boxes: Sequence[Box], model: str) -> Sequence[Box]:
    """Leave out a drawn seed that the same request is also asked for with by name."""
    drawing = {box.text for box in boxes if -1 in box.values.get("seed", ())}
    named: dict[Kind, list[Box]] = {}
    for box in boxes:
        seeds = box.values.get("seed", _DRAWN)
        if box.text in drawing and (len(seeds) > 1 or -1 not in seeds):
            named.setdefault(box.kind, []).append(box)
    if not named:
        return boxes
    kept: list[Box] = []
    for box in boxes:
        others = named.get(box.kind, ()) if box.text in drawing else ()
        twins: list[Box] = []
        if others and -1 in box.values.get("seed", ()):
            drawn = box.with_values("seed", _DRAWN)
            keys = BoxKeys(model, box.text, drawn.values)
            for index in range(drawn.size):
                request = drawn.request(index)
                known = {**request, "seed": keys.at(index)[1]}
                if any(other.holds(known) for other in others):
                    twins.append(box.point(request))
        kept.extend(_cut([box], twins))
    return kept


def _cut(pieces: list[Box], others: Iterable[Box]) -> list[Box]:
    for other in others:
        pieces = [rest for piece in pieces for rest in piece.minus(other)]
    return pieces


def _listed(values: Values) -> list[object]:
    items = values.items
    return ["range", items.start, items.stop] if isinstance(items, range) else list(items)
