"""Looking at the bytes of an image: its type, its size in pixels, and whether it is whole.

Nothing is decoded: PNG, JPEG and WebP say their size in a header, and each has an end that a cut
download lacks. A server's word for the type is not asked.
"""

import hashlib
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

MAX_PIXELS = 100_000_000
MAX_PARTS = 100_000  # chunks or segments: 64 MiB can hold millions, which take long to walk
MAX_PADDING = 1024  # zeros behind the end of a JPEG or WebP
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


def look_through(data: memoryview) -> tuple[str, int, Picture]:
    """SHA-256, size in bytes and picture of *data*. Raises PictureError."""
    if not data:
        raise PictureError("expected an image, got nothing")
    picture = look_at(data)
    return hashlib.sha256(data).hexdigest(), len(data), picture


def examine(path: Path) -> tuple[str, int, Picture]:
    """What :func:`look_through` says of the file at *path*. Raises PictureError, OSError."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:  # nothing cannot be mapped
            return look_through(memoryview(b""))
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as view,
        ):
            return look_through(view)


def _png(data: memoryview) -> Picture:
    """Whole when it starts with IHDR, holds IDAT and stops with the first IEND."""
    size: tuple[int, int] | None = None
    at, pixels = len(_PNG), False
    for _ in range(MAX_PARTS):
        end = _png_chunk(data, at)
        kind, length = bytes(data[at + 4 : at + 8]), end - at - 12
        if (kind == b"IHDR") is not (size is None) or (kind == b"IHDR" and length != 13):
            raise PictureError("the PNG image is damaged: expected one header, at its start")
        if kind == b"IEND":
            if length or end != len(data):
                raise PictureError("the PNG image goes on behind its end")
            if not pixels:
                raise PictureError("the PNG image holds no pixels")
            assert size is not None
            return Picture(media_type="image/png", ending=".png", width=size[0], height=size[1])
        size = size or struct.unpack_from(">II", data, at + 8)
        pixels = pixels or kind == b"IDAT"
        at = end
    raise PictureError(f"refused a PNG image of more than {MAX_PARTS} chunks")


def _png_chunk(data: memoryview, at: int) -> int:
    """Where the chunk at *at* ends. Raises PictureError when it is cut short or damaged."""
    if at + 12 > len(data):
        raise PictureError("the PNG image is cut short: it has no end")
    (length,) = struct.unpack_from(">I", data, at)
    end: int = at + 12 + length
    if end > len(data):
        raise PictureError("the PNG image is cut short")
    (checksum,) = struct.unpack_from(">I", data, end - 4)
    if zlib.crc32(data[at + 4 : end - 4]) != checksum:
        raise PictureError("the PNG image is damaged: a checksum does not fit")
    return end


def _jpeg(data: memoryview) -> Picture:
    """Whole when its headers lead to a scan and an end marker is the last there is."""
    # Some encoders pad behind the end marker; anything but zeros there is refused.
    if not bytes(data[-MAX_PADDING:]).rstrip(b"\0").endswith(b"\xff\xd9"):
        raise PictureError("the JPEG image is cut short: it has no end marker")
    size: tuple[int, int] | None = None
    at = 2
    for _ in range(MAX_PARTS):
        if data[at] != 0xFF:
            raise PictureError("the JPEG image is damaged: expected a marker")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        # SOF0 to SOF15 hold the size; C4, C8 and CC are other tables.
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            if size or length < 11:
                raise PictureError("the JPEG image is damaged: expected one header with its size")
            size = struct.unpack_from(">HH", data, at + 5)[::-1]
        if marker == 0xDA and size:
            return Picture(media_type="image/jpeg", ending=".jpg", width=size[0], height=size[1])
        if length < 2 or marker == 0xDA:
            break
        at += 2 + length
    raise PictureError("the JPEG image is damaged: its headers lead to no pixels")


def _webp(data: memoryview) -> Picture:
    """Whole when its chunks fill it and one of them holds pixels."""
    (length,) = struct.unpack_from("<I", data, 4)
    end = 8 + length
    if end > len(data):
        raise PictureError("the WebP image is cut short")
    if len(data) - end > MAX_PADDING or any(data[end:]):
        raise PictureError("the WebP image goes on behind its end")
    size: tuple[int, int] | None = None
    at, pixels = 12, False
    for _ in range(MAX_PARTS):
        if at >= end:
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise PictureError("the WebP image is damaged: a chunk is longer than the file")
        size = size or _webp_size(kind, data, at + 8)
        pixels = pixels or kind in {b"VP8 ", b"VP8L", b"ANMF"}
        at += 8 + length + length % 2
    if at < end or not size or not pixels:
        raise PictureError("the WebP image is damaged: its chunks hold no pixels")
    return Picture(media_type="image/webp", ending=".webp", width=size[0], height=size[1])


def _webp_size(kind: bytes, data: memoryview, body: int) -> tuple[int, int]:
    """Width and height by the first chunk. Raises PictureError when that cannot tell."""
    if kind == b"VP8X":
        sides = struct.unpack_from("<3s3s", data, body + 4)
        return 1 + int.from_bytes(sides[0], "little"), 1 + int.from_bytes(sides[1], "little")
    if kind == b"VP8L" and data[body] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, body + 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and bytes(data[body + 3 : body + 6]) == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, body + 6)
        return width & 0x3FFF, height & 0x3FFF
    raise PictureError("the WebP image starts with an unknown chunk")


def _shown(head: bytes) -> str:
    if not head:
        return "nothing"
    return (
        "text" if head.lstrip()[:1] in {b"<", b"{", b"["} else f"bytes that start {head[:4].hex()}"
    )
