"""PNG files of any size in bytes that tell whose they are."""

import random
import struct
import zlib

ID_DIGITS = 32
_SIDE = 256  # pixels
_WORD = b"prediction\0"
_ID_AT = 8 + 25 + 8 + len(_WORD)  # behind signature, IHDR and the head of the tEXt chunk
HEAD_BYTES = _ID_AT + ID_DIGITS


def png_frame(size: int) -> tuple[bytes, bytes]:
    """What comes before and after the chunk that names the prediction, *size* bytes with it.

    A picture of few pixels is filled up with a chunk that viewers skip. Raises ValueError for a
    size that is too small.
    """
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0))
    before = b"\x89PNG\r\n\x1a\n" + header
    pixels = _chunk(b"IDAT", zlib.compress(bytes((_SIDE + 1) * _SIDE), 9))
    end = _chunk(b"IEND", b"")
    named = len(naming_chunk(b"0" * ID_DIGITS))
    filling = size - len(before) - named - len(pixels) - len(end) - 12
    if filling < 0:
        raise ValueError(f"expected images of at least {size - filling} bytes, got {size}")
    noise = random.Random(1).randbytes(filling)  # noqa: S311  # no secret
    return before, pixels + _chunk(b"fiLl", noise) + end


def naming_chunk(prediction_id: bytes) -> bytes:
    """The chunk that says whose picture it is."""
    return _chunk(b"tEXt", _WORD + prediction_id)


def named_in(head: bytes) -> str:
    """The prediction id in the first bytes of a file; empty when it is none of these pictures."""
    if len(head) < HEAD_BYTES or head[_ID_AT - len(_WORD) : _ID_AT] != _WORD:
        return ""
    return head[_ID_AT:HEAD_BYTES].decode("ascii", "replace")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
