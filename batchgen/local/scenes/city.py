"""Blocks of houses with lit windows, layer before layer, above water or a street."""

import random

from PIL import ImageDraw

from batchgen.local.canvas import Canvas, down
from batchgen.local.palette import Colour, Palette, mix
from batchgen.local.scenes.shapes import reflect


def draw(canvas: Canvas, palette: Palette, chance: random.Random) -> None:
    """Paint from the sky forward; windows only where one could see them."""
    canvas.fill(down(*palette.sky))
    if palette.night:
        _stars(canvas, chance)
    centre = (canvas.width * chance.uniform(0.15, 0.85), canvas.height * chance.uniform(0.14, 0.4))
    radius = canvas.unit * chance.uniform(0.05, 0.1)
    canvas.glow(centre, radius * 7, palette.light, 0.45)
    canvas.disc(centre, radius, palette.light)
    water = canvas.height * chance.uniform(0.74, 0.82)
    haze = palette.sky[2]
    layers = 4
    for i in range(layers):
        share = i / (layers - 1)
        colour = mix(mix(palette.far, haze, 0.35), palette.near, share**0.9)
        tops = canvas.height * (0.34 + 0.085 * i)
        _block(canvas, palette, chance, (tops, water, share, colour))
        if i == 1:
            canvas.glow((canvas.width / 2, water), canvas.width * 0.6, haze, 0.4)
    reflect(canvas, water, mix(palette.near, palette.sky[1], 0.45), chance)
    canvas.vignette(mix(palette.near, (0, 0, 0), 0.6), 0.3)


def _stars(canvas: Canvas, chance: random.Random) -> None:
    pen = ImageDraw.Draw(canvas.image)
    for _ in range(140):
        x, y = chance.random() * canvas.width, chance.random() ** 1.5 * canvas.height * 0.6
        sky = canvas.image.getpixel((int(x), int(y)))
        assert isinstance(sky, tuple)
        shine = mix((sky[0], sky[1], sky[2]), (255, 250, 235), chance.uniform(0.2, 0.8))
        size = 1 if chance.random() < 0.85 else 2
        pen.rectangle((int(x), int(y), int(x) + size - 1, int(y) + size - 1), fill=shine)


def _block(
    canvas: Canvas,
    palette: Palette,
    chance: random.Random,
    look: tuple[float, float, float, Colour],
) -> None:
    tops, ground, share, colour = look
    x = -canvas.unit * chance.uniform(0, 0.1)
    while x < canvas.width:
        wide = canvas.unit * chance.uniform(0.06, 0.13) * (0.75 + 0.55 * share)
        tall = (ground - tops) * chance.triangular(0.35, 1.25, 0.7)
        shade = mix(colour, palette.accents[chance.randrange(6)], 0.10 + 0.10 * share)
        _house(canvas, palette, chance, ((x, ground - tall, x + wide, ground), shade, share))
        x += wide * chance.uniform(0.92, 1.2)


def _house(
    canvas: Canvas,
    palette: Palette,
    chance: random.Random,
    look: tuple[tuple[float, float, float, float], Colour, float],
) -> None:
    (left, top, right, ground), colour, share = look
    pen = ImageDraw.Draw(canvas.image)
    box = (round(left), round(top), round(right), round(ground))
    pen.rectangle(box, fill=colour)
    side = mix(colour, (0, 0, 0), 0.16)
    pen.rectangle((box[0] + round((right - left) * 0.72), box[1], box[2], box[3]), fill=side)
    _roof(canvas, chance, box, colour)
    if share > 0.2:
        lit = (0.55 if palette.night else 0.16) * (0.5 + share / 2)
        _windows(canvas, chance, (box, lit, share), (colour, palette.light))


def _roof(
    canvas: Canvas, chance: random.Random, box: tuple[int, int, int, int], colour: Colour
) -> None:
    left, top, right, _ = box
    wide, kind = right - left, chance.random()
    if kind < 0.25:
        inset, lift = wide * 0.18, wide * chance.uniform(0.15, 0.5)
        canvas.polygon(
            [
                (left + inset, top),
                (left + inset, top - lift),
                (right - inset, top - lift),
                (right - inset, top),
            ],
            colour,
        )
    elif kind < 0.45 and wide < canvas.unit * 0.11:
        peak = left + wide * chance.uniform(0.2, 0.8)
        canvas.polygon([(left, top + 1), (peak, top - wide * 0.4), (right, top + 1)], colour)
    elif kind < 0.7:
        mast = left + wide * chance.uniform(0.25, 0.75)
        canvas.line(
            [(mast, top), (mast, top - wide * chance.uniform(0.4, 1.0))],
            canvas.unit * 0.003,
            colour,
        )


def _windows(
    canvas: Canvas,
    chance: random.Random,
    look: tuple[tuple[int, int, int, int], float, float],
    colours: tuple[Colour, Colour],
) -> None:
    (left, top, right, ground), lit, share = look
    colour, light = colours
    pen = ImageDraw.Draw(canvas.image)
    size = max(3, round(canvas.unit * (0.004 + 0.0055 * share)))
    across, along = round(size * 2.1), round(size * 2.4)
    columns = max(1, (right - left - size) // across)
    start = left + (right - left - (columns - 1) * across - size) // 2
    dark = mix(colour, (0, 0, 0), 0.3)
    warm = [mix(colour, mix(light, (255, 190, 90), k), 0.45 + 0.5 * share) for k in (0.1, 0.4, 0.7)]
    for y in range(top + along, ground - size, along):
        for column in range(columns):
            x = start + column * across
            fill = chance.choice(warm) if chance.random() < lit else dark
            pen.rectangle((x, y, x + size - 1, y + round(size * 1.3)), fill=fill)
