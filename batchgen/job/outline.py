"""What a job varies, in words: for messages, for the plan, and as columns of the manifest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from batchgen.job.texts.prompt import Prompt
from batchgen.job.values.sweep import MODEL, Axis, Link, Sweep


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The names of all that varies."""

    factors: tuple[tuple[int, str], ...]
    """How many prompts, or texts, and how many values each axis has: what the variants are the
    product of, where no prompt has values of its own and no rule leaves some out."""
    axes: tuple[str, ...]
    """What multiplies beside the texts; linked values have + between their names."""
    columns: tuple[str, ...]
    """What differs, or may: of linked values each name is one."""

    def product(self, number: int) -> str:
        """The factors of *number* variants, and the first alone when they are not all there is."""
        whole = number == prod(size for size, _ in self.factors)
        factors = self.factors if whole else self.factors[:1]
        return " × ".join(f"{size:,} {name}" for size, name in factors)


def outline(sweep: Sweep, prompts: Sequence[Prompt], added: Sequence[Prompt]) -> Outline:
    """The outline of *prompts* under *sweep*."""
    every = (*prompts, *added)
    own = [n for p in every for n, values in p.values.items() if len(values) > 1]
    repeat = ["repeat"] if sweep.repeat > 1 else []
    return Outline(
        factors=tuple(_factors(sweep, prompts)),
        axes=tuple(dict.fromkeys([*map(_title, sweep.axes), *repeat, *own])),
        columns=tuple(dict.fromkeys(n for n in _columns(sweep, every) if n != MODEL)),
    )


def _factors(sweep: Sweep, prompts: Sequence[Prompt]) -> Iterator[tuple[int, str]]:
    texts = sum(prompt.count() for prompt in prompts)
    yield texts, "texts" if texts > len(prompts) else "prompts" if texts > 1 else "prompt"
    for axis in sweep.axes:
        yield len(axis.points if isinstance(axis, Link) else axis.values), _title(axis)
    if sweep.repeat > 1:
        yield sweep.repeat, "repeat"


def _title(axis: Axis | Link) -> str:
    return axis.name or "+".join(axis.points[0].values if isinstance(axis, Link) else ())


def _columns(sweep: Sweep, prompts: Sequence[Prompt]) -> Iterator[str]:
    for axis in sweep.axes:
        if axis.name:
            yield axis.name
        if isinstance(axis, Link):
            # The words of a point that has a name are told by that.
            names = (name for point in axis.points for name in point.values)
            yield from (name for name in names if sweep.sends(name) or not axis.name)
    if sweep.repeat > 1:
        yield "repeat"
    yield from (name for rule in sweep.rules for name in rule.then or ())
    for prompt in prompts:
        for name, values in prompt.values.items():
            if len(values) > 1 or not sweep.sends(name):
                yield name
