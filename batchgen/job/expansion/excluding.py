"""Leaving thousands of combinations out of a grid, without holding each against every piece.

The pieces and their order are those of one rule after the other, which keys, plans and the order of
a job hang on; only rules that cannot touch a piece are passed over.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batchgen.job.expansion.boxes import Grid
from batchgen.job.values.canonical import canonical
from batchgen.job.values.sweep import MODEL, Rule

_FEW = 8  # values of a piece that are looked up one by one
_MISSES = 32  # in a row, after which a piece gets a list of its own

Left = tuple[Grid, Sequence[int], int]
"""A piece, the places of the rules that may touch it, and how many of these it has behind it."""


@dataclass(kw_only=True)
class Exclusions:
    """Rules that leave variants out, found by the values of the name that tells most apart."""

    rules: Sequence[tuple[int, Rule]]
    """Each with its number in the job."""
    touched: set[int]
    """Where the numbers of those go that left something out."""
    _name: str = field(init=False)
    _by_value: dict[bytes, list[int]] = field(init=False)
    _wide: list[int] = field(init=False)
    """Those that give the name no value, or a whole range of them."""

    def __post_init__(self) -> None:
        """File every rule under its values."""
        values: dict[str, set[bytes]] = defaultdict(set)
        for _, rule in self.rules:
            for name, wanted in rule.where.items():
                if name != "prompt" and len(wanted) == 1:
                    values[name].add(canonical(wanted[0]))
        self._name = max(values, key=lambda name: len(values[name]), default="")
        self._by_value, self._wide = defaultdict(list), []
        for place, (_, rule) in enumerate(self.rules):
            own = rule.where.get(self._name)
            if own is None or len(own) > _FEW:
                self._wide.append(place)
            else:
                for value in own:
                    self._by_value[canonical(value)].append(place)

    def left_of(self, grid: Grid) -> Iterator[Grid]:
        """The pieces of *grid* that they leave, in order."""
        left: list[Left] = [(grid, range(len(self.rules)), 0)]
        while left:
            piece, places, begin = self._narrowed(*left.pop())
            for at in range(begin, len(places)):
                if at - begin == _MISSES:
                    left.append((piece, self._own(piece, places[at:]), 0))
                    break
                number, rule = self.rules[places[at]]
                if (gone := piece.within(rule.where)) is not None:
                    self.touched.add(number)
                    left += [(rest, places, at + 1) for rest in reversed(piece.minus(gone))]
                    break
            else:
                yield piece

    def _narrowed(self, piece: Grid, places: Sequence[int], begin: int) -> Left:
        """A shorter list when *piece* has few values of the name, and the list is long."""
        values = self._values(piece)
        if len(places) - begin <= _MISSES or len(values) > _FEW:
            return piece, places, begin
        lists = [self._wide, *(self._by_value.get(canonical(v), []) for v in values)]
        last = places[begin] - 1
        return piece, sorted({n for own in lists for n in own[bisect_right(own, last) :]}), 0

    def _own(self, piece: Grid, places: Sequence[int]) -> list[int]:
        """Of *places*, those whose rules touch *piece*."""
        return [p for p in places if piece.within(self.rules[p][1].where) is not None]

    def _values(self, piece: Grid) -> Sequence[object]:
        """What *piece* has of the name; no value when it has none."""
        if self._name in piece.values:
            return piece.values[self._name]
        fixed = {**piece.words, **piece.labels, MODEL: piece.model}
        return (fixed[self._name],) if self._name in fixed else ()
