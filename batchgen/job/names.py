"""File names of images: readable, safe on every file system and for dataset loaders.

A name is made from a fixed set of placeholders; nothing a server says becomes part of a path.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Protocol

from batchgen.job.models import find_model

DEFAULT_PATTERN = "{prompt_id}/{seed}_{aspect_ratio}_{key}_{index}"
KEY_DIGITS = 8
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_MAX_PART = 150  # characters between two slashes; file systems allow 255 bytes, endings included
_WIDTHS = (60, 30, 15, 8)  # characters a value may fill: fewer where the part would be too long
_MAX_KEY = 20
_WHOLE = frozenset({"key", "variant_key", "index"})  # never cut
_MAX_VALUE = 1_000  # characters of a value that are looked at
_RATIO = re.compile(r"(?<=\d):(?=\d)")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_ODD_IN_PART = re.compile(r"[^A-Za-z0-9._ -]+")

# Hugging Face's image folder guesses splits from these words between - . _ space digits and /,
# and then silently drops rows and metadata (datasets 5.2).
_SPLIT_WORD = re.compile(
    r"(?<![^-._ 0-9/])(training|train|validation|valid|dev|val|testing|test|evaluation|eval)"
    r"(?![^-._ 0-9/])"
)
# Windows keeps these names for devices, whatever the ending.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)


def refuse_pattern(pattern: str, known: set[str]) -> str | None:
    """Say what is wrong with a file-name pattern, or None when it is fine.

    *known* are the names of the parameters that variants of the job have.
    """
    allowed = known | {"prompt_id", "key", "variant_key", "index"}
    used = _PLACEHOLDER.findall(pattern)
    for name in used:
        if name not in allowed:
            return f"unknown placeholder {{{name}}}; there are {', '.join(sorted(allowed))}"
    if "index" not in used or not {"key", "variant_key"} & set(used):
        return "expected {key} and {index} in it, so that no two images share a name"
    literal = _PLACEHOLDER.sub("x", pattern)
    if not re.fullmatch(r"[A-Za-z0-9._/ -]+", literal):
        return "expected letters, digits, '.', '_', '-', '/' and placeholders"
    if any(part in ("", ".", "..") for part in literal.split("/")):
        return "expected a path below the dataset folder, without empty parts, '.' or '..'"
    if any(_least_width(part) > _MAX_PART for part in pattern.split("/")):
        return f"expected shorter parts: at most {_MAX_PART} characters between two slashes"
    return None


def refuse_caption(pattern: str, axes: set[str]) -> str | None:
    """Say which placeholder of a caption is no column of the manifest, or None.

    *axes* have a column each; what is the same for all variants has none.
    """
    known = axes | {"prompt", "prompt_id", "negative_prompt", "seed", "aspect_ratio"}
    for name in _PLACEHOLDER.findall(pattern):
        if name not in known:
            return f"unknown placeholder {{{name}}}; there are {', '.join(sorted(known))}"
    return None


def key_has_its_place(pattern: str, name: str) -> bool:
    """Whether equal names of images have equal keys: the key, called *name*, is found in them.

    It is when nothing but plain letters stands before it, or behind it, the index apart.
    """
    before, found, after = pattern.rpartition(f"{{{name}}}")
    end = re.fullmatch(r"[^{}]*([._ /-]\{index\}[^{}0-9]*)?", after)
    return bool(found) and ("{" not in before or end is not None)


def _least_width(part: str) -> int:
    kept = {"key": _MAX_KEY, "variant_key": _MAX_KEY, "index": 2}
    widths = (kept.get(name, _WIDTHS[-1]) for name in _PLACEHOLDER.findall(part))
    return len(_PLACEHOLDER.sub("", part)) + sum(widths)


def image_name(
    pattern: str, *, prompt_id: str, key: str, index: int, values: Mapping[str, object]
) -> str:
    """The path of an image inside the dataset, without its ending, such as ``images/a/7_1x1_…``.

    ``values`` are the parameters of the request, defaults filled in; one without a value leaves
    ``none``. *key* is used as far as it is given: the usual name has its first eight digits.
    """
    known = {**values, "prompt_id": prompt_id, "key": key, "index": index}
    known |= {f"key{digits}": key[:digits] for digits in range(1, 5)}
    used = {name: known.get(name) for name in _PLACEHOLDER.findall(pattern)}
    filled = {n: safe_part("none" if value is None else str(value)) for n, value in used.items()}
    parts = [_tidy(_fill(part, filled)) for part in pattern.split("/")]
    return _SPLIT_WORD.sub(r"\1x", "/".join(["images", *parts]))


class Asked(Protocol):
    """What images are made for: a variant, or its entry in the ledger."""

    @property
    def key(self) -> str:
        """Of the variant."""

    @property
    def prompt_id(self) -> str:
        """Of its prompt."""

    @property
    def model(self) -> str:
        """Its id."""

    @property
    def request(self) -> Mapping[str, object]:
        """The parameters that were set."""

    @property
    def labels(self) -> Mapping[str, object]:
        """What the axes that are no parameters have here."""


def name_of(pattern: str, asked: Asked, index: int, *, whole_key: bool = False) -> str:
    """The path of an image of *asked* without its ending; *whole_key* when it is taken."""
    return image_name(
        pattern,
        prompt_id=asked.prompt_id,
        key=asked.key if whole_key else asked.key[:KEY_DIGITS],
        index=index,
        values={
            **find_model(asked.model).with_defaults(asked.request),
            **asked.labels,
            "model": asked.model,
            "variant_key": asked.key,
        },
    )


def _fill(part: str, filled: Mapping[str, str]) -> str:
    """*part* with its values, cut so far that it fits; never the key and the index."""

    def fill(width: int) -> str:
        return _PLACEHOLDER.sub(
            lambda m: filled[m[1]][: _MAX_KEY if m[1] in _WHOLE else width],
            part,
        )

    fitting = (name for name in map(fill, _WIDTHS) if len(name) <= _MAX_PART)
    return next(fitting, None) or fill(_WIDTHS[-1])


def safe_part(text: str) -> str:
    """*text* in letters, digits, ``.``, ``_`` and ``-``; ``16:9`` becomes ``16x9``."""
    text = _RATIO.sub("x", text[:_MAX_VALUE])
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _ODD.sub("-", text).strip("-")[:60] or "x"


def safe_name(prompt_id: str) -> str:
    """The name that *prompt_id* has as a part of a path by itself."""
    return _SPLIT_WORD.sub(r"\1x", _tidy(safe_part(prompt_id)))


def _tidy(part: str) -> str:
    # The pattern of a repair comes from a ledger, which others may have edited.
    plain = _ODD_IN_PART.sub("-", part).strip(" .").lstrip("-. ")
    stem, dot, rest = (plain or "x").partition(".")
    stem = stem.rstrip()
    return f"{stem}x{dot}{rest}" if _DEVICE.fullmatch(stem) else f"{stem}{dot}{rest}"
