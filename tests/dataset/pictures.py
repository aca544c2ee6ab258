"""Small real pictures for the tests of this room."""

import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image


@cache
def picture(form: str = "PNG", size: tuple[int, int] = (13, 7), mode: str = "RGB") -> bytes:
    """A gradient as a file; *form* is Pillow's name of the format, "WEBP-lossless" included."""
    form, _, lossless = form.partition("-")
    options: dict[str, Any] = {"lossless": True} if lossless else {}
    file = io.BytesIO()
    gradient = Image.linear_gradient("L").resize(size)
    image = gradient.convert(mode)
    if mode == "RGBA":
        image.putalpha(gradient)
    image.save(file, form, **options)
    return file.getvalue()


@cache
def noisy() -> bytes:
    """A PNG file that does not compress: about a megabyte."""
    file = io.BytesIO()
    Image.effect_noise((1_000, 1_000), 80).save(file, "PNG")
    return file.getvalue()


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG file that says it is that large, without the pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT") + chunk(b"IEND")
