"""The keys and drawn seeds of many variants that share most of their request."""

from collections.abc import Mapping

from batchgen.job.axes import Values
from batchgen.job.canonical import drawn_seed, spelled, variant_key

_UNDRAWN = frozenset({'"seed":-1', '"seed":-1.0'})


class BoxKeys:
    """The keys of all variants of one text, found by arithmetic on their index in its box."""

    def __init__(self, model: str, text: str, values: Mapping[str, Values]) -> None:
        """Spell what the variants share."""
        self._model = spelled(model)
        names = sorted(["prompt", *values])
        self._seed = names.index("seed") if "seed" in values else None
        self._fields = [f"{spelled(name)}:" for name in names]
        self._fields[names.index("prompt")] += spelled(text)
        # The last parameter is the fastest.
        self._axes: list[tuple[int, int, str, range | list[str]]] = []
        for name, own in reversed(list(values.items())):
            slot = names.index(name)
            label = self._fields[slot]
            if len(own) == 1:
                self._fields[slot] += spelled(own[0])
            elif isinstance(own.items, range):
                self._axes.append((slot, len(own), label, own.items))
            else:
                self._axes.append((slot, len(own), label, [spelled(value) for value in own]))

    def at(self, index: int) -> tuple[str, int | None]:
        """The key of the variant at *index*, and its seed when that was drawn."""
        fields = self._fields.copy()
        for slot, size, label, values in self._axes:
            index, digit = divmod(index, size)
            fields[slot] = f"{label}{values[digit]}"
        seed = None
        if self._seed is not None and fields[self._seed] in _UNDRAWN:
            rest = fields[: self._seed] + fields[self._seed + 1 :]
            seed = drawn_seed(self._model, rest)
            fields[self._seed] = f'"seed":{seed}'
        return variant_key(self._model, fields), seed
