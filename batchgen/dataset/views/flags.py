"""Looks at an image that cost next to nothing and find what may be wrong with it.

Nothing is dropped for a flag: it is for people, who look, and for filters.
"""

import io
import re
from collections.abc import Mapping

from batchgen.dataset.stores.holdings import Holdings
from batchgen.errors import StorageError

# Bytes for a pixel: pictures that models make have more than 0.1, one colour as PNG, JPEG or WebP
# of a megapixel has 0.005, 0.016 and 0.002. Only what has fewer is decoded.
_SUSPICIOUS = 0.03
_LARGEST = 20_000_000  # pixels that are decoded
_EVEN = 4.0  # standard deviation of the brightness, of 255, below which there is nothing to see
# The sizes that Imagen 4 returns are up to 7 % off the ratio that was asked for.
_PART = 10  # a tenth
_RATIO = re.compile(r"([1-9]\d{0,5}):([1-9]\d{0,5})", re.ASCII)


def wrong_size(row: Mapping[str, object]) -> bool:
    """Whether width and height of *row* contradict the aspect ratio that was asked for."""
    width, height = row.get("width"), row.get("height")
    ratio = _RATIO.fullmatch(str(row.get("aspect_ratio")))
    if ratio is None or not isinstance(width, int) or not isinstance(height, int):
        return False
    # In whole numbers, which never overflow.
    got, expected = width * int(ratio[2]), height * int(ratio[1])
    return width > 0 and height > 0 and abs(got - expected) * _PART > expected


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
