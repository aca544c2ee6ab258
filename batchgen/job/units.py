"""Durations and failure limits as people write them: ``6h``, ``1h30m``, ``20``, ``5%``."""

import re

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_UNITS = (86_400, 3_600, 60, 1)


def read_duration(text: str | int) -> float:
    """Seconds in *text*, such as ``6h``, ``90m``, ``1h30m`` or ``45`` (seconds).

    Raises ValueError, saying what was expected.
    """
    match = _DURATION.fullmatch(str(text).strip().lower())
    parts = match.groups() if match else ()
    seconds = sum(float(p) * unit for p, unit in zip(parts, _UNITS, strict=False) if p)
    if not match or seconds <= 0:
        raise ValueError(f"expected a duration such as 6h, 90m or 1h30m, got {text!r}")
    return seconds


def read_failures(planned: int, text: str | int) -> int:
    """How many of *planned* variants may fail by *text*, a count or a percentage.

    Raises ValueError, saying what was expected.
    """
    match = re.fullmatch(r"(\d{1,9})|(\d{1,3}(?:\.\d{1,6})?)%", str(text).strip())
    if not match or float(match[2] or 0) > 100:
        raise ValueError(f"expected a number of variants or a percentage, got {text!r}")
    return int(match[1]) if match[1] else int(planned * float(match[2]) / 100)
