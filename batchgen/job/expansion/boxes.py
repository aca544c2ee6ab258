"""Boxes: all variants of one text whose parameters vary independently of one another.

A variant is found by arithmetic on its index in its box, so a million of them take no more memory
than the lists they are made of. What does not vary independently (linked values, the words in a
text, the model) makes boxes of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from batchgen.job.source.files import Place
from batchgen.job.texts.prompt import Prompt
from batchgen.job.values.axes import Values
from batchgen.job.values.sweep import MODEL

REPEAT = "#repeat"
"""The axis of the repeats, which is no parameter and not sent."""

Kind = tuple[str, str, frozenset[str]]
"""What boxes must share to have a variant in common: text, model and the parameters' names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """What the boxes of many prompts share: one value for each parameter, the last one fastest."""

    model: str
    values: Mapping[str, Values]
    """Of every parameter, fixed ones included."""
    labels: Mapping[str, object]
    """What an axis that is no parameter has here: the name of a linked point, a word in the text.
    They become columns of the manifest."""
    words: Mapping[str, object]
    """What placeholders stand for, parameters apart."""
    places: Mapping[str, Place]
    """Where a value was given, for those that were not set on the prompt."""
    size: int = field(init=False, repr=False, compare=False)
    """How many variants each box has, by multiplication: once, for it is asked all the time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", math.prod(map(len, self.values.values())))

    def with_values(self, changed: Mapping[str, Values]) -> "Grid":
        """The same with other values of some parameters; a new one comes last."""
        return replace(self, values={**self.values, **changed})

    def within(self, where: Mapping[str, Values]) -> "Grid | None":
        """The part of it whose points have the values of *where*; None when there is none."""
        changed: dict[str, Values] = {}
        fixed = {**self.words, **self.labels, MODEL: self.model}
        for name, wanted in where.items():
            if name == "prompt":
                continue
            if name in self.values:
                changed[name] = self.values[name].common(wanted)
                if not changed[name]:
                    return None
            elif name not in fixed or fixed[name] not in wanted:
                return None
        return self.with_values(changed)

    def minus(self, other: "Grid") -> list["Grid"]:
        """What is left without the points of *other*, as grids that do not overlap.

        *other* has the same parameters.
        """
        common = {name: own.common(other.values[name]) for name, own in self.values.items()}
        if not all(common.values()):
            return [self]
        pieces: list[Grid] = []
        rest = self
        for name, shared in common.items():
            outside = rest.values[name].without(shared)
            pieces.extend(rest.with_values({name: values}) for values in outside)
            rest = rest.with_values({name: shared})
        return pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """The variants of one text over a grid."""

    prompt: Prompt
    text: str
    grid: Grid
    entry: int
    """The number of the text before words were filled in; boxes of one text follow one another."""
    own: Mapping[str, object]
    """Labels of this text alone: the words that its prompt brings."""

    @property
    def prompt_id(self) -> str:
        """Of the prompt."""
        return self.prompt.id

    @property
    def size(self) -> int:
        """How many variants."""
        return self.grid.size

    @property
    def values(self) -> Mapping[str, Values]:
        """Of every parameter."""
        return self.grid.values

    @property
    def kind(self) -> Kind:
        """What another box must share to overlap with this one."""
        return self.text, self.grid.model, frozenset(self.grid.values)

    def point(self, index: int) -> dict[str, object]:
        """The parameters at *index* and the repeat, by mixed-radix arithmetic."""
        chosen: dict[str, object] = {}
        for name, values in reversed(list(self.grid.values.items())):
            index, digit = divmod(index, len(values))
            chosen[name] = values[digit]
        return dict(reversed(chosen.items()))

    def holds(self, point: Mapping[str, object]) -> bool:
        """Whether one of its variants is at *point*, which has the same parameters."""
        return all(point[name] in values for name, values in self.grid.values.items())

    def minus(self, other: "Box") -> list["Box"]:
        """What is left without the variants of *other*, a box of the same kind."""
        left = self.grid.minus(other.grid)
        if len(left) == 1 and left[0] is self.grid:
            return [self]
        return [replace(self, grid=grid) for grid in left]

    def at(self, point: Mapping[str, object]) -> "Box":
        """The box of the one variant at *point*."""
        values = {name: Values((point[name],)) for name in self.grid.values}
        return replace(self, grid=replace(self.grid, values=values))
