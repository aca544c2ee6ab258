"""Looks at an image that cost next to nothing and find what may be wrong with it.

Nothing is dropped for a flag: it is for people, who look, and for filters.
"""

import io
from collections.abc import Mapping

from batchgen.dataset.holdings import Holdings
from batchgen.errors import StorageError

# Bytes for a pixel: pictures that models make have more than 0.1, one colour as PNG, JPEG or WebP
# of a megapixel has 0.005, 0.016 and 0.002. Only what has fewer is decoded.
_SUSPICIOUS = 0.03
_LARGEST = 20_000_000  # pixels that are decoded
_EVEN = 4.0  # standard deviation of the brightness, of 255, below which there is nothing to see
# The sizes that Imagen 4 returns are up to 7 % off the ratio that was asked for.
_OFF = 0.1


def wrong_size(row: Mapping[str, object]) -> bool:
    """Whether width and height of *row* contradict the aspect ratio that was asked for."""
    width, height = row.get("width"), row.get("height")
    wide, colon, high = str(row.get("aspect_ratio")).partition(":")
    if not colon or not (wide.isdecimal() and high.isdecimal()) or not int(wide) * int(high):
        return False
    if not isinstance(width, int) or not isinstance(height, int) or width <= 0 or height <= 0:
        return False
    return abs(width * int(high) / (height * int(wide)) - 1) > _OFF


def near_blank(holdings: Holdings, row: Mapping[str, object]) -> bool:
    """Whether there is hardly anything on the image of *row*."""
    size, width, height = row.get("bytes"), row.get("width"), row.get("height")
    if not (isinstance(size, int) and isinstance(width, int) and isinstance(height, int)):
        return False
    if not 0 < width * height <= _LARGEST or size / (width * height) > _SUSPICIOUS:
        return False
    from PIL import Image, ImageStat

    try:
        data = holdings.read(str(row["file_name"])) or b""
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            image.draft("L", (256, 256))
            return ImageStat.Stat(image.convert("L")).stddev[0] < _EVEN
    except (OSError, SyntaxError, ValueError, StorageError):
        return False  # verify is there for that
