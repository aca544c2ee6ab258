"""Plain values: what is a number, true, false, nothing or text by the YAML 1.2 core rules."""

import math
import re

MAX_DIGITS = 19  # 2**63 has 19; a number of thousands of digits makes int() raise
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(text: str) -> str | int | float | bool | None:
    """Read an unquoted scalar by the YAML 1.2 core rules; ``16:9``, ``no``, dates stay text.

    Numbers are decimal and finite: ``0x10``, ``0o7``, ``.inf`` and ``1e999`` stay text too.
    """
    for pattern, value in ((_NULL, None), (_TRUE, True), (_FALSE, False)):
        if pattern.fullmatch(text):
            return value
    if INT.fullmatch(text):
        return int(text) if len(text.lstrip("+-")) <= MAX_DIGITS else text
    if _FLOAT.fullmatch(text) and len(text) <= 40 and math.isfinite(float(text)):
        return float(text)
    return text
