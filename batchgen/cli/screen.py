"""The screen: the one place that prints, so that no word from outside can fool a terminal.

Answers of a service, names of files and prompts are data. What of it could move a cursor, hide or
reorder text, or start a line of its own is shown by its code instead, and the key never.
"""

import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TextIO

import click

from batchgen.api.key import redact
from batchgen.errors import Problem

MAX_LINE = 2_000
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


def plain(text: str) -> str:
    r"""*text* on one line, with ``\xNN`` or ``\uNNNN`` for what does not show as itself."""
    return _UNSAFE.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def fitted(line: str) -> str:
    """One line as the screen shows it: without the key, plain, and at most 2,000 characters."""
    line = plain(redact(line))
    more = len(line) - MAX_LINE
    return line if more <= 0 else f"{line[:MAX_LINE]}… ({more:,} characters more)"


def show(line: str) -> None:
    """Print one line of a result on stdout."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    # Stderr does by itself what stdout has to be told: no character is worth an exit code.
    click.echo(fitted(line).encode(encoding, "backslashreplace").decode(encoding))


def show_json(value: object, indent: int | None = None) -> None:
    """Print a JSON document on stdout, in ASCII; it is exact, so nothing of it is left out."""
    click.echo(redact(json.dumps(value, indent=indent)))


def tell(line: str) -> None:
    """Print one line of what is no result on stderr; a lost one ends nothing."""
    try:
        click.echo(fitted(line), err=True)
    except OSError:
        _silence(sys.stderr)


def tell_above(line: str) -> None:
    """Print one line on stderr above a progress bar."""
    from tqdm import tqdm

    with suppress(OSError):
        tqdm.write(fitted(line), file=sys.stderr)


def tell_problem(problem: Problem, before: str = "") -> None:
    """Print a mistake in a job file: its place, its line and a caret, after the text *before*."""
    # What is plain already has no line ends but those of the layout.
    problem = replace(problem, file=plain(problem.file), message=plain(problem.message))
    for line in f"{before}{problem}".split("\n"):
        tell(line)


def tell_bug(error: BaseException, why: str = "") -> None:
    """Print a traceback, after the line *why* if there is one."""
    if why:
        tell(why)
    for part in traceback.format_exception(error):
        for line in part.rstrip("\n").split("\n"):
            tell(line)


def guard_tracebacks() -> None:
    """Let Python print the tracebacks of what nobody catches by way of :func:`tell_bug`."""

    def in_main(_: object, error: BaseException, __: object) -> None:
        tell_bug(error)

    def in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            tell_bug(found.exc_value, "Exception in a thread:")

    def nowhere(found: "sys.UnraisableHookArgs") -> None:
        if found.exc_value is not None:
            tell_bug(found.exc_value, "Exception ignored:")

    sys.excepthook = in_main
    threading.excepthook = in_thread
    sys.unraisablehook = nowhere


@contextmanager
def forgiving_pipes() -> Iterator[None]:
    """Let a reader that has gone away cost its lines but not the exit code."""
    try:
        yield
    except BrokenPipeError:
        silence_broken()


def silence_broken() -> None:
    """Send what nobody reads to nowhere; Python would make it the exit code otherwise."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _silence(stream)


def _silence(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
