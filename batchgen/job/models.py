"""What models accept, cost and return.

Facts of the Imagen 4 models come from their API pages (parameters, ranges, default ratio), the
prices from the service's catalog, pixel sizes at 1K and 2K and the longest prompt from Google's
pages of Imagen 4. Of a model that is not listed here nothing is known but what the service's
catalog tells of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from batchgen.job.source.wording import describe, did_you_mean

DEFAULT_MODEL = "wavespeed-ai/imagen4"

# The id becomes part of an address, so it may not contain "?", "#", ".." or an upper-case letter.
MODEL_ID = re.compile(
    r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*(/[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*){1,4}"
)
# First segments that are other endpoints of the v3 API, not models.
RESERVED_OWNERS = frozenset(
    {"account", "balance", "billings", "media", "model", "models", "predictions", "user", "webhook"}
)

Kind = Literal["text", "integer"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a model: what it accepts and what the service assumes when it is not set."""

    name: str
    kind: Kind
    description: str
    required: bool = False
    default: str | int | None = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    barred: str = ""
    """Why batchgen cannot use it, although the model has it; empty for all that it can use."""

    def refuse(self, value: object) -> str | None:
        """Say what was expected and what was got, or None when *value* is fine."""
        return self.barred or self._refusal(value)

    def _refusal(self, value: object) -> str | None:
        if self.kind == "integer":
            # bool is an int to Python, but `true` is not a number to whoever wrote the job.
            if isinstance(value, int) and not isinstance(value, bool) and self._in_range(value):
                return None
            return f"expected {self.expected}, got {describe(value)}"
        if not isinstance(value, str):
            hint = "; put it in quotes" if isinstance(value, int | float | bool) else ""
            return f"expected {self.expected}, got {describe(value)}{hint}"
        if self.required and not value.strip():
            return "expected a text that is not empty"
        if self.choices and value not in self.choices:
            # 16x9 and 16/9 are near 16:9; 16:10 is near nothing worth suggesting.
            near = did_you_mean(re.sub("[x/]", ":", value), self.choices, cutoff=0.8)
            return f"expected {self.expected}, got {describe(value)}{near}"
        return None

    @property
    def expected(self) -> str:
        """The accepted values in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind == "integer":
            return f"a whole number from {self.minimum} to {self.maximum}"
        return "a text"

    def _in_range(self, value: int) -> bool:
        low_enough = self.maximum is None or value <= self.maximum
        return low_enough and (self.minimum is None or value >= self.minimum)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of the service. ``parameters`` is empty when nothing is known about it."""

    id: str
    parameters: tuple[Parameter, ...] = ()
    price_micros: int | None = None
    """Price of one image in millionths of a US dollar; None when unknown."""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=lambda: MappingProxyType({}))
    """Pixels (width, height) of an image for each aspect ratio at 1k; empty when unknown."""
    prompt_tokens: int | None = None
    """The longest prompt it reads, in its own tokens; None when unknown."""

    @property
    def documented(self) -> bool:
        """Whether the parameters are known and checked."""
        return bool(self.parameters)

    def parameter(self, name: str) -> Parameter | None:
        """The parameter called *name*, if the model documents it or batchgen cannot use it."""
        return next((p for p in (*self.parameters, *_BARRED) if p.name == name), None)

    def default(self, name: str) -> str | int | None:
        """What the service assumes for a parameter that is not set; None when unknown."""
        parameter = self.parameter(name)
        return parameter.default if parameter else None

    def with_defaults(self, request: Mapping[str, object]) -> dict[str, object]:
        """The parameters of *request*, and the documented defaults of those it leaves out."""
        return {p.name: p.default for p in self.parameters} | dict(request)

    def takes_seed(self) -> bool:
        """Whether a seed may be added to a request that names none."""
        return self.parameter("seed") is not None

    def images(self, request: Mapping[str, object]) -> int:
        """How many images one prediction of *request* is asked to make."""
        count = request.get("num_images", 1)
        return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 1

    def size(self, request: Mapping[str, object]) -> tuple[int, int] | None:
        """Pixels (width, height) of each image of *request*, as documented; None when unknown."""
        ratio = request.get("aspect_ratio", self.default("aspect_ratio"))
        size, scale = self.sizes.get(str(ratio)), self.scale(request)
        return (size[0] * scale, size[1] * scale) if size else None

    def scale(self, request: Mapping[str, object]) -> int:
        """How many times as wide and high as at 1k the images of *request* are."""
        return RESOLUTIONS.get(str(request.get("resolution", self.default("resolution"))), 1)

    def cost_micros(self, request: Mapping[str, object]) -> int | None:
        """Price of *request* in millionths of a US dollar: billed per image; None when unknown."""
        return None if self.price_micros is None else self.price_micros * self.images(request)


