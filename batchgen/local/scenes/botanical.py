"""Stems with leaves, berries and blossoms before a pale disc, as on an old print."""

import math
import random

from batchgen.local.canvas import Canvas, Point, down
from batchgen.local.palette import Colour, Palette, mix
from batchgen.local.scenes.shapes import leaf


def draw(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Paint pale stems first, then clear ones over them."""
    ground = palette.sky[0] if palette.night else palette.paper
    canvas.fill(
        down(
            mix(ground, (255, 255, 255), 0.12 if not palette.night else 0.02),
            mix(ground, palette.accents[0], 0.10),
        )
    )
    centre = (canvas.width * chance.uniform(0.35, 0.65), canvas.height * chance.uniform(0.34, 0.5))
    radius = canvas.unit * chance.uniform(0.27, 0.36)
    disc = mix(ground, palette.accents[1], 0.75)
    canvas.disc(centre, radius, down(disc, mix(disc, ground, 0.45)))
    count = chance.randint(4, 6)
    order = list(range(count))
    chance.shuffle(order)
    for rank, slot in enumerate(order):
        depth = rank / (count - 1)
        x = canvas.width * ((slot + 0.5) / count * 0.86 + 0.07) + canvas.unit * chance.gauss(
            0, 0.02
        )
        full = palette.accents[(rank + 2) % 6]
        if palette.night:
            full = mix(full, palette.light, 0.3)
        colour = mix(ground, full, 0.4 + 0.6 * depth)
        _stem(canvas, chance, (x, depth), (colour, palette.accents[(rank + 4) % 6], ground))
    canvas.vignette(palette.ink, 0.14)


def _stem(
    canvas: Canvas,
    chance: random.Random,
    place: tuple[float, float],
    colours: tuple[Colour, Colour, Colour],
) -> None:
    x, depth = place
    colour, accent, ground = colours
    height = canvas.height * chance.uniform(0.55, 0.88) * (1 - 0.25 * depth)
    lean = canvas.unit * chance.uniform(-0.16, 0.16)
    bow = canvas.unit * chance.uniform(-0.06, 0.06)
    foot = canvas.height * 1.02

    def at(t: float) -> Point:
        return x + lean * t * t + bow * math.sin(math.pi * t), foot - height * t

    stalk = mix(colour, (0, 0, 0), 0.22)
    canvas.line([at(i / 24) for i in range(25)], canvas.unit * 0.006, stalk)
    pairs, wide = chance.randint(5, 8), chance.uniform(0.26, 0.5)
    spread, berries = chance.uniform(0.55, 1.0), chance.random() < 0.35
    for k in range(pairs):
        t = 0.2 + 0.75 * k / pairs
        long = canvas.unit * 0.19 * (1 - 0.55 * t) * chance.uniform(0.9, 1.1)
        for side in (-1, 1):
            angle = -math.pi / 2 + side * (spread + chance.uniform(-0.12, 0.12))
            if berries and k % 2:
                _berry(canvas, at(t), (angle, long * 0.62), (stalk, accent))
            else:
                _leaf(canvas, at(t), (angle, long, wide), (colour, ground))
    _top(canvas, chance, at(1.0), (colour, accent, stalk))


def _leaf(
    canvas: Canvas, base: Point, form: tuple[float, float, float], colours: tuple[Colour, Colour]
) -> None:
    angle, long, wide = form
    colour, ground = colours
    first, second = leaf(base, angle, long, long * wide)
    canvas.polygon(first, mix(colour, ground, 0.16))
    canvas.polygon(second, mix(colour, (0, 0, 0), 0.12))


def _berry(
    canvas: Canvas, base: Point, form: tuple[float, float], colours: tuple[Colour, Colour]
) -> None:
    angle, long = form
    tip = (base[0] + long * math.cos(angle), base[1] + long * math.sin(angle))
    canvas.line([base, tip], canvas.unit * 0.003, colours[0])
    radius = canvas.unit * 0.016
    canvas.disc(
        tip, radius, down(mix(colours[1], (255, 255, 255), 0.2), mix(colours[1], (0, 0, 0), 0.2))
    )
    canvas.disc(
        (tip[0] - radius * 0.3, tip[1] - radius * 0.35), radius * 0.25, (255, 255, 255), 0.6
    )


def _top(
    canvas: Canvas, chance: random.Random, tip: Point, colours: tuple[Colour, Colour, Colour]
) -> None:
    colour, accent, stalk = colours
    if chance.random() < 0.45:
        canvas_leaf = (-math.pi / 2, canvas.unit * 0.12, 0.4)
        _leaf(canvas, (tip[0], tip[1] + canvas.unit * 0.01), canvas_leaf, (colour, accent))
        return
    petals, long = chance.randint(6, 11), canvas.unit * chance.uniform(0.05, 0.08)
    turn = chance.uniform(0, 6.28)
    for k in range(petals):
        first, second = leaf(tip, turn + 2 * math.pi * k / petals, long, long * 0.55)
        canvas.polygon(first, mix(accent, (255, 255, 255), 0.25))
        canvas.polygon(second, mix(accent, (255, 255, 255), 0.08))
    canvas.disc(tip, long * 0.24, stalk)
    canvas.disc(tip, long * 0.15, mix(colour, (255, 235, 160), 0.7))
