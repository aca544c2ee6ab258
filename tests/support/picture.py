"""The pictures of the misbehaving service: a request and an index, told by their pixels."""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping

WIDTH, HEIGHT = 16, 8


def canonical(request: Mapping[str, object]) -> str:
    """One text for each request, however its keys are ordered."""
    return json.dumps(dict(request), sort_keys=True, ensure_ascii=False)


def picture(request: Mapping[str, object], index: int) -> bytes:
    """A whole PNG that no other request or index has, so that swapped files show."""
    seed = f"{canonical(request)} {index}".encode()
    line = hashlib.sha256(seed).digest() + hashlib.sha256(seed[::-1]).digest()[:16]
    body = zlib.compress(b"".join(b"\0" + line for _ in range(HEIGHT)))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
