"""Concentric rings, quarter discs and small planets: geometry after the posters of the 1920s."""

import math
import random
from collections.abc import Callable

from PIL import ImageDraw

from batchgen.local.canvas import Canvas, Point, around, down
from batchgen.local.palette import Colour, Palette, mix


def draw(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Paint broad segments, then thin rings, then the planets on them."""
    ground = palette.sky[0] if palette.night else palette.paper
    line = palette.light if palette.night else palette.ink
    canvas.fill(down(mix(ground, palette.accents[0], 0.08), mix(ground, palette.accents[1], 0.2)))
    centre = (canvas.width * chance.uniform(0.3, 0.7), canvas.height * chance.uniform(0.36, 0.62))
    reach = math.hypot(canvas.width, canvas.height) * 0.5
    radii = [reach * (0.16 + 0.15 * k + chance.uniform(-0.02, 0.02)) for k in range(6)]
    _segments(canvas, palette, chance, (centre, radii))
    _rings(canvas, (centre, radii), mix(ground, line, 0.6))
    _sphere(canvas, centre, radii[0] * 0.62, palette.accents[2])
    for k, radius in enumerate(radii[1:], start=1):
        for _ in range(chance.randint(1, 2)):
            turn = chance.uniform(0, 6.28)
            spot = (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
            size = canvas.unit * chance.uniform(0.012, 0.05)
            _sphere(canvas, spot, size, palette.accents[(k + 2) % 6])
    canvas.vignette(palette.ink, 0.14)


def _segments(
    canvas: Canvas, palette: Palette, chance: random.Random, where: tuple[Point, list[float]]
) -> None:
    centre, radii = where
    for k in range(len(radii) - 1, 0, -1):
        start = 90 * chance.randrange(4) + chance.choice((0, 45))
        sweep = chance.choice((90, 90, 135, 180))
        colour = palette.accents[k % 6]
        _arc(canvas, (centre, radii[k - 1], radii[k]), (start, start + sweep), colour)


def _arc(
    canvas: Canvas,
    ring: tuple[Point, float, float],
    angles: tuple[float, float],
    colour: Colour,
) -> None:
    centre, inner, outer = ring
    steps = 60
    turns = [
        math.radians(angles[0] + (angles[1] - angles[0]) * i / steps) for i in range(steps + 1)
    ]
    edge = [(centre[0] + outer * math.cos(t), centre[1] + outer * math.sin(t)) for t in turns]
    back = [(centre[0] + inner * math.cos(t), centre[1] + inner * math.sin(t)) for t in turns]
    canvas.polygon(
        [*edge, *reversed(back)],
        down(mix(colour, (255, 255, 255), 0.12), mix(colour, (0, 0, 0), 0.08)),
        0.9,
    )


def _rings(canvas: Canvas, where: tuple[Point, list[float]], colour: Colour) -> None:
    centre, radii = where

    def draw_all(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point], scale: int) -> None:
        thin = max(1, round(canvas.unit * 0.0022 * scale))
        for radius in radii:
            box = around(centre, radius)
            pen.ellipse([place(box[:2]), place(box[2:])], outline=255, width=thin)
        for k in range(72):
            turn = math.radians(k * 5)
            near, far = radii[-1] * 0.985, radii[-1] * (1.015 if k % 6 else 1.035)
            ends = [
                (centre[0] + r * math.cos(turn), centre[1] + r * math.sin(turn))
                for r in (near, far)
            ]
            pen.line([place(p) for p in ends], fill=255, width=thin)

    canvas.shape((0, 0, canvas.width - 1, canvas.height - 1), draw_all, colour, 0.8)


def _sphere(canvas: Canvas, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    canvas.shadow(
        (x - radius * 0.9, y - radius * 0.7, x + radius * 1.1, y + radius * 1.3),
        max(4.0, radius * 0.25),
        (20, 15, 30),
        0.3,
    )
    canvas.disc(
        centre,
        radius,
        down(mix(colour, (255, 255, 255), 0.25), colour, mix(colour, (0, 0, 0), 0.35)),
    )
    shine = (x - radius * 0.3, y - radius * 0.38)
    canvas.glow(shine, radius * 0.6, mix(colour, (255, 255, 255), 0.85), 0.75)
