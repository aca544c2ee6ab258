"""The strip at the foot of a picture says what it is: nobody shall take it for model output."""

import functools
import re
import unicodedata

from PIL import Image, ImageDraw, ImageFont

NOTE = "batchgen local service \u00b7 stand-in, not model output"
# What the font that comes with Pillow can show; a run of anything else becomes one dot.
_UNSHOWABLE = re.compile(r"[^\x20-\x7e\u2018\u2019\u201c\u201d]+")
_COMBINING = re.compile(r"[\u0300-\u036f]+")
_NEAREST = str.maketrans(
    {"\u2013": "-", "\u2014": "-", "\u00df": "ss", "\u00e6": "ae", "\u00f8": "o"}
)


def draw_caption(image: Image.Image, prompt: str, seed: int) -> None:
    """Write a short form of *prompt* and the seed over the lowest rows of *image*."""
    size = 17
    font = _font(size)
    height = round(size * 3.1)
    top = image.height - height
    strip = image.crop((0, top, image.width, image.height))
    image.paste(Image.blend(strip, Image.new("RGB", strip.size, (12, 12, 16)), 0.72), (0, top))
    pen = ImageDraw.Draw(image)
    margin = 18
    number = f"seed {seed}"
    right = image.width - margin
    pen.text((right, top + 6), number, fill=(205, 205, 210), font=font, anchor="ra")
    room = image.width - 3 * margin - font.getlength(number)
    pen.text(
        (margin, top + 6), _fitted(showable(prompt), font, room), fill=(245, 245, 245), font=font
    )
    pen.text((margin, top + 8 + size * 1.35), NOTE, fill=(170, 170, 178), font=_font(14))


def showable(prompt: str) -> str:
    """A line of *prompt* in the letters the font has: no accents, a dot for the rest."""
    # 400 characters are far more than fits in any width; a prompt can be megabytes long.
    plain = unicodedata.normalize("NFKD", " ".join(prompt[:400].split()).translate(_NEAREST))
    text = _UNSHOWABLE.sub("\u00b7", _COMBINING.sub("", plain)).strip()
    return text if text.strip("\u00b7 ") else f"(prompt of {len(prompt)} characters)"


def _fitted(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle].rstrip() + "...") <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..."


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
