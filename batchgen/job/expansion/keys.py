"""The keys and drawn seeds of many variants that share most of their request."""

from collections.abc import Mapping

from batchgen.job.expansion.boxes import REPEAT
from batchgen.job.values.axes import Values
from batchgen.job.values.canonical import drawn_seed, spelled, variant_key

_UNDRAWN = frozenset({'"seed":-1', '"seed":-1.0'})


class GridKeys:
    """The keys of all variants of a grid, found by arithmetic on their index in a box."""

    def __init__(self, model: str, values: Mapping[str, Values]) -> None:
        """Spell what the variants share."""
        self._model = spelled(model)
        names = sorted({"prompt", *values} - {REPEAT})
        self._prompt = names.index("prompt")
        self._seed = names.index("seed") if "seed" in values else None
        self._repeat = len(names)  # a place of its own after the fields
        self._fields = [*(f"{spelled(name)}:" for name in names), "0"]
        self._text: tuple[str, str] = ("", '""')
        # The last parameter is the fastest.
        self._axes: list[tuple[int, int, str, range | list[str]]] = []
        for name, own in reversed(list(values.items())):
            slot = self._repeat if name == REPEAT else names.index(name)
            label = "" if name == REPEAT else self._fields[slot]
            if len(own) == 1:
                self._fields[slot] = label + spelled(own[0])
            elif isinstance(own.items, range):
                self._axes.append((slot, len(own), label, own.items))
            else:
                self._axes.append((slot, len(own), label, [spelled(value) for value in own]))

    def at(self, text: str, index: int) -> tuple[str, int | None]:
        """The key of the variant of *text* at *index*, and its seed when that was drawn."""
        if self._text[0] is not text:
            self._text = text, spelled(text)
        fields = self._fields.copy()
        fields[self._prompt] += self._text[1]
        for slot, size, label, values in self._axes:
            index, digit = divmod(index, size)
            fields[slot] = f"{label}{values[digit]}"
        repeat = fields.pop()
        seed = None
        if self._seed is not None and fields[self._seed] in _UNDRAWN:
            rest = fields[: self._seed] + fields[self._seed + 1 :]
            seed = drawn_seed(self._model, rest, repeat)
            fields[self._seed] = f'"seed":{seed}'
        return variant_key(self._model, fields, repeat), seed
