"""One spelling for equal content: canonical JSON, the keys and the random seeds made of it."""

import hashlib
import json
from collections.abc import Mapping

MAX_SEED = 2**31 - 1


def canonical(value: object) -> bytes:
    """*value* as JSON with sorted keys and no spaces, UTF-8; equal values give equal bytes."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    """The SHA-256 of *value*'s canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def variant_key(model: str, request: Mapping[str, object], repeat: int = 0) -> str:
    """The key of a variant: 20 hex digits over what is asked, never over names, order or paths.

    A changed rule would make every paid image look new, hence the version in front.
    """
    return digest({"v": 1, "model": model, "request": request, "repeat": repeat})[:20]


def drawn_seed(model: str, request: Mapping[str, object], repeat: int = 0) -> int:
    """The seed of a variant that names none: 0 to 2147483647, always the same for the same content.

    Drawn here and not by the service, so that a resumed run asks for the same picture.
    """
    content = {k: v for k, v in request.items() if k != "seed"}
    drawn = digest({"v": 1, "draw": "seed", "model": model, "request": content, "repeat": repeat})
    return int(drawn[:16], 16) & MAX_SEED
