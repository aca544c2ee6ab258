"""A random order that is never listed: where a variant stands is found by arithmetic."""

import math

from batchgen.job.order.positions import Positions
from batchgen.job.values.canonical import digest

_ROUNDS = 6
_MASK = 2**64 - 1


class Shuffled(Positions):
    """All whole numbers below *size* in an order drawn by *seed*.

    A Feistel network over a × b cells, with a and b near the square root of *size*: each round adds
    to one half a number made of the other, which can be taken back, so no two numbers meet. A cell
    that is no number is sent through again; there are fewer of those than a.
    """

    def __init__(self, size: int, seed: int) -> None:
        """Draw the rounds; nothing is listed."""
        self._size = size
        self._a = max(1, math.isqrt(size))
        self._b = -(-size // self._a)
        spelled = digest({"order": seed, "v": 1})
        self._keys = [int(spelled[i : i + 10], 16) for i in range(0, 10 * _ROUNDS, 10)]

    def __len__(self) -> int:
        """How many numbers."""
        return self._size

    def at(self, place: int) -> int:
        """The number at *place*."""
        while True:
            left, right = divmod(place, self._b)
            for number, key in enumerate(self._keys):
                if number % 2:
                    right = (right + _mixed(left, key)) % self._b
                else:
                    left = (left + _mixed(right, key)) % self._a
            place = left * self._b + right
            if place < self._size:
                return place


def _mixed(number: int, key: int) -> int:
    """64 bits of which each depends on all of *number* and *key* (the finish of SplitMix64)."""
    number = (number + key) * 0x9E3779B97F4A7C15 & _MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _MASK
    return number ^ number >> 31
