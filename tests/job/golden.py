"""Keys and drawn seeds by their written rule, with nothing of batchgen.

A key is the first 20 hex digits of the SHA-256 of canonical JSON (sorted keys, no spaces, UTF-8) of
``{"v": 1, "model", "request", "repeat"}``. A drawn seed is the low 31 bits of the first 64 bits of
the SHA-256 of ``{"v": 1, "draw": "seed", "model", "request" without its seed, "repeat"}``.
"""

import hashlib
import json
from collections.abc import Mapping

IMAGEN = "wavespeed-ai/imagen4"


def sha256(value: object) -> str:
    """The hash of *value* as canonical JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def key(request: Mapping[str, object], model: str = IMAGEN) -> str:
    """The key of *request*."""
    return sha256({"v": 1, "model": model, "request": dict(request), "repeat": 0})[:20]


def seed(request: Mapping[str, object], model: str = IMAGEN) -> int:
    """The seed drawn for *request*."""
    content = {name: value for name, value in request.items() if name != "seed"}
    drawn = sha256({"v": 1, "draw": "seed", "model": model, "request": content, "repeat": 0})
    return int(drawn[:16], 16) % 2**31
