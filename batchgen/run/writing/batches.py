"""The parts of a plan that are packed together."""

from collections.abc import Callable

from batchgen.job.variants import Variants


class Batches:
    """The variants of a plan in parts of equal size, but those that are packed already."""

    def __init__(self, variants: Variants, size: int, packed: Callable[[str], bool] | None) -> None:
        """Leave out the variants that are *packed*, if any are."""
        self._variants = variants
        self._size = size
        self._packed = packed
        self._starts = [0]
        """Where each batch begins in the plan, as far as that is known."""

    def keys(self, number: int) -> list[str]:
        """Of the variants in the batch *number*; none behind the last."""
        while len(self._starts) <= number:
            self._take(len(self._starts) - 1)
        return self._take(number)

    def _take(self, number: int) -> list[str]:
        found, end = [], self._starts[number]
        for key in self._variants[end:].keys():  # noqa: SIM118  # no mapping
            end += 1
            if self._packed is None or not self._packed(key):
                found.append(key)
            if len(found) == self._size:
                break
        if len(self._starts) == number + 1:
            self._starts.append(end)
        return found
