"""What the models of a job accept: most jobs have one, and a value has to suit all it may meet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from batchgen.job.models import MODELS, Model, find_model, refuse_model_id
from batchgen.job.values.axes import (
    AxisError,
    Values,
    read_values,
    refuse,
    several,
    unknown_parameter,
)

_NONE = Model(id="")
_USUAL = frozenset(p.name for model in MODELS.values() for p in model.parameters)


@dataclass(frozen=True, kw_only=True)
class Known:
    """The models that values are for."""

    models: tuple[Model, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """The models called *names*."""
        return cls(models=tuple(find_model(name) for name in dict.fromkeys(names)))

    @property
    def documented(self) -> bool:
        """Whether the parameters of all of them are known."""
        return all(model.documented for model in self.models)

    def has(self, name: str) -> bool:
        """Whether one of them is known to have the parameter *name*, or most likely has it."""
        if any(model.parameter(name) for model in self.models):
            return True
        return name in _USUAL and not self.documented

    def unknown(self, name: str) -> str | None:
        """Say that one of them has no parameter *name*; None when all may have it."""
        found = (unknown_parameter(name, model) for model in self.models)
        return next(filter(None, found), None)

    def refuse(self, value: object, *, name: str) -> None:
        """Raise AxisError when one of them does not accept *value* for *name*."""
        for model in self._for(name):
            refuse(value, name=name, model=model)

    def several(self, raw: object, *, name: str) -> bool:
        """Whether *raw*, set on a prompt, stands for several values rather than one."""
        return several(raw, name=name, model=self._for(name)[0])

    def read(self, raw: object, *, name: str) -> tuple[Values, list[str]]:
        """The values of the axis *name* and what to warn of; raises AxisError."""
        found = [read_values(raw, name=name, model=model) for model in self._for(name)]
        return found[0]

    def only(self, values: Mapping[str, object]) -> "Known":
        """The models for something that may name its own."""
        raw = values.get("model")
        named = raw if isinstance(raw, list) else [raw]
        if raw is None or not all(isinstance(name, str) for name in named):
            return self
        return Known.of(map(str, named)) if named else self

    def _for(self, name: str) -> tuple[Model, ...]:
        return tuple(m for m in self.models if not m.documented or m.parameter(name)) or (_NONE,)


def read_models(raw: object) -> Values:
    """The model ids in *raw*, a text or a list of texts. Raises AxisError."""
    names = raw if isinstance(raw, list) else [raw]
    if not names:
        raise AxisError("expected at least one value, got an empty list")
    for index, name in enumerate(names):
        wrong = refuse_model_id(name if isinstance(name, str) else "")
        if wrong:
            raise AxisError(wrong, index if isinstance(raw, list) else None)
    return Values(tuple(dict.fromkeys(names)))
