"""Looking at the bytes of an image: its type, its size in pixels, and whether it is whole.

Nothing is decoded: PNG, JPEG and WebP say their size in a header, and each has an end that a cut
download lacks. A server's word for the type is not asked.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PIXELS = 100_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


class PictureError(ValueError):
    """The bytes are not a whole PNG, JPEG or WebP of a sensible size."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What the header of an image says."""

    media_type: str
    ending: str
    width: int
    height: int


def look_at(data: memoryview) -> Picture:
    """The picture in *data*. Raises PictureError when it is none, cut short, or absurdly large."""
    head = bytes(data[:16])
    try:
        if head.startswith(_PNG):
            picture = _png(data)
        elif head.startswith(b"\xff\xd8\xff"):
            picture = _jpeg(data)
        elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            picture = _webp(data)
        else:
            raise PictureError(f"expected a PNG, JPEG or WebP image, got {_shown(head)}")
    except (struct.error, IndexError):
        raise PictureError("the image ends in the middle of its header") from None
    if not 0 < picture.width * picture.height <= MAX_PIXELS:
        raise PictureError(f"refused an image of {picture.width} × {picture.height} pixels")
    return picture


def _png(data: memoryview) -> Picture:
    size: tuple[int, int] | None = None
    kind, pixels = b"", False
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            size = struct.unpack_from(">II", body)
        pixels = pixels or kind == b"IDAT"
    if size is None or not pixels or kind != b"IEND":
        raise PictureError("the PNG image is cut short: it has no end")
    return Picture(media_type="image/png", ending=".png", width=size[0], height=size[1])


def _png_chunks(data: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """The kind of each chunk and how its body starts.

    These are copies: a view kept in the traceback of an error would hold the file open.
    """
    at = len(_PNG)
    while at < len(data):
        if at + 12 > len(data):
            raise PictureError("the PNG image is cut short")
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            raise PictureError("the PNG image is cut short")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[at + 4 : end - 4]) != checksum:
            raise PictureError("the PNG image is damaged: a checksum does not fit")
        yield bytes(data[at + 4 : at + 8]), bytes(data[at + 8 : min(at + 16, end - 4)])
        at = end


def _jpeg(data: memoryview) -> Picture:
    # Some encoders pad behind the end marker; anything but zeros there is refused.
    if not bytes(data[-1024:]).rstrip(b"\0").endswith(b"\xff\xd9"):
        raise PictureError("the JPEG image is cut short: it has no end marker")
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise PictureError("the JPEG image is damaged: expected a marker")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        # SOF0 to SOF15 hold the size; C4, C8 and CC are other tables.
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Picture(media_type="image/jpeg", ending=".jpg", width=width, height=height)
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + max(length, 2)
    raise PictureError("the JPEG image has no size in it")


def _webp(data: memoryview) -> Picture:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise PictureError("the WebP image is cut short")
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        sides = struct.unpack_from("<3s3s", data, 24)
        width, height = (1 + int.from_bytes(side, "little") for side in sides)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (n & 0x3FFF for n in struct.unpack_from("<HH", data, 26))
    else:
        raise PictureError("the WebP image starts with an unknown chunk")
    return Picture(media_type="image/webp", ending=".webp", width=width, height=height)


def _shown(head: bytes) -> str:
    if not head:
        return "nothing"
    return (
        "text" if head.lstrip()[:1] in {b"<", b"{", b"["} else f"bytes that start {head[:4].hex()}"
    )
