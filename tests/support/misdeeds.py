"""What the misbehaving service does wrong, chosen by words in the prompt.

``[submit=500]`` does it always, ``[poll=500x3]`` the first three times; several words of a phase
follow one another. ``[image1=cut]`` is about the second image alone. To add one, add a line to a
table.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

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
    """Instead of an envelope."""
    data: Mapping[str, object] | None = None
    """Changes to the data of the right answer."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bills: bool = False
    """Whether a submit was accepted behind this answer."""
    then: Literal["answer", "hang", "reset", "half", "unsized", "stall"] = "answer"
    """hang: never answer; reset: cut at once; half: cut inside the body; unsized: the same, without
    a length that would show it; stall: hang inside the body."""


def misdeed(prompt: str, phase: str, count: int) -> str | None:
    """The misdeed in *prompt* for the request number *count* (from 0) of *phase*."""
    for found, what, times in _WORD.findall(prompt):
        if found != phase:
            continue
        if not times or count < int(times):
            return str(what)
        count -= int(times)
    return None


_LATER = {"Retry-After": "0"}

SUBMITS: Mapping[str, Misdeed] = {
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
    "page504": Misdeed(status=504, body=PAGE),
    "notjson": Misdeed(body=PAGE),
    "hang": Misdeed(then="hang"),
    "reset": Misdeed(then="reset"),
    "half": Misdeed(data={}, then="half"),
}

IMAGES: Mapping[str, Misdeed] = {
    **{str(s): Misdeed(status=s, body=PAGE) for s in (403, 404, 410, 500, 503)},
    "html": Misdeed(body=PAGE, headers={"Content-Type": "image/png"}),
    "empty": Misdeed(body=b""),
    "hang": Misdeed(then="hang"),
    "reset": Misdeed(then="reset"),
    "cut": Misdeed(then="half"),
    "stall": Misdeed(then="stall"),
    "unsized": Misdeed(then="unsized"),
    "redirect": Misdeed(status=302, headers={"Location": "/__image{path}"}),
    "loop": Misdeed(status=302, headers={"Location": "{path}"}),
    "file": Misdeed(status=302, headers={"Location": "file:///etc/hostname"}),
}

Data = dict[str, Any]
"""``data`` of a completed prediction."""

OUTPUTS: Mapping[str, Callable[[list[str]], object]] = {
    "none": lambda urls: [],
    "null": lambda urls: None,
    "fewer": lambda urls: urls[:-1],
    "gap": lambda urls: [None if index == 1 else url for index, url in enumerate(urls)],
    "more": lambda urls: [*urls, urls[0], urls[0]],
    "objects": lambda urls: [{"url": url} for url in urls],
    "text": lambda urls: urls[0],
    "file": lambda urls: ["file:///etc/hostname" for _ in urls],
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
