"""The service's list of models: which there are, what each accepts, what it costs to begin with.

Pure functions, as in ``wire``. The list is long (a thousand models, some megabytes) and written by
many hands: what of a model cannot be read is taken as not told, never as a limit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.api.account import read_number
from batchgen.api.wire import PREFIX, WireError, decode
from batchgen.job.models import MODEL_ID

MAX_CATALOG_BYTES = 16 * 1024 * 1024
MAX_MODELS = 10_000
MAX_PARAMETERS = 200
MAX_CHOICES = 1_000
MAX_WORD = 200  # characters of an id, a name or a value

Scalar = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class CatalogParameter:
    """One parameter of a model, as far as the catalog tells of it."""

    name: str
    kind: str | None = None
    """A type of JSON Schema: string, integer, number, boolean, array, object."""
    choices: tuple[Scalar, ...] = ()
    """The values it accepts; empty when they are not listed."""
    minimum: float | None = None
    maximum: float | None = None
    default: Scalar | None = None
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """One model of the catalog."""

    id: str
    base_price: float | None
    """US dollars; what a request costs may be a multiple of it."""
    parameters: Mapping[str, CatalogParameter]
    """By name; empty when the catalog does not tell them."""


def catalog_path() -> str:
    """Path of the GET that lists all models."""
    return f"{PREFIX}/models"


def read_catalog(body: bytes) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a catalog by the ids of their models, still as the service wrote them.

    Raises WireError when the answer is no list of models, or one of more than 10,000. An entry
    without a usable id is left out; of two with one id the first counts.
    """
    answer = decode(body, MAX_CATALOG_BYTES)
    if not isinstance(answer, dict) or answer.get("code", 200) != 200:
        raise WireError("the answer is no list of models")
    entries = answer.get("data")
    if not isinstance(entries, list) or len(entries) > MAX_MODELS:
        raise WireError(f"the answer has no list of at most {MAX_MODELS:,} models")
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        name = entry.get("model_id") if isinstance(entry, dict) else None
        if isinstance(name, str) and len(name) <= MAX_WORD and MODEL_ID.fullmatch(name):
            found.setdefault(name, entry)
    if not found:
        raise WireError("the list holds no model")
    return found


def read_model(model_id: str, entry: Mapping[str, Any]) -> CatalogModel:
    """Read one *entry* of a catalog. Never raises: what is odd in it is not told."""
    return CatalogModel(
        id=model_id,
        base_price=read_number(entry, "base_price"),
        parameters=_parameters(_schema(entry.get("api_schema"))),
    )


def _schema(value: object) -> Mapping[str, Any]:
    schemas = value.get("api_schemas") if isinstance(value, dict) else None
    first = schemas[0] if isinstance(schemas, list) and schemas else None
    found = first.get("request_schema") if isinstance(first, dict) else None
    return found if isinstance(found, dict) else {}


def _parameters(schema: Mapping[str, Any]) -> dict[str, CatalogParameter]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or len(properties) > MAX_PARAMETERS:
        return {}
    needed = required if isinstance(required, list) else []
    return {
        name: _parameter(name, told if isinstance(told, dict) else {}, required=name in needed)
        for name, told in properties.items()
        if len(name) <= MAX_WORD
    }


def _parameter(name: str, told: Mapping[str, Any], *, required: bool) -> CatalogParameter:
    kind = told.get("type")
    return CatalogParameter(
        name=name,
        kind=kind if isinstance(kind, str) else None,
        choices=_choices(told.get("enum")),
        minimum=_bound(told.get("minimum")),
        maximum=_bound(told.get("maximum")),
        default=told.get("default") if _scalar(told.get("default")) else None,
        required=required,
    )


def _choices(value: object) -> tuple[Scalar, ...]:
    items = value if isinstance(value, list) and len(value) <= MAX_CHOICES else []
    # A list with one odd item in it would refuse what that item stands for.
    return tuple(items) if all(map(_scalar, items)) else ()


def _bound(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _scalar(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_WORD
    return isinstance(value, bool) or _bound(value) is not None
