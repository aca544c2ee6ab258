"""The v3 API on the wire: pure functions between bytes and values, no network.

Field names and types are those of the API page of ``wavespeed-ai/imagen4`` ("Submit Task & Query
Result"). Whatever a server sends is data: a wrong shape becomes None or a :class:`WireError`,
never another exception.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote

from batchgen.text import plain

PREFIX = "/api/v3"
# Ids seen in the wild are 32 hex digits, the documentation shows "pred_abc123": opaque, but it
# becomes part of an address and of a ledger row.
PREDICTION_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
MAX_ANSWER_BYTES = 2 * 1024 * 1024
MAX_ERROR_CHARACTERS = 2_000
MAX_STATUS_CHARACTERS = 100
MAX_DEPTH = 100
MAX_DIGITS = 400  # the interpreter's own limit can be switched off from outside
# A server without a time sends the year 1, 1970 or 9999; none of them is when something was made.
YEARS = range(2000, 2100)
_SURROGATE = re.compile("[\ud800-\udfff]")

_WAITING = frozenset({"created", "pending", "processing"})
COMPLETED = "completed"
# The API page documents `failed`; the official client also ends on the other ones.
ENDED = frozenset({"failed", "cancelled", "canceled", "timeout", "deleted"})


class WireError(ValueError):
    """An answer that is not the v3 API's: no JSON, another shape, a field of the wrong type."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The service's record of a submitted variant, as ``data`` of an answer shows it."""

    id: str
    model: str = ""
    status: str
    outputs: tuple[str, ...] = ()
    has_nsfw_contents: tuple[bool | None, ...] = ()
    """One for each output, in order; None where the service gave no true or false."""
    created_at: str | None = None
    """The service's own clock, RFC 3339 in UTC with milliseconds."""
    error: str = ""
    error_code: int | None = None
    inference_ms: int | None = None

    @property
    def completed(self) -> bool:
        """Whether the images are there."""
        return self.status == COMPLETED

    @property
    def ended_badly(self) -> bool:
        """Whether it will never have images."""
        return self.status in ENDED

    @property
    def waiting(self) -> bool:
        """Whether it goes on, in a status that the API page names."""
        return self.status in _WAITING

    def nsfw(self, index: int) -> bool | None:
        """The flag of output *index*; None when the service did not say."""
        flags = self.has_nsfw_contents
        return flags[index] if index < len(flags) else None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The envelope ``{"code", "message", "data"}`` of an HTTP answer."""

    code: int
    """Its own, or else the HTTP status."""
    data: Mapping[str, Any] | None
    enveloped: bool
    """Whether it has a code of its own; a gateway's JSON page has none."""
    whole: Mapping[str, Any]
    """All of it, ``data`` included."""

    @property
    def message(self) -> str:
        """The first text in it that says why: clients have met all of these fields."""
        fields = ("message", "error", "detail", "errors")
        return next(filter(None, (_reason(self.whole.get(name)) for name in fields)), "")

    @property
    def names_something(self) -> bool:
        """Whether an id or outputs stand anywhere in it, of whatever type."""
        data = self.whole.get("data")
        return any(map(_names, [self.whole, data, *(data if isinstance(data, list) else ())]))


def submit_path(model: str) -> str:
    """Path of the POST that submits to *model*; the slashes of the id stay slashes."""
    return f"{PREFIX}/{quote(model)}"


def result_path(prediction_id: str) -> str:
    """Path of the GET that tells the state of a prediction."""
    return f"{PREFIX}/predictions/{quote(prediction_id, safe='')}/result"


def encode(value: Mapping[str, object]) -> bytes:
    """A request body: compact UTF-8 JSON."""
    return _ENCODER.encode(dict(value)).encode()


def decode(body: bytes, most: int = MAX_ANSWER_BYTES) -> object:
    """Read JSON from outside.

    Raises WireError for more than *most* bytes, bad UTF-8, NaN and infinities, a field that is
    given twice, more than 100 levels and integers of more than 400 digits. Lone surrogates come
    back as U+FFFD, so that the text can be written again.
    """
    if len(body) > most:
        raise WireError(f"an answer of more than {most} bytes")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {type(error).__name__}") from None
    # Most answers cannot hold what the walk looks for: no escape, and too few brackets to be deep.
    simple = b"\\u" not in body and body.count(b"{") + body.count(b"[") <= MAX_DEPTH
    return value if simple else _sound(value)


