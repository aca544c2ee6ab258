"""Vessels as a potter sees them: a profile that turns around an axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from batchgen.local.canvas import Point


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A thrown or blown vessel."""

    profile: Sequence[Point]
    """From the rim down: (share of the height, share of the half width)."""
    height: float
    width: float
    """Both as shares of the canvas unit."""
    twigs: bool = False
    """Whether something may stand in it."""


KINDS = {
    "vase": Kind(
        profile=(
            (0, 0.42), (0.06, 0.36), (0.2, 0.34), (0.45, 0.86), (0.62, 1), (0.82, 0.86), (1, 0.5),
        ),
        height=0.4, width=0.25, twigs=True,
    ),
    "bottle": Kind(
        profile=(
            (0, 0.26), (0.04, 0.3), (0.08, 0.24), (0.34, 0.25),
            (0.48, 0.86), (0.56, 1), (0.94, 1), (1, 0.92),
        ),
        height=0.5, width=0.16,
    ),
    "bowl": Kind(
        profile=((0, 1), (0.12, 0.99), (0.45, 0.88), (0.75, 0.6), (0.9, 0.42), (1, 0.44)),
        height=0.15, width=0.34,
    ),
    "jar": Kind(
        profile=(
            (0, 0.7), (0.08, 0.72), (0.12, 0.66), (0.2, 0.9), (0.32, 1), (0.85, 0.98), (1, 0.82),
        ),
        height=0.27, width=0.24,
    ),
    "cup": Kind(profile=((0, 1), (0.5, 0.94), (0.85, 0.8), (1, 0.6)), height=0.15, width=0.17),
    "jug": Kind(
        profile=(
            (0, 0.56), (0.1, 0.5), (0.28, 0.52), (0.55, 0.92), (0.75, 1), (0.92, 0.86), (1, 0.7),
        ),
        height=0.33, width=0.24, twigs=True,
    ),
}  # fmt: skip


def smooth(profile: Sequence[Point]) -> list[Point]:
    """Five times the points, on a Catmull-Rom curve through those given."""
    padded = [profile[0], *profile, profile[-1]]
    found = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(5):
            t = step / 5
            r = 0.5 * (
                2 * b[1]
                + (c[1] - a[1]) * t
                + (2 * a[1] - 5 * b[1] + 4 * c[1] - d[1]) * t * t
                + (3 * b[1] - a[1] - 3 * c[1] + d[1]) * t**3
            )
            found.append((b[0] + (c[0] - b[0]) * t, r))
    return [*found, profile[-1]]


def lathe(
    profile: Sequence[Point], form: tuple[float, float, float, float], flat: float
) -> list[Point]:
    """The outline of a profile turned around.

    *form* is the axis' x, the foot's y, the height and the largest half width, in pixels; *flat*
    is how much a circle seen from the side is flattened.
    """
    x, y, tall, half = form
    right = [(x + half * r, y - tall * (1 - t)) for t, r in profile]
    left = [(x - half * r, y - tall * (1 - t)) for t, r in reversed(profile)]
    last_t, last_r = profile[-1]
    low = y - tall * (1 - last_t)
    foot = [
        (x + half * last_r * math.cos(a), low + half * last_r * flat * math.sin(a))
        for a in (math.pi * k / 14 for k in range(1, 14))
    ]
    return [*right, *foot, *left]
