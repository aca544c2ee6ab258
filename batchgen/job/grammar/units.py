"""Durations, limits, sizes and hours of the day: ``6h``, ``5%``, ``2GB``, ``22:00-6:00``."""

import re
from dataclasses import dataclass
from datetime import time

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_UNITS = (86_400, 3_600, 60, 1)
_DAY = 86_400
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?")
_ENGINE = re.compile(r"ray(?:://([a-zA-Z0-9._-]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}))?")
_POWERS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_WINDOW = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


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


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of every day, by the clock on the wall; it may go past midnight."""

    opens: time
    closes: time

    def __str__(self) -> str:
        """``22:00 and 06:00``."""
        return f"{self.opens:%H:%M} and {self.closes:%H:%M}"

    def seconds_left(self, now: time) -> float:
        """Seconds until it closes; 0 outside of it."""
        into = (_seconds(now) - _seconds(self.opens)) % _DAY
        length = (_seconds(self.closes) - _seconds(self.opens)) % _DAY
        return max(0.0, length - into)


def _seconds(at: time) -> float:
    return at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6


def read_window(text: str) -> Window:
    """The window *text*, such as ``22:00-06:00``. Raises ValueError, saying what was expected."""
    match = _WINDOW.fullmatch(text.strip())
    wrong = ValueError(f"expected a window such as 22:00-06:00, got {text!r}")
    if not match:
        raise wrong
    numbers = [int(part) for part in match.groups()]
    try:
        window = Window(opens=time(numbers[0], numbers[1]), closes=time(numbers[2], numbers[3]))
    except ValueError:
        raise wrong from None
    if window.opens == window.closes:
        raise wrong
    return window


def read_engine(text: str) -> str:
    """The address of the cluster in ``ray://HOST:PORT``; empty in ``ray``, for this machine.

    Raises ValueError, saying what was expected.
    """
    match = _ENGINE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"expected an engine of ray or ray://HOST:PORT, got {text!r}")
    return match[1] or ""


def read_size(text: str | int) -> int:
    """Bytes in *text*, such as ``2GB``, ``500 MB`` or ``0``; powers of ten.

    Raises ValueError, saying what was expected.
    """
    match = _SIZE.fullmatch(str(text).strip().lower())
    if not match or len(match[1]) > 15:
        raise ValueError(f"expected a size such as 500MB or 2GB, got {text!r}")
    return int(float(match[1]) * _POWERS[match[2]])
