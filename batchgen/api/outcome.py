"""What came of a request, as values: for a submit, above all, whether it may have cost money.

There is no idempotency key, so a submit is sent again only when the answer proves that nothing was
created. Everything else is uncertain and is held.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from batchgen.api.wire import (
    Answer,
    Prediction,
    WireError,
    read_answer,
    read_prediction,
)
from batchgen.text import plain

MAX_RETRY_AFTER = 120.0


class Fate(Enum):
    """What a submit that brought no prediction means."""

    NOT_SENT = "not sent"
    """Nothing left this machine: send it again."""
    THROTTLED = "throttled"
    """Turned away before anything was created: send it again later."""
    REJECTED = "rejected"
    """This request will never be accepted; nothing was created."""
    ACCOUNT = "account"
    """Key, permission or balance: no request will be accepted."""
    MISDIRECTED = "misdirected"
    """What answers is not the API, or the model is gone: no request will be accepted."""
    UNCERTAIN = "uncertain"
    """Something may have been created and billed."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A submit that brought no prediction."""

    fate: Fate
    reason: str
    status: int | None = None
    retry_after: float | None = None
    """Seconds the service asked to wait, between 0 and 120."""


class Poll(Enum):
    """What a poll that brought no prediction means."""

    TRANSIENT = "transient"
    MISSING = "missing"
    ACCOUNT = "account"


@dataclass(frozen=True, kw_only=True)
class PollProblem:
    """A poll that brought no prediction; the prediction itself is untouched by it."""

    kind: Poll
    reason: str
    retry_after: float | None = None


# Related services report an empty account as HTTP 400 "Insufficient credits". A message may quote
# a prompt, so a lone "balance" in it says nothing, and neither do words that the request holds.
_ACCOUNT_WORDS = re.compile(
    r"insufficient (account )?(balance|credit|fund|quota)|top.?up (your|the) account"
    r"|(balance|credits?|quota) (is |are )?(too low|exhausted|exceeded|insufficient|not enough)",
    re.IGNORECASE,
)
_PERMANENT = frozenset({400, 404, 405, 409, 413, 415, 422})
_ACCOUNT = frozenset({401, 402, 403})
_LATER = frozenset({429, 503})


def read_submit(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: Mapping[str, object] | None = None,
) -> Prediction | Refusal:
    """What the answer to the submit of *request* means. Never raises."""
    wait = retry_after(headers.get("Retry-After"))
    redirected = 300 <= status < 400
    try:
        answer = read_answer(status, body)
    except WireError as error:
        if redirected:
            return _redirected(status, headers)
        return _without_envelope(status, f"HTTP {status}: {error}", wait)
    code = status if status >= 400 else answer.code
    if status < 300 and 200 <= code < 300:
        return _accepted(answer, status)
    reason = f"HTTP {status}: {answer.message}" if answer.message else f"HTTP {status}"
    if doubt := _doubt(answer, status):
        return Refusal(fate=Fate.UNCERTAIN, reason=f"{reason}; but {doubt}", status=code)
    if redirected:
        return _redirected(status, headers)
    fate = _fate(status, code, broke=_speaks_of_money(answer.message, (request or {}).values()))
    if status == 503 and (wait is not None or (answer.enveloped and answer.code in _LATER)):
        # The API's own words, or a plain "come back later". A gateway's JSON page is neither, and
        # another code of its own tells of what happened behind the gateway.
        fate = Fate.THROTTLED
    return Refusal(fate=fate, reason=reason, status=code, retry_after=wait)


def read_poll(
    status: int, headers: Mapping[str, str], body: bytes, prediction_id: str
) -> Prediction | PollProblem:
    """What the answer to a poll of *prediction_id* means. Never raises."""
    wait = retry_after(headers.get("Retry-After"))
    try:
        answer = read_answer(status, body)
        code = status if status >= 300 else answer.code
        if status == 200 and code == 200:
            prediction = read_prediction(answer.data)
            if prediction.id == prediction_id:
                return prediction
            return PollProblem(kind=Poll.TRANSIENT, reason="the answer is about another prediction")
        reason = f"HTTP {status}: {answer.message}"
        told = answer.enveloped
    except WireError as error:
        code, reason, told = status, f"HTTP {status}: {error}", False
    kind = Poll.TRANSIENT
    if code in _ACCOUNT:
        kind = Poll.ACCOUNT
    elif code in {404, 410} and told:
        # A gateway's page says nothing about the prediction behind it.
        kind = Poll.MISSING
    return PollProblem(kind=kind, reason=reason, retry_after=wait)


def retry_after(value: str | None) -> float | None:
    """The seconds of a Retry-After header, a number or a date, between 0 and 120."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    # The comparison also turns a NaN into 0.
    return min(seconds, MAX_RETRY_AFTER) if seconds > 0 else 0.0


def _accepted(answer: Answer, status: int) -> Prediction | Refusal:
    try:
        return read_prediction(answer.data)
    except WireError as error:
        return Refusal(fate=Fate.UNCERTAIN, reason=f"HTTP {status}: {error}", status=status)


def _doubt(answer: Answer, status: int) -> str:
    """What in a refusal speaks against it, so that it does not prove that nothing was created."""
    if answer.names_something:
        return "the answer names a prediction"
    if status < 400 or not answer.enveloped:
        return ""
    # A code that is no HTTP status is the business of the API and says nothing of this.
    broke = answer.code == 408 or (500 <= answer.code < 600 and answer.code not in _LATER)
    if answer.code < 300 or (broke and status not in {answer.code, 503}):
        return f"its own code is {answer.code}"
    return ""


def _redirected(status: int, headers: Mapping[str, str]) -> Refusal:
    target = plain(headers.get("Location", "elsewhere")[:200])
    reason = f"HTTP {status}: redirected to {target}"
    # "See Other" is what answers a POST that was carried out.
    fate = Fate.UNCERTAIN if status == 303 else Fate.MISDIRECTED
    return Refusal(fate=fate, reason=reason, status=status)


def _without_envelope(status: int, reason: str, wait: float | None) -> Refusal:
    """A gateway's page: only a client error or an explicit "come back later" proves anything."""
    fate = Fate.UNCERTAIN
    if status in _ACCOUNT:
        fate = Fate.ACCOUNT
    elif status == 429 or (status == 503 and wait is not None):
        fate = Fate.THROTTLED
    elif status in _PERMANENT:
        # Not the API's own words about a request, so it would say the same of every other one.
        fate = Fate.MISDIRECTED
    return Refusal(fate=fate, reason=reason, status=status, retry_after=wait)


def _speaks_of_money(message: str, asked: Iterable[object]) -> bool:
    """Whether *message* says that the account is empty, in words that are not of what was asked."""
    found = {words[0].lower() for words in _ACCOUNT_WORDS.finditer(message)}
    texts = [str(value).lower() for value in asked] if found else []
    return any(not any(words in text for text in texts) for words in found)


def _fate(status: int, code: int, *, broke: bool) -> Fate:
    if code in _ACCOUNT or (400 <= code < 429 and broke):
        return Fate.ACCOUNT
    if code == 429:
        return Fate.THROTTLED
    if code == 404:
        # A submit names nothing but the model besides its parameters.
        return Fate.MISDIRECTED
    told = status == 200 and 400 <= code < 500 and code != 408
    return Fate.REJECTED if code in _PERMANENT or told else Fate.UNCERTAIN