# They would come inside the answer: paid, and not to be fetched again when the answer is lost.
_BARRED = (
    Parameter(
        name="enable_base64_output",
        kind="text",
        description="Images inside the answer instead of their addresses.",
        barred="batchgen fetches images by their addresses and cannot use enable_base64_output; "
        "leave it out",
    ),
)
RESOLUTIONS: Mapping[str, int] = MappingProxyType({"1k": 1, "2k": 2})
"""How many times as wide and high as at 1k an image is."""
_SIZES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "1:1": (1024, 1024),
        "16:9": (1408, 768),
        "9:16": (768, 1408),
        "3:4": (896, 1280),
        "4:3": (1280, 896),
    }
)
_RESOLUTION = Parameter(
    name="resolution",
    kind="text",
    default="1k",
    choices=tuple(RESOLUTIONS),
    description="The size of the image; 2k is twice as wide and high, for the same price.",
)
_IMAGEN4 = (
    Parameter(
        name="prompt",
        kind="text",
        required=True,
        description="The text prompt describing what you want to see.",
    ),
    Parameter(
        name="negative_prompt",
        kind="text",
        description="What to discourage in the images.",
    ),
    Parameter(
        name="aspect_ratio",
        kind="text",
        default="1:1",
        choices=tuple(_SIZES),
        description="Width to height of the image.",
    ),
    Parameter(
        name="num_images",
        kind="integer",
        default=1,
        minimum=1,
        maximum=4,
        description="How many images one prediction makes.",
    ),
    Parameter(
        name="seed",
        kind="integer",
        minimum=-1,
        maximum=2_147_483_647,
        description="The random seed; -1 asks for a random one.",
    ),
)


def _imagen4(model_id: str, price_micros: int, *more: Parameter) -> Model:
    parameters = (*_IMAGEN4[:3], *more, *_IMAGEN4[3:])
    return Model(
        id=model_id,
        price_micros=price_micros,
        sizes=_SIZES,
        prompt_tokens=480,
        parameters=parameters,
    )


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.id: model
        for model in (
            _imagen4("wavespeed-ai/imagen4", 40_000),
            _imagen4("google/imagen4", 38_000, _RESOLUTION),
            _imagen4("google/imagen4-fast", 18_000),
            _imagen4("google/imagen4-ultra", 58_000, _RESOLUTION),
        )
    }
)


def find_model(model_id: str) -> Model:
    """The model called *model_id*; one that is not listed comes back without parameters."""
    return MODELS.get(model_id) or Model(id=model_id)


def refuse_model_id(model_id: str) -> str | None:
    """Say why *model_id* cannot name a model, or None when it can."""
    if not MODEL_ID.fullmatch(model_id) or len(model_id) > 200:
        return (
            "expected a model id such as wavespeed-ai/imagen4 (lower-case letters, digits, "
            f"'-', '_', '.' and '/'), got {describe(model_id)}{did_you_mean(model_id, MODELS)}"
        )
    if model_id.partition("/")[0] in RESERVED_OWNERS:
        return (
            f"expected a model id, got {describe(model_id)}, which is another endpoint of the API"
        )
    return None
