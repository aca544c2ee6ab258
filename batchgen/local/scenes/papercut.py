"""Layers of cut paper with soft shadows between them: a tunnel, or waves under a disc."""

import math
import random
from collections.abc import Callable, Sequence

from PIL import ImageDraw

from batchgen.local.canvas import Box, Canvas, Point, around, down
from batchgen.local.palette import Colour, Palette, mix, oklch
from batchgen.local.scenes.shapes import blob

LAYERS = 6  # an even number


def draw(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Lay the sheets from the back to the front."""
    middle = palette.accents[0]
    light = mix(palette.paper, palette.accents[1], 0.3)
    # Through one full colour: a direct mix of two opposite ones would be grey half-way.
    dark = mix(middle, palette.ink, 0.7)
    half = LAYERS // 2
    colours = [mix(light, middle, i / half) for i in range(half)]
    colours += [mix(middle, dark, i / (half - 1)) for i in range(half)]
    if palette.night:
        colours.reverse()
    if chance.random() < 0.5:
        _tunnel(canvas, palette, chance, colours)
    else:
        _waves(canvas, palette, chance, colours)


def _tunnel(
    canvas: Canvas, palette: Palette, chance: random.Random, colours: Sequence[Colour]
) -> None:
    back = mix(palette.sky[2], palette.light, 0.4)
    canvas.fill(down(mix(palette.sky[1], back, 0.5), back))
    centre = (canvas.width * chance.uniform(0.38, 0.62), canvas.height * chance.uniform(0.4, 0.56))
    canvas.glow(centre, canvas.unit * 0.5, palette.light, 0.7)
    canvas.disc(centre, canvas.unit * chance.uniform(0.07, 0.12), palette.accents[2])
    waves = [(n, chance.uniform(0, 6.28), chance.uniform(0.04, 0.13)) for n in (2, 3, 5, 7)]
    holes = []
    for i in range(LAYERS):
        reach = 0.2 + 0.62 * ((i + 1) / LAYERS) ** 1.15
        turned = [(n, p + i * 0.34, share * (1 - 0.06 * i)) for n, p, share in waves]
        shift = canvas.unit * 0.012 * i
        middle = (centre[0] + shift * math.cos(i), centre[1] + shift * math.sin(i))
        half = (canvas.width * reach * 0.62, canvas.height * reach * 0.62)
        holes.append(blob(middle, half, turned))
    # A sheet shows only inside the hole of the next one.
    seen = [*(_bounds(hole, canvas.unit * 0.03) for hole in holes[1:]), _everything(canvas)]
    for hole, colour, box in zip(holes, colours, seen, strict=True):
        _sheet(canvas, hole, (colour, box), cut_out=True)


def _waves(
    canvas: Canvas, palette: Palette, chance: random.Random, colours: Sequence[Colour]
) -> None:
    canvas.fill(down(*palette.sky))
    centre = (canvas.width * chance.uniform(0.25, 0.75), canvas.height * chance.uniform(0.2, 0.34))
    canvas.glow(centre, canvas.unit * 0.55, palette.light, 0.5)
    radius = canvas.unit * chance.uniform(0.12, 0.17)
    below = (centre[0], centre[1] + radius * 0.06)
    canvas.shadow(around(below, radius), canvas.unit * 0.012, (20, 15, 30), 0.35)
    canvas.disc(centre, radius, palette.light if palette.night else palette.accents[2])
    edges = [_wave(canvas, chance, canvas.height * (0.42 + 0.095 * i)) for i in range(LAYERS)]
    # A sheet shows only above the lowest point of the next one's edge.
    feet = [*(_bounds(edge, canvas.unit * 0.03)[3] for edge in edges[1:]), canvas.height + 60.0]
    for edge, colour, foot in zip(edges, colours, feet, strict=True):
        top = min(y for _, y in edge) - 2
        box = (0.0, top, float(canvas.width - 1), min(foot, canvas.height - 1.0))
        _sheet(canvas, edge, (colour, box), cut_out=False)


def _wave(canvas: Canvas, chance: random.Random, base: float) -> list[Point]:
    count, phase = chance.uniform(1.2, 2.6), chance.uniform(0, 6.28)
    swing = canvas.unit * chance.uniform(0.035, 0.065)
    edge = []
    for k in range(81):
        turn = count * 6.28 * k / 80 + phase
        lift = math.sin(turn) + 0.35 * math.sin(2.1 * turn + phase)
        edge.append((canvas.width * k / 80, base - swing * lift))
    return edge


def _bounds(points: Sequence[Point], margin: float) -> Box:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)


def _everything(canvas: Canvas) -> Box:
    return (0.0, 0.0, float(canvas.width - 1), float(canvas.height - 1))


def _sheet(
    canvas: Canvas, edge: Sequence[Point], look: tuple[Colour, Box], *, cut_out: bool
) -> None:
    """One sheet with its shadow, painted inside a box.

    *edge* goes around a hole when *cut_out*, else from the left to the right, the sheet below it.
    """
    colour, box = look
    out, low = 60.0, box[3] + 60.0  # beyond the picture
    below = [(-out, low), (-out, edge[0][1]), *edge, (canvas.width + out, edge[-1][1])]
    outline = edge if cut_out else [*below, (canvas.width + out, low)]
    drop = canvas.unit * 0.012

    def paper(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point]) -> None:
        if cut_out:
            far = 4.0 * canvas.width
            pen.rectangle([place((-far, -far)), place((far, far))], fill=255)
        pen.polygon([place(p) for p in outline], fill=0 if cut_out else 255)

    def lower(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point]) -> None:
        paper(pen, lambda p: place((p[0] + drop * 0.4, p[1] + (drop if cut_out else -drop * 0.6))))

    shade = mix(colour, oklch(0.15, 0.03, 280), 0.8)
    # The shadow is seen where the sheet is not: inside the hole, or just above the edge.
    canvas.soft_shape(_bounds(edge, 0), lower, canvas.unit * 0.016, (shade, 0.55))
    canvas.shape(box, lambda pen, place, _: paper(pen, place), colour, 1.0)
