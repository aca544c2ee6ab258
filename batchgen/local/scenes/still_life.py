"""Jars, bowls, bottles and fruit on a table in the light of a window."""

import math
import random
from collections.abc import Callable

from PIL import ImageDraw

from batchgen.local.canvas import Canvas, Fade, Point, down
from batchgen.local.palette import Colour, Palette, mix, oklch
from batchgen.local.scenes.shapes import leaf
from batchgen.local.scenes.vessels import KINDS, lathe, smooth

# Orange, lemon, green apple, red apple, plum.
_FRUIT = tuple(
    oklch(*lch)
    for lch in (
        (0.72, 0.16, 55),
        (0.86, 0.15, 98),
        (0.76, 0.15, 125),
        (0.55, 0.17, 25),
        (0.4, 0.1, 350),
    )
)


def draw(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Paint wall, table and light, then the things from the back to the front."""
    wall = mix(palette.paper, palette.accents[0], 0.42 if not palette.night else 0.5)
    if palette.night:
        wall = mix(wall, palette.near, 0.55)
    table = mix(palette.accents[1], palette.paper, 0.35)
    edge = canvas.height * chance.uniform(0.6, 0.68)
    canvas.fill(down(mix(wall, palette.ink, 0.16), wall, mix(wall, palette.light, 0.25)))
    canvas.band(
        edge, canvas.height, down(mix(table, palette.light, 0.25), mix(table, palette.ink, 0.3))
    )
    _window_light(canvas, palette, chance, edge)
    canvas.band(edge, edge + max(2, canvas.unit * 0.004), mix(table, palette.light, 0.5))
    for thing in _arrangement(canvas, chance, edge):
        _thing(canvas, palette, chance, thing)
    canvas.vignette(palette.ink, 0.28)


def _arrangement(
    canvas: Canvas, chance: random.Random, edge: float
) -> list[tuple[str, float, float, float]]:
    """Kind, centre x, foot y and size of each thing, back to front, without crowding."""
    room = min(canvas.width, canvas.unit * 1.5)
    count = 3 if canvas.width <= canvas.unit else chance.randint(4, 5)
    kinds = list(KINDS)
    chance.shuffle(kinds)
    left, step = canvas.width / 2 - room * 0.30, room * 0.60 / (count - 1)
    things = []
    for k, kind in enumerate(kinds[:count]):
        low = kind in {"bowl", "cup"}
        y = edge + canvas.unit * (chance.uniform(0.14, 0.2) if low else chance.uniform(0.05, 0.13))
        x = left + step * k + canvas.unit * chance.gauss(0, 0.015)
        things.append((kind, x, y, chance.uniform(0.9, 1.1)))
    for _ in range(chance.randint(2, 4)):
        x = canvas.width / 2 + room * chance.uniform(-0.4, 0.4)
        things.append(
            ("fruit", x, edge + canvas.unit * chance.uniform(0.16, 0.24), chance.uniform(0.8, 1.1))
        )
    return sorted(things, key=lambda thing: thing[2])


def _window_light(canvas: Canvas, palette: Palette, chance: random.Random, edge: float) -> None:
    x, y = canvas.width * chance.uniform(0.1, 0.45), edge * chance.uniform(0.1, 0.25)
    wide, tall, slant = canvas.unit * 0.19, edge * 0.34, canvas.unit * 0.1
    panes = []
    for row in range(2):
        for column in range(2):
            left, top = x + column * wide * 1.1 + row * slant * 1.05, y + row * tall * 1.07
            right, low = left + wide, top + tall
            panes.append([(left, top), (right, top), (right + slant, low), (left + slant, low)])

    def draw_all(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point]) -> None:
        for pane in panes:
            pen.polygon([place(p) for p in pane], fill=255)

    box = (x, y, x + wide * 2.1 + slant * 2.05, y + tall * 2.07)
    strength = 0.2 if palette.night else 0.34
    canvas.soft_shape(box, draw_all, canvas.unit * 0.006, (palette.light, strength))


def _thing(
    canvas: Canvas, palette: Palette, chance: random.Random, thing: tuple[str, float, float, float]
) -> None:
    kind, x, y, size = thing
    colour = chance.choice(palette.accents)
    if kind == "fruit":
        ripe = mix(chance.choice(_FRUIT), colour, 0.3)
        _fruit(canvas, palette, (x, y, canvas.unit * 0.052 * size), ripe)
        return
    tall, wide = (canvas.unit * share * size for share in (KINDS[kind].height, KINDS[kind].width))
    if KINDS[kind].twigs and chance.random() < 0.7:
        _twigs(canvas, palette, chance, (x, y - tall, tall))
    glaze = mix(chance.choice(palette.accents), palette.paper, 0.55)
    _vessel(
        canvas, palette, (kind, x, y, tall, wide / 2), (colour, glaze, chance.uniform(0.3, 0.7))
    )


def _vessel(
    canvas: Canvas,
    palette: Palette,
    form: tuple[str, float, float, float, float],
    look: tuple[Colour, Colour, float],
) -> None:
    kind, x, y, tall, half = form
    colour, glaze, dip = look
    _cast(canvas, palette, (x, y, half * KINDS[kind].profile[-1][1], tall))
    profile = smooth(KINDS[kind].profile)
    flat = 0.16  # how much the circles are flattened: the eye is a little above the table
    outline = lathe(profile, (x, y, tall, half), flat)
    canvas.polygon(outline, _round_shade(colour, palette))
    upper = [(t, r) for t, r in profile if t <= dip]
    if len(upper) > 2:
        canvas.polygon(lathe(upper, (x, y, tall, half), flat), _round_shade(glaze, palette))
    rim = half * profile[0][1]
    top = y - tall
    canvas.ellipse(
        (x - rim, top - rim * flat, x + rim, top + rim * flat), mix(glaze, (255, 255, 255), 0.3)
    )
    inner = rim * 0.88
    dark = mix(glaze, palette.ink, 0.65)
    canvas.ellipse(
        (x - inner, top - inner * flat, x + inner, top + inner * flat),
        down(dark, mix(dark, glaze, 0.5)),
    )
    shine = max((p for p in profile if p[0] > 0.3), key=lambda p: p[1])
    spot = (x - half * shine[1] * 0.48, y - tall * (1 - shine[0]) - tall * 0.03)
    canvas.glow(spot, half * 0.42, (255, 255, 255), 0.5)


def _round_shade(colour: Colour, palette: Palette) -> Fade:
    """Light from the left on something round."""
    return Fade(
        across=True,
        stops=[
            (0.0, mix(colour, palette.ink, 0.32)),
            (0.26, mix(colour, palette.light, 0.38)),
            (0.5, colour),
            (0.9, mix(colour, palette.ink, 0.55)),
            (1.0, mix(colour, palette.ink, 0.42)),
        ],
    )


def _cast(canvas: Canvas, palette: Palette, form: tuple[float, float, float, float]) -> None:
    x, y, half, tall = form
    long = half + tall * 0.42
    canvas.shadow(
        (x - half * 0.9, y - half * 0.2, x + long, y + half * 0.3),
        canvas.unit * 0.016,
        palette.ink,
        0.42,
    )
    canvas.shadow(
        (x - half, y - half * 0.12, x + half * 1.1, y + half * 0.24),
        canvas.unit * 0.006,
        palette.ink,
        0.5,
    )


def _fruit(
    canvas: Canvas, palette: Palette, form: tuple[float, float, float], colour: Colour
) -> None:
    x, y, radius = form
    _cast(canvas, palette, (x, y, radius * 0.7, radius * 1.6))
    centre = (x, y - radius * 0.86)
    box = (x - radius, centre[1] - radius * 0.94, x + radius, centre[1] + radius * 0.94)
    canvas.ellipse(
        box, down(mix(colour, palette.light, 0.25), colour, mix(colour, palette.ink, 0.5))
    )
    canvas.glow(
        (x - radius * 0.34, centre[1] - radius * 0.34),
        radius * 0.62,
        mix(colour, (255, 255, 255), 0.85),
        0.8,
    )
    top = (x + radius * 0.05, centre[1] - radius * 0.86)
    canvas.line(
        [top, (top[0] + radius * 0.14, top[1] - radius * 0.34)], canvas.unit * 0.004, palette.ink
    )


def _twigs(
    canvas: Canvas, palette: Palette, chance: random.Random, form: tuple[float, float, float]
) -> None:
    x, y, tall = form
    green = mix(palette.near, chance.choice(palette.accents), 0.5)
    for _ in range(chance.randint(3, 5)):
        lean, long = chance.uniform(-0.75, 0.75), tall * chance.uniform(0.6, 1.0)
        path = [
            (
                x + math.sin(lean) * long * t * (0.4 + 0.6 * t),
                y + tall * 0.05 - math.cos(lean) * long * t,
            )
            for t in (k / 10 for k in range(11))
        ]
        canvas.line(path, canvas.unit * 0.004, mix(green, palette.ink, 0.4))
        for k in range(3, 11):
            side = 1 if k % 2 else -1
            angle = -math.pi / 2 + lean * 0.8 + side * 0.8
            size = tall * 0.2 * chance.uniform(0.8, 1.1) * (1.15 - 0.05 * k)
            first, second = leaf(path[k], angle, size, size * 0.4)
            canvas.polygon(first, mix(green, palette.light, 0.15))
            canvas.polygon(second, mix(green, palette.ink, 0.12))
