"""File names of images: readable, safe on every file system and for dataset loaders.

A name is made from a fixed set of placeholders; nothing a server says becomes part of a path.
"""

import re
import unicodedata
from collections.abc import Mapping

DEFAULT_PATTERN = "{prompt_id}/{seed}_{aspect_ratio}_{key}_{index}"
KEY_DIGITS = 8
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_MAX_PART = 100  # characters between two slashes; file systems allow 255 bytes

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
    allowed = known | {"prompt_id", "key", "index"}
    used = _PLACEHOLDER.findall(pattern)
    for name in used:
        if name not in allowed:
            return f"unknown placeholder {{{name}}}; there are {', '.join(sorted(allowed))}"
    if not {"key", "index"} <= set(used):
        return "expected {key} and {index} in it, so that no two images share a name"
    literal = _PLACEHOLDER.sub("x", pattern)
    if not re.fullmatch(r"[A-Za-z0-9._/ -]+", literal):
        return "expected letters, digits, '.', '_', '-', '/' and placeholders"
    if any(part in ("", ".", "..") for part in literal.split("/")):
        return "expected a path below the dataset folder, without empty parts, '.' or '..'"
    return None


def image_name(
    pattern: str, *, prompt_id: str, key: str, index: int, values: Mapping[str, object]
) -> str:
    """The path of an image inside the dataset, without its ending, such as ``images/a/7_1x1_…``.

    ``values`` are the parameters of the request, defaults filled in; one without a value leaves
    ``none``. *key* is used as far as it is given: the usual name has its first eight digits.
    """
    known = {**values, "prompt_id": prompt_id, "key": key, "index": index}

    def fill(match: re.Match[str]) -> str:
        return safe_part(str(known.get(match[1]) if known.get(match[1]) is not None else "none"))

    parts = [_tidy(_PLACEHOLDER.sub(fill, part)) for part in pattern.split("/")]
    return _SPLIT_WORD.sub(r"\1x", "/".join(["images", *parts]))


def safe_part(text: str) -> str:
    """*text* in letters, digits, ``.``, ``_`` and ``-``; ``16:9`` becomes ``16x9``."""
    text = re.sub(r"(?<=\d):(?=\d)", "x", text)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-")[:60] or "x"


def _tidy(part: str) -> str:
    part = part.strip(" .")[:_MAX_PART] or "x"
    return f"{part}x" if _DEVICE.fullmatch(part.partition(".")[0]) else part
