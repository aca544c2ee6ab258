"""Outlines that several scenes use."""

import math
import random
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image

from batchgen.local.canvas import Canvas, Point
from batchgen.local.palette import Colour, mix


def jagged(chance: random.Random, steps: int, roughness: float) -> list[float]:
    """Heights around 0 of a mountain ridge, 2**steps + 1 of them, by midpoint displacement."""
    heights = [chance.uniform(-0.4, 0.4), chance.uniform(-0.4, 0.4)]
    reach = 1.0
    for _ in range(steps):
        finer = [heights[0]]
        for left, right in pairwise(heights):
            finer += [(left + right) / 2 + chance.uniform(-reach, reach) / 2, right]
        heights, reach = finer, reach * roughness
    return heights


def rolling(chance: random.Random, count: int) -> list[float]:
    """*count* heights around 0 of soft hills: a few waves added."""
    waves = [(chance.uniform(0.6, 3.2), chance.uniform(0, 6.28), 1 / (k + 1)) for k in range(3)]
    return [
        sum(a * math.sin(f * 6.28 * i / (count - 1) + p) for f, p, a in waves) * 0.55
        for i in range(count)
    ]


def leaf(base: Point, angle: float, length: float, width: float) -> tuple[list[Point], list[Point]]:
    """The two halves of a leaf that grows from *base* at *angle* (radians)."""
    ahead, aside = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    steps = 10

    def at(along: float, side: float) -> Point:
        bend = 0.10 * length * math.sin(along * math.pi * 0.9)  # the midrib is not straight
        reach = side * width / 2 + bend
        x = base[0] + ahead[0] * length * along + aside[0] * reach
        return x, base[1] + ahead[1] * length * along + aside[1] * reach

    rib = [at(i / steps, 0) for i in range(steps + 1)]
    halves = []
    for side in (1, -1):
        bulge = [math.sin(math.pi * (i / steps) ** 0.8) ** 0.9 for i in range(1, steps)]
        edge = [at((i + 1) / steps, side * b) for i, b in enumerate(bulge)]
        halves.append([*rib, *reversed(edge)])
    return halves[0], halves[1]


def blob(
    centre: Point, radius: tuple[float, float], waves: Sequence[tuple[int, float, float]]
) -> list[Point]:
    """A closed organic outline: an ellipse with (count, phase, share of the radius) waves on it."""
    points = []
    for i in range(160):
        turn = 2 * math.pi * i / 160
        swell = 1 + sum(share * math.sin(count * turn + phase) for count, phase, share in waves)
        points.append(
            (
                centre[0] + radius[0] * swell * math.cos(turn),
                centre[1] + radius[1] * swell * math.sin(turn),
            )
        )
    return points


def reflect(canvas: Canvas, level: float, tint: Colour, chance: random.Random) -> None:
    """Turn everything below *level* into water that mirrors what is above."""
    top = round(level)
    rows = canvas.height - top
    taken = min(top, round(rows * 1.25))
    mirror = canvas.image.crop((0, top - taken, canvas.width, top))
    mirror = mirror.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((canvas.width, rows))
    mirror = Image.blend(mirror, Image.new("RGB", mirror.size, tint), 0.42)
    canvas.image.paste(mirror, (0, top))
    for _ in range(26):
        depth = chance.random() ** 1.6
        y = top + depth * rows
        x, half = chance.uniform(0, canvas.width), canvas.unit * chance.uniform(0.02, 0.13)
        thick = 1 + 3.5 * depth
        light = mix(tint, (255, 255, 255), 0.45)
        canvas.ellipse((x - half, y - thick, x + half, y + thick), light, 0.22)


def birds(canvas: Canvas, chance: random.Random, colour: Colour) -> None:
    """A few birds, far away."""
    x, y = canvas.width * chance.uniform(0.2, 0.7), canvas.height * chance.uniform(0.12, 0.3)
    for _ in range(chance.randint(3, 7)):
        span = canvas.unit * chance.uniform(0.008, 0.016)
        bx, by = x + canvas.unit * chance.gauss(0, 0.06), y + canvas.unit * chance.gauss(0, 0.03)
        wing = [(bx - span, by - span * 0.5), (bx - span * 0.4, by - span * 0.55), (bx, by)]
        other = [(bx + span * 0.4, by - span * 0.55), (bx + span, by - span * 0.5)]
        canvas.line([*wing, *other], canvas.unit * 0.0022, colour)
