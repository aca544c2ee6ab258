"""An order that is never listed: where a variant stands is found by arithmetic."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload


class Positions(Sequence[int]):
    """Whole numbers in an order of their own; a subclass says how many, and which is where."""

    @abstractmethod
    def at(self, place: int) -> int:
        """The number at *place*, from 0 and below ``len()``."""

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        """The number at *index*; a slice is listed."""
        if isinstance(index, slice):
            return [self.at(place) for place in range(len(self))[index]]
        return self.at(range(len(self))[index])
