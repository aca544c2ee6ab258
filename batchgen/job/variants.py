"""Expansion: a lazy, index-addressable sequence of variants."""

import hashlib
import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate, groupby, product
from types import MappingProxyType
from typing import overload

from batchgen.job.expansion.boxes import REPEAT, Box
from batchgen.job.expansion.keys import GridKeys
from batchgen.job.values.axes import Values
from batchgen.job.values.canonical import canonical

_NOT_SET = Values((None,))
_GRIDS = 1_000  # whose keys are kept spelled; a variant of another one takes ten times as long


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One point of the expansion: exactly one request to the service."""

    index: int
    """Its place in the order of the job file, from 0."""
    key: str
    """20 hex digits over model, request and repeat; equal for equal requests, whatever the job."""
    prompt_id: str
    model: str
    request: Mapping[str, object]
    """The body of the POST, as it will be sent."""
    labels: Mapping[str, object]
    """What the axes that are no parameters have here, for the manifest."""


class Variants(Sequence[Variant]):
    """The variants of a job in their order; ``len``, ``[i]``, slices and iteration are lazy."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        """Stand for all variants of *boxes*."""
        self.boxes = boxes
        self._ends = array("q", accumulate(box.size for box in boxes))
        self._total = self._ends[-1] if boxes else 0
        self._order: Sequence[int] = range(self._total)
        self._window = self._order
        self._here = range(0)
        """The positions of the box that was asked for last, of which the next two are."""
        self._box: Box
        self._keys: GridKeys
        self._spelled: dict[int, GridKeys] = {}

    def __len__(self) -> int:
        """How many variants, without expanding one."""
        return len(self._window)

    def __iter__(self) -> Iterator[Variant]:
        """The variants in order, made one at a time."""
        return map(self._variant, self._positions())

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
        return self._variant(self._order[self._window[index]])

    def ordered(self, order: Sequence[int]) -> "Variants":
        """The variants at the positions in *order*, which count in the order of the job file."""
        part = copy(self)
        part._order, part._window = order, range(len(order))  # noqa: SLF001  # of our own class
        return part

    def _positions(self) -> Iterator[int]:
        """Where the variants stand in the order of the job file."""
        if self._order == range(self._total):
            return iter(self._window)
        return map(self._order.__getitem__, self._window)

    def keys(self) -> Iterator[str]:
        """The keys of the variants in order: much quicker than whole variants."""
        for position in self._positions():
            self._go_to(position)
            yield self._keys.at(self._box.text, position - self._here.start)[0]

    def tally(self, *names: str) -> Counter[tuple[object, ...]]:
        """How many variants have each combination of values of the parameters *names*.

        A parameter that is not set is None; ``model`` stands for the model. Of a job as a whole
        this is found by multiplication.
        """
        found: Counter[tuple[object, ...]] = Counter()
        if len(self) < self._total:
            for variant in self:
                known = {"model": variant.model, **variant.request}
                found[tuple(known.get(name) for name in names)] += 1
            return found
        for alike in self._alike():
            grid = alike[0].grid
            values = {"model": Values((grid.model,)), **grid.values}
            several = [values.get(name, _NOT_SET) for name in names]
            times = len(alike) * grid.size // math.prod(map(len, several))
            for point in product(*several):
                found[point] += times
        return found

    def models(self) -> Iterator[str]:
        """The ids of the models that variants ask for, each once."""
        return iter(dict.fromkeys(alike[0].grid.model for alike in self._alike()))

    def first_of(self, model: str) -> Variant:
        """The first variant of *model* in the order of the job file, which has one."""
        number = next(i for i, box in enumerate(self.boxes) if box.grid.model == model)
        return self._variant(self._ends[number] - self.boxes[number].size)

    def fingerprint(self) -> str:
        """A hash of the whole plan: equal for equal plans, without expanding them."""
        found = hashlib.sha256(canonical({"v": 3}))
        for alike in self._alike():
            grid = alike[0].grid
            values = {name: own.listed() for name, own in grid.values.items()}
            spelled = canonical({"model": grid.model, "values": values, "labels": grid.labels})
            for box in alike:
                found.update(canonical([box.prompt_id, box.text]) + spelled)
        if len(self) < self._total:
            found.update(array("q", sorted(self._positions())).tobytes())
        return found.hexdigest()

    def asked(self) -> Iterator[tuple[str, str, Values]]:
        """Model, name and values of every parameter that is sent; some more than once."""
        for alike in self._alike():
            grid = alike[0].grid
            texts = Values(tuple({box.text: None for box in alike}))
            yield grid.model, "prompt", texts
            for name, values in grid.values.items():
                if name != REPEAT:
                    yield grid.model, name, values

    def position_of(self, key: str) -> int | None:
        """Where the first variant whose key begins with *key* stands in the order of the file."""
        whole = self.ordered(range(self._total))
        return next((i for i, own in enumerate(whole.keys()) if own.startswith(key)), None)

    def at(self, position: int) -> tuple[Variant, Box]:
        """The variant at *position* in the order of the file, and the box that it is one of."""
        return self._variant(range(self._total)[position]), self._box

    def _alike(self) -> Iterator[list[Box]]:
        """The boxes in order, those together that share their grid."""
        return (list(boxes) for _, boxes in groupby(self.boxes, lambda box: id(box.grid)))

    def _go_to(self, position: int) -> None:
        """Make ``_box`` the box that has the variant at *position*."""
        if position in self._here:
            return
        number = bisect_right(self._ends, position)
        box, end = self.boxes[number], self._ends[number]
        self._box, self._here = box, range(end - box.size, end)
        keys = self._spelled.get(id(box.grid))
        if keys is None:
            if len(self._spelled) >= _GRIDS:
                self._spelled.clear()
            keys = self._spelled[id(box.grid)] = GridKeys(box.grid.model, box.grid.values)
        self._keys = keys

    def _variant(self, position: int) -> Variant:
        self._go_to(position)
        box, index = self._box, position - self._here.start
        request = {"prompt": box.text, **box.point(index)}
        labels = {**box.own, **box.grid.labels} if box.own else box.grid.labels
        if (repeat := request.pop(REPEAT, None)) is not None:
            labels = {**labels, "repeat": repeat}
        key, seed = self._keys.at(box.text, index)
        if seed is not None:
            request["seed"] = seed
        return Variant(
            index=position,
            key=key,
            prompt_id=box.prompt_id,
            model=box.grid.model,
            request=MappingProxyType(request),
            labels=labels,
        )
