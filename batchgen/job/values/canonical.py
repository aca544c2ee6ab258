"""One spelling for equal content: canonical JSON, the keys and the random seeds made of it.

A key or a seed is the hash of a whole request. Its fields are spelled one by one, because most
variants of a job share most of them.
"""

import hashlib
import json
from collections.abc import Iterable

MAX_SEED = 2**31 - 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def spelled(value: object) -> str:
    """*value* as JSON with sorted keys and no spaces; equal values give equal texts."""
    return _ENCODER.encode(value)


def canonical(value: object) -> bytes:
    """*value* as JSON with sorted keys and no spaces, UTF-8; equal values give equal bytes."""
    return spelled(value).encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    """The SHA-256 of *value*'s canonical JSON, 64 hex digits."""
    return _hashed(spelled(value))


def variant_key(model: str, fields: Iterable[str], repeat: str) -> str:
    """The key of a variant: 20 hex digits over what is asked, never over names, order or paths.

    *model* is spelled, and *fields* are those of the request, each spelled as ``"name":value``, in
    the order of their names; *repeat* counts from 0. A changed rule would make every paid image
    look new, hence the version.
    """
    request = ",".join(fields)
    return _hashed(f'{{"model":{model},"repeat":{repeat},"request":{{{request}}},"v":1}}')[:20]


def drawn_seed(model: str, fields: Iterable[str], repeat: str) -> int:
    """The seed of a variant that names none: 0 to 2147483647, always the same for the same content.

    *model* and *fields* are spelled as for a key; the fields have no seed. Drawn here and not by
    the service, so that a resumed run asks for the same picture.
    """
    request = ",".join(fields)
    content = f'{{"draw":"seed","model":{model},"repeat":{repeat},"request":{{{request}}},"v":1}}'
    return int(_hashed(content)[:16], 16) & MAX_SEED


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
