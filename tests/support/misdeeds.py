"""What the misbehaving service does wrong, chosen by words in the prompt.

``[submit=500]`` does it always, ``[poll=500x3]`` the first three times; several words of a phase
follow one another. ``[image1=cut]`` is about the second image alone. To add one, add a line to a
table.
"""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Literal

from tests.support.picture import chunk, picture

PAGE = b"<html><body><h1>Gateway trouble</h1></body></html>"
_WORD = re.compile(r"\[(\w+)=(.+?)(?:x(\d+))?\]")


@dataclass(frozen=True, kw_only=True)
class Misdeed:
    """An answer that is not the one hoped for."""

    status: int = 200
    code: int | None = None
    """Of the envelope; the HTTP status when None."""
    message: str = "no"
    body: bytes | None = None
    """Instead of an envelope; ``<key>`` and ``<id>`` stand for what was sent and what was made."""
    data: Mapping[str, object] | None = None
    """Changes to the data of the right answer."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bills: bool = False
    """Whether a submit was accepted behind this answer."""
    then: Literal[
        "answer", "hang", "reset", "half", "unsized", "stall", "endless", "drip", "flood"
    ] = "answer"
    """hang: never answer; reset: cut at once; half: cut inside the body; unsized: the same, without
    a length that would show it; stall: hang inside the body; endless: a body without an end; drip:
    the same, a byte at a time; flood: headers without an end."""


def misdeed(prompt: str, phase: str, count: int) -> str | None:
    """The misdeed in *prompt* for the request number *count* (from 0) of *phase*."""
    for found, what, times in _WORD.findall(prompt):
        if found == "storm" and phase in STORM:
            return _at_random(prompt, phase, count, int(what))
        if found != phase:
            continue
        if not times or count < int(times):
            return str(what)
        count -= int(times)
    return None


# What can befall every request in a storm; twice the same request meets something else.
STORM = {
    "submit": ("429", "503", "500", "reset", "half", "notjson"),
    "poll": ("429", "503", "500", "reset", "half", "notjson", "hang"),
    "image": ("500", "503", "html", "reset", "cut", "unsized", "stall"),
}


def _at_random(prompt: str, phase: str, count: int, percent: int) -> str | None:
    """A misdeed for so many *percent* of the requests, the same ones every time."""
    digest = hashlib.sha256(f"{prompt} {phase} {count}".encode()).digest()
    if digest[0] * 100 >= percent * 256:
        return None
    return STORM[phase][digest[1] % len(STORM[phase])]


_LATER = {"Retry-After": "0"}
_AWAY = {"Location": "/__trap?key={key}", "Set-Cookie": "tracked=yes; Path=/"}
_ESCAPES = "\x1b[2J\x1b]0;mine\x07\u202e\r\nbatchgen: ok: all is well"

# What is no answer at all, to submits and polls alike.
_NONSENSE = {
    "nan": b'{"code": 200, "data": {"id": "<id>", "status": "created", "timings": NaN}}',
    "twice": b'{"code": 200, "data": {"id": "another", "id": "<id>", "status": "created"}}',
    "deep": b'{"code": 200, "data": ' + b'{"a":' * 9999 + b"1" + b"}" * 9999 + b"}",
    "levels": b'{"code": 200, "data": ' + b"[" * 300 + b"]" * 300 + b"}",
    "digits": b'{"code": ' + b"9" * 9999 + b"}",
    "surrogates": rb'{"code": 200, "data": {"id": "\ud800", "status": "\udfff"}}',
    "cut-json": b'{"code": 200, "data": {"id": "<id>", "sta',
    "latin": b'{"code": 200, "message": "\xff", "data": {"id": "<id>", "status": "created"}}',
}
_UNREADABLE: Mapping[str, Misdeed] = {
    **{word: Misdeed(body=body, bills=True) for word, body in _NONSENSE.items()},
    "bomb": Misdeed(
        body=gzip.compress(b" " * 20_000_000), headers={"Content-Encoding": "gzip"}, bills=True
    ),
    "endless": Misdeed(bills=True, then="endless"),
    "drip": Misdeed(bills=True, then="drip"),
    "flood": Misdeed(bills=True, then="flood"),
    "long500": Misdeed(status=500, message="x" * 100_000, bills=True),
}

SUBMITS: Mapping[str, Misdeed] = {
    **_UNREADABLE,
    "yes429": Misdeed(status=429, code=200, data={}, headers=_LATER, bills=True),
    "late429": Misdeed(status=429, code=504, headers=_LATER, bills=True),
    "yes400": Misdeed(status=400, code=200, data={}, bills=True),
    "code429": Misdeed(code=429, data={}, bills=True),
    "yes503": Misdeed(
        status=503, body=b'{"code": 200, "message": "success"}', headers=_LATER, bills=True
    ),
    "late503": Misdeed(status=503, code=504, message="upstream timed out", bills=True),
    "id429": Misdeed(status=429, body=b'{"id": "<id>", "status": "created"}', bills=True),
    "list429": Misdeed(status=429, body=b'{"code": 429, "data": [{"id": 7}]}', bills=True),
    "outputs429": Misdeed(body=b'{"code": 429, "data": {"outputs": ["x"]}}', bills=True),
    "escapes-id": Misdeed(data={"id": _ESCAPES}, bills=True),
    "same-id": Misdeed(data={"id": "5a" * 16}, bills=True),
    "long400": Misdeed(status=400, message="x" * 100_000),
    "error-text": Misdeed(status=400, body=b'{"code": 400, "error": "why not"}'),
    "error-object": Misdeed(status=400, body=b'{"code": 400, "error": {"message": "why not"}}'),
    "error-list": Misdeed(status=422, body=b'{"code": 422, "detail": [{"msg": "why not"}]}'),
    "echo": Misdeed(status=400, body=b'{"code": 400, "message": "<key>", "error": "<key>"}'),
    "echo-away": Misdeed(status=302, headers=_AWAY),
    **{str(s): Misdeed(status=s) for s in (400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429)},
    **{str(s): Misdeed(status=s, bills=True) for s in (408, 500, 502, 504, 524)},
    "503": Misdeed(status=503),
    "page400": Misdeed(status=400, body=PAGE),
    "page404": Misdeed(status=404, body=PAGE),
    "page429": Misdeed(status=429, body=PAGE),
    "page502": Misdeed(status=502, body=PAGE, bills=True),
    "page503": Misdeed(status=503, body=PAGE, bills=True),
    "page503-later": Misdeed(status=503, body=PAGE, headers=_LATER),
    "code400": Misdeed(code=400, message="a bad parameter"),
    "code401": Misdeed(code=401, message="invalid authentication"),
    "code500": Misdeed(code=500, bills=True),
    "credits": Misdeed(status=400, message="Insufficient credits. Please top up your account."),
    "escapes": Misdeed(status=400, message=_ESCAPES),
    "redirect": Misdeed(status=307, headers={"Location": "/__trap"}),
    "notjson": Misdeed(body=PAGE, bills=True),
    "nothing": Misdeed(status=204, body=b"", bills=True),
    "noid": Misdeed(data={"id": ""}, bills=True),
    "badid": Misdeed(data={"id": "../../balance"}, bills=True),
    "202": Misdeed(status=202, code=200, data={}, bills=True),
    "hang": Misdeed(bills=True, then="hang"),
    "reset": Misdeed(bills=True, then="reset"),
    "half": Misdeed(data={}, bills=True, then="half"),
}

POLLS: Mapping[str, Misdeed] = {
    **_UNREADABLE,
    **{f"code{code}": Misdeed(code=code, data={}) for code in (202, 400, 404, 500)},
    "right": Misdeed(data={}),  # what comes after it is for later polls
    "yes500": Misdeed(status=500, code=200, data={}),
    "away": Misdeed(status=302, headers=_AWAY),
    "cookie": Misdeed(status=503, headers={"Set-Cookie": "tracked=yes; Path=/"}),
    "escapes": Misdeed(data={"status": _ESCAPES}),
    "failed-escapes": Misdeed(data={"status": "failed", "error": _ESCAPES}),
    "failed-object": Misdeed(data={"status": "failed", "error": {"message": "why not"}}),
    "failed-list": Misdeed(data={"status": "failed", "error": [{"msg": "why not"}]}),
    "failed-long": Misdeed(data={"status": "failed", "error": "x" * 100_000}),
    "echo": Misdeed(
        body=b'{"code": 200, "data": {"id": "<id>", "status": "failed", "error": "<key>"}}'
    ),
    **{str(s): Misdeed(status=s) for s in (401, 404, 429, 500, 503)},
    **{s: Misdeed(data={"status": s}) for s in ("cancelled", "canceled", "timeout", "deleted")},
    **{s: Misdeed(data={"status": s}) for s in ("created", "pending", "processing")},
    **{
        f"failed:{c}": Misdeed(data={"status": "failed", "error": f"error {c}", "code": c})
        for c in (1200, 1400, 1401, 1402, 5000)
    },
    "failed": Misdeed(data={"status": "failed"}),
    "unknown-status": Misdeed(data={"status": "meditating"}),
    "other": Misdeed(data={"id": "f" * 32, "status": "completed"}),
    "page404": Misdeed(status=404, body=PAGE),
    "page504": Misdeed(status=504, body=PAGE),
    "notjson": Misdeed(body=PAGE),
    "hang": Misdeed(then="hang"),
    "reset": Misdeed(then="reset"),
    "half": Misdeed(data={}, then="half"),
}

# Where no image is ever fetched from, not even by a client whose service is on loopback.
NO_PLACES = {
    "file": "file:///etc/hostname",
    "ftp": "ftp://127.0.0.1/a.png",
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "javascript": "javascript:alert(1)",
    "clear": "http://images.example/a.png",
    "clear-443": "http://images.example:443/a.png",
    "port": "https://images.example:8443/a.png",
    "private": "https://10.0.0.1/a.png",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "clear-metadata": "http://169.254.169.254/latest/meta-data/",
    "number": "https://0xa.0.0.1/a.png",
    "nat64": "https://[64:ff9b::a9fe:a9fe]/a.png",
}

_TINY = picture({}, 0)
NO_IMAGES = {
    "html": PAGE,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "json": b'{"code": 200, "data": null}',
    "gif": b"GIF89a" + bytes(100),
    "vast": _TINY[:8] + chunk(b"IHDR", b"\0\1\0\0" * 2 + bytes(5)) + _TINY[33:],
    "polyglot": _TINY + b"<script>alert(1)</script>",
    "archive": _TINY + chunk(b"zIPs", b"PK") + chunk(b"IEND", b""),
    "broken": _TINY[:50] + b"?" + _TINY[51:],
}

IMAGES: Mapping[str, Misdeed] = {
    **{str(s): Misdeed(status=s, body=PAGE) for s in (403, 404, 410, 500, 503)},
    "empty": Misdeed(body=b""),
    "hang": Misdeed(then="hang"),
    "reset": Misdeed(then="reset"),
    "cut": Misdeed(then="half"),
    "stall": Misdeed(then="stall"),
    "unsized": Misdeed(then="unsized"),
    "redirect": Misdeed(status=302, headers={"Location": "/__image{path}"}),
    "loop": Misdeed(status=302, headers={"Location": "{path}"}),
    "cookie": Misdeed(
        status=302, headers={"Location": "/__image{path}", "Set-Cookie": "a=b; Path=/"}
    ),
    **{
        f"to-{word}": Misdeed(status=302, headers={"Location": address})
        for word, address in NO_PLACES.items()
    },
    **{
        word: Misdeed(body=body, headers={"Content-Type": "image/png"})
        for word, body in NO_IMAGES.items()
    },
    "bomb": Misdeed(body=gzip.compress(bytes(2**24)), headers={"Content-Encoding": "gzip"}),
    "endless": Misdeed(then="endless"),
    "drip": Misdeed(then="drip"),
    "flood": Misdeed(then="flood"),
}

Data = dict[str, Any]
"""``data`` of a completed prediction."""


def _always(address: str) -> Callable[[list[str]], object]:
    return lambda urls: [address for _ in urls]


OUTPUTS: Mapping[str, Callable[[list[str]], object]] = {
    "none": lambda urls: [],
    "null": lambda urls: None,
    "fewer": lambda urls: urls[:-1],
    "gap": lambda urls: [None if index == 1 else url for index, url in enumerate(urls)],
    "more": lambda urls: [*urls, urls[0], urls[0]],
    "objects": lambda urls: [{"url": url} for url in urls],
    "text": lambda urls: urls[0],
    **{word: _always(address) for word, address in NO_PLACES.items()},
    "relative": lambda urls: ["//host/x.png" for _ in urls],
    "numbers": lambda urls: [7 for _ in urls],
    "user": lambda urls: [url.replace("//", "//me:secret@") for url in urls],
}

NSFW: Mapping[str, Callable[[int], object]] = {
    "true": lambda count: [True] * count,
    "null": lambda count: None,
    "object": lambda count: {"0": True},
    "short": lambda count: [True] * (count - 1),
    "long": lambda count: [True] * count + [False],
    "words": lambda count: ["false"] * count,
    "numbers": lambda count: [0] * count,
    "mixed": lambda count: [index % 2 == 0 for index in range(count)],
}

_TABLES: Mapping[str, Mapping[str, object]] = {
    "submit": SUBMITS,
    "poll": POLLS,
    "image": IMAGES,
    "outputs": OUTPUTS,
    "nsfw": NSFW,
    "created": {"old": None},
}


def check_words(prompt: str) -> None:
    """Raise ValueError, with the nearest word, for one in *prompt* that means nothing here."""
    for phase, what, _ in _WORD.findall(prompt):
        known = _TABLES.get(phase.rstrip("0123456789") if phase.startswith("image") else phase)
        if phase == "storm" or (known and what in known):
            continue
        near = get_close_matches(what, known, n=1) if known else get_close_matches(phase, _TABLES)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"the service does not know [{phase}={what}]{hint}")
