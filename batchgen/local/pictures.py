"""What an image of the local service shows: the same for the same request, and worth looking at."""

import hashlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from batchgen.local.canvas import Canvas
from batchgen.local.caption import draw_caption
from batchgen.local.palette import Palette, choose_palette
from batchgen.local.png import encode_png
from batchgen.local.scenes import botanical, city, landscape, orbits, papercut, still_life

Scene = Callable[[Canvas, Palette, random.Random], None]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All that decides the bytes of an image."""

    prompt: str
    negative_prompt: str
    seed: int
    size: tuple[int, int]
    """Pixels, width and height."""
    index: int
    """Which image of its prediction, from 0."""
    scale: int = 1
    """How many times as wide and high as ``size`` it comes out: drawn small, then enlarged."""


SCENES: Mapping[str, Scene] = MappingProxyType(
    {
        "landscape": landscape.draw,
        "still life": still_life.draw,
        "city": city.draw,
        "papercut": papercut.draw,
        "botanical": botanical.draw,
        "orbits": orbits.draw,
    }
)
# A prompt with one of these words gets that kind of picture; any other prompt gets one by its hash.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "landscape": "landscape mountain mountains hill hills valley lake desert forest field "
        "sunset sunrise horizon sea ocean beach coast cliff river snow island",
        "still life": "still kitchen table counter package jar bottle bowl cup mug vase jug teapot "
        "fruit apple pear lemon coffee espresso tea bread cake food product ceramic pottery "
        "machine",
        "city": "city street skyline building buildings tower house houses urban town bridge "
        "skyscraper neon tokyo york london paris car architecture",
        "papercut": "paper papercut cut layered abstract wave waves pattern origami collage",
        "botanical": "flower flowers leaf leaves plant plants garden botanical fern tree herb "
        "blossom rose tulip orchid mushroom bouquet",
        "orbits": "orbit orbits planet planets space galaxy geometric geometry circle circles "
        "bauhaus poster logo star stars moon diagram robot",
    }
)


def draw_png(picture: Picture) -> bytes:
    """Draw and encode *picture*; 50 to 80 ms of one core, 95 for wide paper cuts; at 2k twice that.

    The bytes follow from *picture* alone. Another release of Pillow or zlib may encode the same
    pixels differently.
    """
    canvas = Canvas(picture.size)
    name, palette, chance = plan(picture)
    SCENES[name](canvas, palette, chance)
    draw_caption(canvas.image, picture.prompt, picture.seed)
    image = canvas.image
    if picture.scale > 1:
        size = (image.width * picture.scale, image.height * picture.scale)
        image = image.resize(size, Image.Resampling.NEAREST)  # a smooth one takes 40 ms more
    return encode_png(image)


def plan(picture: Picture) -> tuple[str, Palette, random.Random]:
    """The kind of scene, its colours, and the chance that lays it out.

    The prompt picks kind and mood; all but the ratio goes into the layout, so that another ratio
    frames the same things anew.
    """
    words = frozenset(re.findall(r"[a-z]+", picture.prompt[:4000].lower()))
    theme = _chance("theme", picture.prompt)
    named = [name for name, known in _WORDS.items() if words & frozenset(known.split())]
    name = theme.choice(named or list(SCENES))
    chance = _chance("layout", picture.prompt, picture.negative_prompt, picture.seed, picture.index)
    return name, choose_palette(words, theme, chance), chance


def _chance(*parts: object) -> random.Random:
    # repr keeps lone surrogates and NUL apart from other texts, and is plain ASCII after `encode`.
    digest = hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).digest()
    return random.Random(digest)  # noqa: S311
