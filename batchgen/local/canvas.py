"""Drawing with smooth edges: shapes are masks drawn larger, made smaller, and painted through."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFilter

from batchgen.local.palette import Colour

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, kw_only=True)
class Fade:
    """A gradient across a shape's box: places from 0 to 1 with their colours, in order."""

    stops: Sequence[tuple[float, Colour]]
    across: bool = False
    """From left to right instead of from the top down."""


Paint = Colour | Fade

# Value of Pillow's radial gradient in the middle of an edge; it reaches 255 in the corners.
_EDGE = 181


def down(*colours: Colour) -> Fade:
    """*colours* evenly spread from the top down."""
    return Fade(stops=[(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)])


class Canvas:
    """An RGB picture under construction; coordinates are pixels, (0, 0) at the top left."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Start with black."""
        self.image = Image.new("RGB", size)
        self.width, self.height = size
        self.unit = min(size)
        """The shorter side: what the sizes of things are measured in."""

    def fill(self, paint: Paint) -> None:
        """Cover everything."""
        self.image.paste(_painted(paint, self.image.size))

    def band(self, top: float, bottom: float, paint: Paint) -> None:
        """Cover the full width from *top* to *bottom*."""
        rows = round(bottom) - round(top)
        if rows > 0:
            self.image.paste(_painted(paint, (self.width, rows)), (0, round(top)))

    def polygon(self, points: Sequence[Point], paint: Paint, opacity: float = 1.0) -> None:
        """Fill a closed outline."""
        xs, ys = [x for x, _ in points], [y for _, y in points]

        def draw(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point], _: int) -> None:
            pen.polygon([place(p) for p in points], fill=255)

        self.shape((min(xs), min(ys), max(xs), max(ys)), draw, paint, opacity)

    def ellipse(self, box: Box, paint: Paint, opacity: float = 1.0) -> None:
        """Fill the ellipse inside *box*."""

        def draw(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point], _: int) -> None:
            pen.ellipse([place(box[:2]), place(box[2:])], fill=255)

        self.shape(box, draw, paint, opacity)

    def disc(self, centre: Point, radius: float, paint: Paint, opacity: float = 1.0) -> None:
        """Fill a circle."""
        self.ellipse(around(centre, radius), paint, opacity)

    def line(self, points: Sequence[Point], width: float, paint: Paint) -> None:
        """Draw an open line, *width* pixels wide (fractions count)."""
        xs, ys = [x for x, _ in points], [y for _, y in points]

        def draw(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point], scale: int) -> None:
            pen.line([place(p) for p in points], 255, max(1, round(width * scale)), "curve")

        box = (min(xs) - width, min(ys) - width, max(xs) + width, max(ys) + width)
        self.shape(box, draw, paint, 1.0)

    def shape(
        self,
        box: Box,
        draw: Callable[[ImageDraw.ImageDraw, Callable[[Point], Point], int], None],
        paint: Paint,
        opacity: float,
    ) -> None:
        """Let *draw* make a mask inside *box* and paint through it.

        *draw* gets a pen, a function from canvas to mask coordinates, and the enlargement.
        """
        left, top = math.floor(box[0]), math.floor(box[1])
        right, bottom = math.ceil(box[2]) + 1, math.ceil(box[3]) + 1
        cut = (max(0, left), max(0, top), min(self.width, right), min(self.height, bottom))
        columns, rows = cut[2] - cut[0], cut[3] - cut[1]
        if columns <= 0 or rows <= 0:
            return
        # 4x4 samples for small things, where every pixel of the edge shows; 2x2 for large ones.
        scale = 4 if columns * rows < 60_000 else 2
        mask = Image.new("L", (columns * scale, rows * scale))
        draw(
            ImageDraw.Draw(mask),
            lambda p: ((p[0] - cut[0]) * scale, (p[1] - cut[1]) * scale),
            scale,
        )
        mask = mask.reduce(scale)
        if opacity < 1:
            mask = mask.point([round(v * opacity) for v in range(256)])
        colours = _painted(paint, (right - left, bottom - top))
        if cut != (left, top, right, bottom):
            colours = colours.crop((cut[0] - left, cut[1] - top, cut[2] - left, cut[3] - top))
        self.image.paste(colours, cut[:2], mask)

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        """Light that fades out: *strength* (0 to 1) at the centre, nothing at *radius*."""
        curve = [round(255 * strength * max(0.0, 1 - v / _EDGE) ** 2.2) for v in range(256)]
        self._soft(around(centre, radius), Image.radial_gradient("L").point(curve), colour)

    def vignette(self, colour: Colour, strength: float) -> None:
        """Darken towards the corners, by *strength* (0 to 1) in the corners themselves."""
        curve = [round(255 * strength * (max(0, v - 120) / 135) ** 2) for v in range(256)]
        box = (0.0, 0.0, float(self.width), float(self.height))
        self._soft(box, Image.radial_gradient("L").point(curve), colour)

    def shadow(self, box: Box, blur: float, colour: Colour, strength: float) -> None:
        """The soft shadow of an ellipse; *blur* in pixels."""

        def draw(pen: ImageDraw.ImageDraw, place: Callable[[Point], Point]) -> None:
            pen.ellipse([place(box[:2]), place(box[2:])], fill=255)

        self.soft_shape(box, draw, blur, (colour, strength))

    def soft_shape(
        self,
        box: Box,
        draw: Callable[[ImageDraw.ImageDraw, Callable[[Point], Point]], None],
        blur: float,
        tint: tuple[Colour, float],
    ) -> None:
        """Blur what *draw* draws inside *box* and lay it over in a colour of a strength."""
        step = max(1, round(blur / 3))  # blurred this much smaller, the difference is invisible
        left, top = box[0] - 3 * blur, box[1] - 3 * blur
        right, bottom = box[2] + 3 * blur, box[3] + 3 * blur
        size = (math.ceil((right - left) / step), math.ceil((bottom - top) / step))
        mask = Image.new("L", size)
        draw(ImageDraw.Draw(mask), lambda p: ((p[0] - left) / step, (p[1] - top) / step))
        mask = mask.filter(ImageFilter.GaussianBlur(blur / step))
        mask = mask.point([round(v * tint[1]) for v in range(256)])
        self._soft((left, top, left + size[0] * step, top + size[1] * step), mask, tint[0])

    def _soft(self, box: Box, mask: Image.Image, colour: Colour) -> None:
        left, top, right, bottom = (round(v) for v in box)
        cut = (max(0, left), max(0, top), min(self.width, right), min(self.height, bottom))
        columns, rows = cut[2] - cut[0], cut[3] - cut[1]
        if columns <= 0 or rows <= 0:
            return
        across, along = mask.width / (right - left), mask.height / (bottom - top)
        source = (
            (cut[0] - left) * across,
            (cut[1] - top) * along,
            (cut[2] - left) * across,
            (cut[3] - top) * along,
        )
        grown = mask.resize((columns, rows), Image.Resampling.BILINEAR, source)
        self.image.paste(Image.new("RGB", (columns, rows), colour), cut[:2], grown)


def around(centre: Point, radius: float) -> Box:
    """The box of a circle."""
    x, y = centre
    return (x - radius, y - radius, x + radius, y + radius)


def _painted(paint: Paint, size: tuple[int, int]) -> Image.Image:
    if not isinstance(paint, Fade):
        return Image.new("RGB", size, paint)
    line = Image.new("RGB", (1, size[0] if paint.across else size[1]), paint.stops[0][1])
    for (start, first), (end, second) in pairwise(paint.stops):
        at, until = round(start * line.height), round(end * line.height)
        if until > at:
            # Two pixels stretched from the middle of one to the middle of the other.
            pair = Image.frombytes("RGB", (1, 2), bytes((*first, *second)))
            part = pair.resize((1, until - at), Image.Resampling.BILINEAR, (0, 0.5, 1, 1.5))
            line.paste(part, (0, at))
    if paint.across:
        line = line.transpose(Image.Transpose.TRANSPOSE)
    return line.resize(size, Image.Resampling.NEAREST)