def read_answer(status: int, body: bytes) -> Answer:
    """Read the envelope of an answer with HTTP *status*.

    A body without its own ``code`` takes the HTTP status. Raises WireError when the body is not a
    JSON object, as a gateway's error page is not.
    """
    value = decode(body)
    if not isinstance(value, dict):
        raise WireError("expected a JSON object")
    code = _whole(value.get("code"))
    data = value.get("data")
    return Answer(
        code=status if code is None else code,
        data=data if isinstance(data, dict) else None,
        enveloped=code is not None,
        whole=value,
    )


def read_prediction(data: Mapping[str, Any] | None) -> Prediction:
    """Read ``data`` of a submit or result answer.

    Raises WireError when it has no usable id or status.
    """
    if data is None:
        raise WireError("the answer has no data")
    prediction_id, status = data.get("id"), data.get("status")
    if not isinstance(prediction_id, str) or not PREDICTION_ID.fullmatch(prediction_id):
        raise WireError("the answer has no usable prediction id")
    if not isinstance(status, str) or not status:
        raise WireError("the answer has no status")
    return Prediction(
        id=prediction_id,
        model=_text(data.get("model")),
        status=_text(status)[:MAX_STATUS_CHARACTERS].lower(),
        outputs=_outputs(data.get("outputs")),
        has_nsfw_contents=_flags(data.get("has_nsfw_contents")),
        created_at=read_time(data.get("created_at")),
        error=_reason(data.get("error")),
        error_code=_whole(data.get("code")),
        inference_ms=_inference_ms(data),
    )


def read_time(value: object) -> str | None:
    """An ISO time of any precision as RFC 3339 in UTC with milliseconds; None when it is not one.

    The API sends milliseconds on submits and nanoseconds (nine digits) in histories. A time
    outside the years 2000 to 2099 tells nothing and is None.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # before the year 1 or after the year 9999
        return None
    return format_time(moment) if moment.year in YEARS else None


def format_time(moment: datetime) -> str:
    """*moment* as ``2026-01-31T23:59:59.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _names(value: object) -> bool:
    # An empty one is how some servers write that there is none.
    given = [value.get(name) for name in ("id", "outputs")] if isinstance(value, dict) else []
    return any(found not in (None, "", [], {}) for found in given)


def _outputs(value: object) -> tuple[str, ...]:
    # Strings by the API page; other official clients also allow objects and a single string.
    items = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return tuple(map(_output_url, items))


def _output_url(item: object) -> str:
    if isinstance(item, dict):
        item = item.get("url")
    return item if isinstance(item, str) else ""


def _flags(value: object) -> tuple[bool | None, ...]:
    items = value if isinstance(value, list) else []
    return tuple([item if isinstance(item, bool) else None for item in items])


def _inference_ms(data: Mapping[str, Any]) -> int | None:
    timings = data.get("timings")
    value = timings.get("inference") if isinstance(timings, dict) else None
    # 0 stands in the submit answer for "not measured yet".
    whole = _whole(value) or 0
    return whole if whole > 0 else None


def _reason(value: object) -> str:
    """A text, the ``message`` of an object, or those of a list, as far as it is worth keeping."""
    if isinstance(value, list):
        value = "; ".join(filter(None, map(_reason, value[:10])))
    elif isinstance(value, dict):
        value = value.get("message") or value.get("msg")
    return _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return plain(value[:MAX_ERROR_CHARACTERS])[:MAX_ERROR_CHARACTERS]


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and math.isfinite(value):
        value = round(value)
    return value if isinstance(value, int) and abs(value) < 2**53 else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise WireError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Two different ids, say: whichever is taken may be the wrong one.
        raise WireError("the answer gives a field twice")
    return found


def _sound(value: object, depth: int = 0) -> object:
    """*value* without lone surrogates, and not deeper than whoever looks at it can follow."""
    if depth > MAX_DEPTH:
        raise WireError(f"an answer of more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_sound(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", k): _sound(v, depth + 1) for k, v in value.items()}
    return value


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_integer, object_pairs_hook=_object
)
