"""The columns of the view: one type for each, and what stands for unknown in it.

Readers of JSON lines guess the type of a column from its first rows and then drop, round or refuse
what does not fit (datasets 5.2 does so block by block of 10 MB).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from batchgen.dataset.rows.manifest import columns

Kind = Literal["bool", "int", "float", "text"]
Value = bool | int | float | str

NEUTRAL: Mapping[Kind, Value] = {"bool": False, "int": -1, "float": -1.0, "text": ""}
"""What stands for unknown. A truth that is not always known is a text, so that none is guessed."""

# How an image came about differs from run to run; without it, the view of the same images is the
# same, byte for byte. The manifest has it, under the same variant_key and image_index.
_LEFT_OUT = frozenset(
    ("prediction_id", "created_at", "submitted_at", "completed_at", "saved_at", "queue_ms",
     "inference_ms", "total_ms", "polls", "attempts", "cost_usd")
)  # fmt: skip
_WHOLE = ("seed", "image_index", "width", "height", "bytes", "queue_ms", "inference_ms",
          "total_ms", "polls", "attempts")  # fmt: skip
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(columns(), "text"),
    **dict.fromkeys(_WHOLE, "int"),
    "cost_usd": "float",
}
_KIND_OF: Mapping[type, Kind | None] = {
    type(None): None, bool: "bool", int: "int", float: "float",
}  # fmt: skip
_MOST = 2**63 - 1  # a larger number loses its last digits in most readers
# Readers give these names a meaning of their own.
_TAKEN = frozenset(
    {"text", "flags", "image", "images", "file_names", "label", "__key__", "__url__"}
)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the view."""

    name: str
    source: str
    """Its name in the manifest."""
    kind: Kind


def view_columns(seen: Mapping[str, set[Kind | None]]) -> Iterator[Column]:
    for source, kinds in seen.items():
        if source in _LEFT_OUT:
            continue
        name = source
        if source in _TAKEN or source.endswith(("_file_name", "_file_names")):
            name = f"param_{source}"
        kind = _joined(kinds, _KINDS.get(source))
        if source == "prompt":  # what trainers look for first
            yield Column(name="text", source="prompt", kind="text")
        yield Column(name=name, source=source, kind=kind)
    yield Column(name="flags", source="", kind="text")


def kind_of_all(name: str, values: Iterable[object]) -> Kind:
    """The kind of a column *name* of the manifest with these values, where null stays null."""
    seen = {kind_of(value) for value in values} - {None}
    declared: Kind | None = "bool" if name == "nsfw" else _KINDS.get(name)
    return _joined(seen, declared)


def _joined(seen: set[Kind | None], declared: Kind | None) -> Kind:
    """The one kind for values of all kinds in *seen*, where None stands for an unknown value."""
    kinds = (seen | {declared}) - {None}
    if kinds == {"int", "float"}:
        return "float"
    if len(kinds) != 1 or (kinds == {"bool"} and None in seen):
        return "text"
    return kinds.pop() or "text"


def kind_of(value: object) -> Kind | None:
    if type(value) is int and abs(value) > _MOST:
        return "text"
    return _KIND_OF.get(type(value), "text")


def shown(value: object, kind: Kind) -> Value:
    if value is None:
        return NEUTRAL[kind]
    if kind == "float" and isinstance(value, int | float):
        return float(value)
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    assert isinstance(value, bool | int | float)
    return value
