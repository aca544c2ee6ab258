"""What a job varies: independent axes, linked values, and what is the same for every variant."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from batchgen.job.source.files import Place
from batchgen.job.values.axes import Values

MODEL = "model"
"""The name of the axis over models, which is no parameter."""
MADE_COLUMNS = frozenset(
    {
        *("file_name", "prompt_id", "prompt", "image_index", "nsfw", "width", "height", "bytes"),
        *("sha256", "media_type", "prediction_id", "variant_key", "created_at", "submitted_at"),
        *("completed_at", "saved_at", "queue_ms", "inference_ms", "total_ms", "polls"),
        *("attempts", "cost_usd"),
    }
)
"""Columns of the manifest that hold what was made; a word of the texts cannot have their names."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values of one name that multiply: a parameter, a word of the texts, or the model."""

    name: str
    values: Values
    place: Place


@dataclass(frozen=True, kw_only=True)
class Point:
    """Values of several names that belong together."""

    name: str | None
    """What the point is called in the manifest and in rules; None for one of a ``zip``."""
    values: Mapping[str, object]
    place: Place


@dataclass(frozen=True, kw_only=True)
class Link:
    """Points of which a variant has one: an axis of mappings, or lists under ``zip``."""

    name: str | None
    points: tuple[Point, ...]

    def chosen(self, own: Mapping[str, Values]) -> tuple[Point, ...]:
        """The points for a prompt with values of its *own*, which may name some."""
        wanted = own.get(self.name) if self.name else None
        return tuple(p for p in self.points if wanted is None or p.name in wanted)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What holds for some variants alone.

    They are left out, or some of their values are set, or all others are left out.
    """

    where: Mapping[str, Values]
    """Names and the values of which a variant has one each: parameters, axes, prompt, model."""
    then: Mapping[str, object] | None
    """The values that are set; None leaves the variants out."""
    place: Place
    only: bool = False
    """Whether all variants are left out but these."""

    @property
    def excludes(self) -> bool:
        """Whether it leaves variants out, and no others."""
        return self.then is None and not self.only

    def touches(self, prompt_id: str) -> bool:
        """Whether there may be variants of that prompt that it is about."""
        return "prompt" not in self.where or prompt_id in self.where["prompt"]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All that a job says beside its prompts."""

    model: str
    axes: tuple[Axis | Link, ...]
    params: Mapping[str, object]
    words: Mapping[str, object]
    """``vars``: what placeholders stand for."""
    unsent: frozenset[str]
    """Names that are for texts, rules and the manifest only: all others are parameters."""
    rules: tuple[Rule, ...] = ()
    repeat: int = 1
    job_seed: int = 0
    """What random choices are made of."""
    places: Mapping[str, Place] = field(default_factory=dict)

    def sends(self, name: str) -> bool:
        """Whether the values of *name* are sent to the service."""
        return name not in self.unsent

    def bare(self) -> "Sweep":
        """The same without what multiplies: for variants that are added one by one."""
        links = tuple(axis for axis in self.axes if isinstance(axis, Link) and axis.name)
        return replace(self, axes=links, rules=tuple(rule for rule in self.rules if rule.only))

    def with_rules(self, rules: tuple[Rule, ...]) -> "Sweep":
        """The same under *rules*."""
        return replace(self, rules=rules)
