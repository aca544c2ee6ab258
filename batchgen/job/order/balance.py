"""A balanced order: any part of it from its beginning is a fair sample over all axes.

Prompts, linked values, words, models, parameters and repeats are wheels that turn together, one
step for each variant. The wheel of d values turns once more whenever it and those before it would
start to repeat: with D, the product of the sizes before, and L = lcm(D, d), the value at place i is
(i + i // L) mod d for i below D * d. So every combination comes once, and within L places each
value comes as often as any other: of every wheel the counts of any beginning differ by one at most.

What is left of a product (rules that leave some out, prompts with values of their own) is made of
several such sets of wheels, which take turns in proportion to their sizes. Each begins at another
value, so that what comes early in one comes late in another.

The j-th of a set of n is due when n * t = j + 1/2, so for each place there is a moment t at which
no set is more than half a variant off. A value is off by less than 1 within each set, and by at
most 1/2 more for the turns of each: with s sets by less than 1.5 * s variants. That holds where
the sets are products, and each of their values is one of a wheel.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import accumulate, count, islice

from batchgen.job.expansion.boxes import Box, Grid
from batchgen.job.order.positions import Positions
from batchgen.job.values.canonical import canonical

MAX_SETS = 100
"""Sets of wheels that take turns; with more of them a place takes long to find."""
MAX_EXACT = 20
"""Sets up to which grids share one only if they have the same values; else, as many will do."""

Form = tuple[tuple[str, int, bytes], ...]
Cell = tuple[bytes, Form]
"""What is fixed in a grid of what varies in the job, and the axes that are not: their sizes, and
their values where these count."""


@dataclass(frozen=True, kw_only=True)
class Wheels:
    """A product of entries, cells and the axes within their boxes."""

    sizes: tuple[int, ...]
    """Of the wheels: entries, then those that make a cell, then axes within a box."""
    cells: Mapping[tuple[int, ...], int]
    """Where in ``boxes`` the box of an entry is for each turn of the wheels that make a cell."""
    starts: "array[int]"
    """Positions of the first variants of the boxes, those of one entry after the other."""
    turned: int
    """By how many 128ths of a turn each wheel stands further at the beginning."""

    def __len__(self) -> int:
        """How many variants."""
        return math.prod(self.sizes)

    def at(self, place: int) -> int:
        """The position in the order of the job file of the variant at *place*."""
        values: list[int] = []
        before = 1
        for size in self.sizes:
            here = place % (before * size)
            first = size * self.turned // 128
            values.append((here + here // math.lcm(before, size) + first) % size)
            before *= size
        parts = len(next(iter(self.cells)))
        cell = self.cells[tuple(values[1 : parts + 1])]
        index = 0
        for value, size in zip(values[parts + 1 :], self.sizes[parts + 1 :], strict=True):
            index = index * size + value
        return self.starts[values[0] * len(self.cells) + cell] + index


class Balanced(Positions):
    """The positions of all variants in a balanced order."""

    def __init__(self, sets: Sequence[Wheels]) -> None:
        """Let *sets* take turns."""
        self.sets = sets  # public: what can be promised follows from their number
        self._sizes = [len(wheels) for wheels in sets]
        self._total = sum(self._sizes)
        # Whole numbers, so that moments never fall together by rounding.
        self._steps = [math.lcm(*self._sizes) // size for size in self._sizes]

    def __len__(self) -> int:
        """How many variants."""
        return self._total

    def at(self, place: int) -> int:
        """The position in the order of the job file of the variant at *place*."""
        if len(self.sets) == 1:
            return self.sets[0].at(place)
        # The j-th of n is due at (2j + 1) / 2n. At a moment a little before this place fewer than
        # that are due, and the rest is counted.
        moment, whole = max(0, place - len(self.sets)), self._total
        done = [max(0, -((whole - 2 * n * moment) // (2 * whole))) for n in self._sizes]
        due = [((2 * j + 1) * self._steps[g], g, j) for g, j in enumerate(done)]
        heapify(due)
        for _ in range(place - sum(done)):
            _, g, j = due[0]
            heapreplace(due, ((2 * j + 3) * self._steps[g], g, j + 1))
        _, g, j = due[0]
        return self.sets[g].at(j)


def balanced(boxes: Sequence[Box], names: Iterable[str]) -> Balanced | None:
    """The balanced order of the variants of *boxes*, in which *names* vary.

    None when they are of more than MAX_SETS kinds.
    """
    order = sorted(names)
    for exact, most in ((True, MAX_EXACT), (False, MAX_SETS)):
        grids = {id(box.grid): box.grid for box in boxes}
        cells = {key: _cell(grid, order, exact=exact) for key, grid in grids.items()}
        sets = list(islice(_sets(boxes, cells, order), most + 1))
        if len(sets) <= most:
            return Balanced(sets)
    return None


def _sets(boxes: Sequence[Box], kept: Mapping[int, Cell], order: Sequence[str]) -> Iterator[Wheels]:
    """The sets of wheels of *boxes*; *kept* has the cell of each grid by its ``id``."""
    starts = list(accumulate((box.size for box in boxes), initial=0))
    entries: dict[int, list[int]] = defaultdict(list)
    for number, box in enumerate(boxes):
        if box.size:
            entries[box.entry].append(number)
    alike: dict[tuple[Cell, ...], list[list[int]]] = defaultdict(list)
    for numbers in entries.values():
        alike[tuple(kept[id(boxes[number].grid)] for number in numbers)].append(numbers)
    made = count()
    for cells, found in alike.items():
        rows = _interleaved(found, boxes)
        for form in dict.fromkeys(form for _, form in cells):
            chosen = [i for i, cell in enumerate(cells) if cell[1] == form]
            grids = [boxes[rows[0][i]].grid for i in chosen]
            first = array("q", (starts[row[i]] for row in rows for i in chosen))
            sizes, table = _wheels(grids, order)
            shape = (len(rows), *sizes, *(size for _, size, _ in form))
            turned = int(f"{next(made):07b}"[::-1], 2)  # 0, 64, 32, 96, 16: far from those before
            yield Wheels(sizes=shape, cells=table, starts=first, turned=turned)


def _cell(grid: Grid, names: Sequence[str], *, exact: bool) -> Cell:
    form = tuple(
        (name, len(values), canonical(values.listed()) if exact else b"")
        for name, values in grid.values.items()
        if len(values) > 1
    )
    return canonical(_fixed(grid, names)), form


def _fixed(grid: Grid, names: Sequence[str]) -> list[object]:
    """What *grid* has of each name: a label, or the one value of a parameter; else nothing."""
    known = {name: values[0] for name, values in grid.values.items() if len(values) == 1}
    known = {**known, "model": grid.model, **grid.labels}
    return [known.get(name) for name in ("model", *names)]


def _interleaved(rows: list[list[int]], boxes: Sequence[Box]) -> list[list[int]]:
    """The entries, those of a prompt with many texts spread among the others."""
    counts: dict[str, int] = defaultdict(int)
    numbered = []
    for row in rows:
        name = boxes[row[0]].prompt_id
        numbered.append((counts[name], name, row))
        counts[name] += 1
    numbered.sort(key=lambda item: (2 * item[0] + 1) / counts[item[1]])
    return [row for _, _, row in numbered]


def _wheels(
    grids: Sequence[Grid], names: Sequence[str]
) -> tuple[tuple[int, ...], dict[tuple[int, ...], int]]:
    """The wheels that make one of *grids*, as few as tell them apart; else one for all."""
    columns = list(zip(*(_fixed(grid, names) for grid in grids), strict=True))
    coded = [_codes(column) for column in columns]
    kept: list[tuple[int, ...]] = []
    for codes in sorted(coded, key=max, reverse=True):
        # What another wheel decides needs none of its own.
        if max(codes) and not any(_decides(other, codes) for other in kept):
            kept.append(codes)
    sizes = tuple(max(codes) + 1 for codes in kept)
    points = list(zip(*kept, strict=True)) if kept else [()] * len(grids)
    if math.prod(sizes) == len(grids) == len(set(points)):
        return sizes, {point: number for number, point in enumerate(points)}
    return (len(grids),), {(place,): n for place, n in enumerate(_spread(points))}


def _codes(column: Sequence[object]) -> tuple[int, ...]:
    found: dict[bytes, int] = {}
    return tuple(found.setdefault(canonical(value), len(found)) for value in column)


def _decides(codes: Sequence[int], others: Sequence[int]) -> bool:
    return len(set(zip(codes, others, strict=True))) == max(codes) + 1


def _spread(points: Sequence[tuple[int, ...]]) -> list[int]:
    """The numbers of *points* in an order in which each value of each wheel comes evenly."""
    if len(points) > 500:  # it takes the square of their number
        return list(range(len(points)))
    shares: dict[tuple[int, int], float] = defaultdict(float)
    for point in points:
        for wheel in enumerate(point):
            shares[wheel] += 1 / len(points)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    left, order = list(range(len(points))), list[int]()
    while left:
        # The next is the one whose values have come least, for the share they have.
        due = [sum(counts[w] / shares[w] for w in enumerate(points[n])) for n in left]
        number = left.pop(due.index(min(due)))
        order.append(number)
        for wheel in enumerate(points[number]):
            counts[wheel] += 1
    return order
