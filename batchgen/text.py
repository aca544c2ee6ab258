"""Words and numbers for people: no character can fool a terminal, and no key is among them."""

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1, which hold the escape sequences of terminals
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # change the direction of what follows
    "\u2028\u2029"  # end a line
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u2060-\u2065\u206a-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"  # cannot be seen
    "\ud800-\udfff]"  # cannot be written
    # A joiner cannot be seen either, but between two pictures it makes one of them.
    "|(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d"
)
# A shorter text is a stand-in from a rehearsal, and may be a part of any word.
_SHORTEST_SECRET = 8
_secrets: dict[str, re.Pattern[str]] = {}


def plain(text: str) -> str:
    r"""*text* on one line, with ``\xNN`` or ``\uNNNN`` for what does not show as itself."""
    return text if _is_plain(text) else _UNSAFE.sub(_code, text)


def aligned(text: str) -> str:
    """*text* on one line and as long as before: U+FFFD for what does not show, tabs stay."""
    return text if _is_plain(text) else _UNSAFE.sub(_mark, text)


def keep_secret(text: str) -> None:
    """Let :func:`redact` know a key of this process."""
    if len(text) >= _SHORTEST_SECRET:
        _secrets[text] = re.compile("".join(map(_any_form, text)))


def redact(text: str) -> str:
    """*text* with three stars for every key of this process, plain, JSON- or percent-encoded.

    To be called before a text is cut: a part of a key is not known.
    """
    as_it_is = "\\" not in text and "%" not in text  # as most answers: a fifth of the time
    for secret, any_form in _secrets.items():
        text = text.replace(secret, "***") if as_it_is else any_form.sub("***", text)
    return text


def starred(text: str) -> str:
    """*text* with as many stars as it has characters for every key, so that places stay."""
    for secret in _secrets.values():
        text = secret.sub(lambda found: "*" * len(found[0]), text)
    return text


def counted(number: int, thing: str) -> str:
    """``1 image``, ``1,200 images``; for a *thing* whose plural ends in s."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def money(usd: float | None, *, free: bool = False) -> str:
    """``$1.44``, ``none`` on the local service, ``unknown`` without a price."""
    if free:
        return "none (the local service charges nothing)"
    return "unknown" if usd is None else f"${usd:,.2f}" if usd >= 0.995 else f"${usd:.3f}"


def size(count: int) -> str:
    """``12.3 MB``; powers of ten, as disks are sold."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """``42 s``, ``7 min``, ``3 h 20 min``, ``4 d 3 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if hours >= 72:
        return f"{hours // 24:,} d {hours % 24} h"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _any_form(character: str) -> str:
    r"""A pattern for *character* as it is, as ``\u0041`` or ``\"`` in JSON, as ``%41`` in a URL."""
    code = f"{ord(character):02x}"
    before = r"\\*" if character in "\"'\\/" else ""  # JSON within JSON has several
    return rf"(?:{before}{re.escape(character)}|\\u00(?i:{code})|%(?i:{code}))"


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()  # nearly every text, at a tenth of the time


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _mark(found: re.Match[str]) -> str:
    return "\t" if found[0] == "\t" else "\ufffd"
