"""Hills or peaks in haze under a low sun, sometimes above a lake."""

import random

from batchgen.local.canvas import Canvas, Point, down
from batchgen.local.palette import Colour, Palette, mix
from batchgen.local.scenes.shapes import birds, jagged, reflect, rolling


def draw(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Paint from the sky forward, each ridge darker and clearer than the one behind it."""
    lake, peaks = chance.random() < 0.4, chance.random() < 0.55
    horizon = canvas.height * (chance.uniform(0.5, 0.56) if lake else chance.uniform(0.4, 0.5))
    canvas.fill(down(*palette.sky))
    sun = (canvas.width * chance.uniform(0.18, 0.82), horizon * chance.uniform(0.42, 0.82))
    _sun(canvas, palette, sun, canvas.unit * chance.uniform(0.055, 0.1))
    _clouds(canvas, palette, chance, horizon)
    if lake:
        _ridges(canvas, palette, chance, (horizon, canvas.height * 0.66, peaks))
        reflect(canvas, canvas.height * 0.66, mix(palette.sky[1], palette.near, 0.35), chance)
        _shore(canvas, palette, chance)
    else:
        _ridges(canvas, palette, chance, (horizon, canvas.height, peaks))
    birds(canvas, chance, mix(palette.near, palette.sky[0], 0.15))
    canvas.vignette(mix(palette.near, (0, 0, 0), 0.5), 0.3)


def _sun(canvas: Canvas, palette: Palette, centre: Point, radius: float) -> None:
    canvas.glow(centre, radius * 9, palette.light, 0.5)
    canvas.glow(centre, radius * 3, palette.light, 0.6)
    canvas.disc(centre, radius, down(palette.light, mix(palette.light, palette.sky[2], 0.25)))


def _clouds(canvas: Canvas, palette: Palette, chance: random.Random, horizon: float) -> None:
    for _ in range(chance.randint(2, 5)):
        x, y = canvas.width * chance.random(), horizon * chance.uniform(0.15, 0.75)
        colour = mix(palette.sky[2], palette.light, 0.5)
        for _ in range(3):
            half = canvas.unit * chance.uniform(0.08, 0.24)
            dx, dy = canvas.unit * chance.gauss(0, 0.08), canvas.unit * chance.gauss(0, 0.008)
            thick = half * chance.uniform(0.025, 0.06)
            box = (x + dx - half, y + dy - thick, x + dx + half, y + dy + thick)
            canvas.ellipse(box, colour, 0.3)


def _ridges(
    canvas: Canvas, palette: Palette, chance: random.Random, span: tuple[float, float, bool]
) -> None:
    horizon, bottom, peaks = span
    count = chance.randint(4, 6)
    depth = bottom - horizon
    haze = mix(palette.sky[2], palette.far, 0.35)
    for i in range(count):
        share = i / (count - 1)
        base = horizon + depth * (share * 0.82) ** 1.15
        swing = canvas.unit * (0.26 - 0.19 * share if peaks else 0.11 - 0.06 * share)
        rough = peaks and share < 0.75
        heights = jagged(chance, 7, 0.52) if rough else rolling(chance, 90)
        outline = _outline(canvas, heights, base, swing)
        colour = mix(palette.far, palette.near, share**0.85)
        foot = min(bottom, base + swing + depth * 0.45)
        if share >= 0.75:
            _trees(canvas, chance, outline, (colour, 0.025 + 0.05 * share))
        canvas.polygon(
            [(0, foot), *outline, (canvas.width, foot)],
            down(colour, mix(colour, haze, 0.5 * (1 - share) + 0.06)),
        )


def _outline(canvas: Canvas, heights: list[float], base: float, swing: float) -> list[Point]:
    last = len(heights) - 1
    return [(canvas.width * i / last, base - swing * h) for i, h in enumerate(heights)]


def _trees(
    canvas: Canvas, chance: random.Random, outline: list[Point], look: tuple[Colour, float]
) -> None:
    colour, tall = look
    x = canvas.width * chance.uniform(-0.05, 0.1)
    while x < canvas.width:
        if chance.random() < 0.75:
            ground = outline[
                min(len(outline) - 1, max(0, round(x / canvas.width * (len(outline) - 1))))
            ][1]
            height = canvas.unit * tall * chance.uniform(0.5, 1.25)
            _conifer(canvas, (x, ground + height * 0.12), height, colour)
            x += height * chance.uniform(0.18, 0.5)
        else:
            x += canvas.unit * chance.uniform(0.04, 0.16)


def _conifer(canvas: Canvas, foot: Point, height: float, colour: Colour) -> None:
    x, y = foot
    left: list[Point] = []
    right: list[Point] = []
    for tier in range(4):
        low, half = height * (1 - tier * 0.23), height * 0.2 * (1 - tier * 0.2)
        left += [(x - half * 0.5, y - height + low - height * 0.05), (x - half, y - height + low)]
        right += [(x + half * 0.5, y - height + low - height * 0.05), (x + half, y - height + low)]
    left.sort(key=lambda p: -p[1])
    right.sort(key=lambda p: p[1])
    canvas.polygon([*left, (x, y - height), *right], colour)


def _shore(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """A dark bank in one of the lower corners, with reeds."""
    side = chance.choice((-1, 1))
    reach, rise = canvas.width * chance.uniform(0.5, 0.75), canvas.unit * chance.uniform(0.12, 0.17)
    corner = 0.0 if side > 0 else float(canvas.width)
    outline = []
    for k in range(41):
        t = k / 40
        height = rise * (1 - t) ** 1.6 + canvas.unit * 0.006 * chance.random()
        outline.append((corner + side * reach * t, canvas.height * 0.965 - height))
    colour = mix(palette.near, palette.ink, 0.5)
    for _ in range(chance.randint(14, 26)):
        x, y = outline[chance.randrange(28)]
        tall, lean = (
            canvas.unit * chance.uniform(0.03, 0.1),
            canvas.unit * chance.uniform(-0.02, 0.02),
        )
        canvas.line(
            [(x, y + 9), (x + lean * 0.3, y - tall * 0.6), (x + lean, y - tall)],
            canvas.unit * 0.0028,
            colour,
        )
    low = float(canvas.height)
    canvas.polygon([(corner, low), *outline, (corner + side * reach, low)], colour)
