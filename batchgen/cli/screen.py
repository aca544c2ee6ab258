"""The screen: the one place that prints, so that no word from outside can fool a terminal.

Answers of a service, names of files and prompts are data. What of it could move a cursor, hide or
reorder text, or start a line of its own is shown by its code instead, and the key never.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TextIO

import click

from batchgen.errors import Problem
from batchgen.text import plain, redact, starred

MAX_LINE = 2_000
_json_lines = False


def fitted(line: str, most: int = MAX_LINE) -> str:
    """One line as the screen shows it: without the key, plain, and at most *most* characters."""
    line = plain(redact(line))
    more = len(line) - most
    return line if more <= 0 else f"{line[:most]}… ({more:,} characters more)"


def show(line: str) -> None:
    """Print one line of a result on stdout."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    # Stderr does by itself what stdout has to be told: no character is worth an exit code.
    click.echo(fitted(line).encode(encoding, "backslashreplace").decode(encoding))


def show_json(value: object, indent: int | None = None) -> None:
    """Print a JSON document on stdout, in ASCII; it is exact, so nothing of it is left out."""
    click.echo(redact(json.dumps(value, indent=indent)))


def clear() -> None:
    """Make a terminal empty, where there is one that can be; a blank line separates elsewhere."""
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        click.echo("\x1b[H\x1b[2J", nl=False)
    else:
        click.echo()


def speak_json(yes: bool) -> None:
    """Let every line on stderr be a JSON object from now on, for programs that collect logs."""
    global _json_lines  # noqa: PLW0603  # as there is one stderr
    _json_lines = yes


def tell(line: str, level: str = "info", /, **facts: object) -> None:
    """Print one line of what is no result on stderr; a lost one ends nothing.

    *level* and *facts* are for programs, which are given JSON.
    """
    try:
        click.echo(_as_json(line, level, facts) if _json_lines else fitted(line), err=True)
    except OSError:
        _silence(sys.stderr)


def _as_json(line: str, level: str, facts: dict[str, object]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = fitted(line).removeprefix("batchgen: ").removeprefix(f"{level}: ")
    return redact(json.dumps({"time": now, "level": level, "message": message, **facts}))


def tell_above(line: str) -> None:
    """Print one line on stderr above a progress bar."""
    from tqdm import tqdm

    with suppress(OSError):
        tqdm.write(fitted(line), file=sys.stderr)


@contextmanager
def counting(unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar for what may take minutes, told how many are done, of how many; None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit=f" {unit}", leave=False, delay=0.5) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch


def tell_problem(problem: Problem, before: str = "") -> None:
    """Print a mistake in a job file: its place, its line and a caret, after the text *before*."""
    # What is plain already has no line ends but those of the layout.
    problem = replace(
        problem,
        file=plain(problem.file),
        message=plain(problem.message),
        source=starred(problem.source),  # before a part of it is shown, in which no key is whole
    )
    level = "warning" if before else "error"
    if _json_lines:
        place = {"file": problem.file, "line": problem.line, "column": problem.column}
        tell(problem.message, level, **place)
        return
    for line in f"{before}{problem}".split("\n"):
        tell(line)


def tell_bug(error: BaseException, why: str = "") -> None:
    """Print a traceback, after the line *why* if there is one."""
    parts = traceback.format_exception(error)
    if _json_lines:
        tell(why or "an internal error", "error", traceback="".join(parts))
        return
    if why:
        tell(why)
    for part in parts:
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


def complete_streams() -> None:
    """Open what whoever started the process has closed, to nowhere.

    A file of ours would take its place otherwise, and be written to by whatever prints.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


@contextmanager
def forgiving_pipes() -> Iterator[None]:
    """Let a reader that has gone away, or a full disk, cost its lines but not the exit code."""
    try:
        yield
    except OSError:
        if not silence_broken():
            raise


def silence_broken() -> bool:
    """Send what cannot be written to nowhere; Python would make it the exit code otherwise.

    Returns whether there was a stream to silence. A reader that has gone away has seen enough;
    other causes are told.
    """
    found = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            found = True
            _silence(stream)
            if not isinstance(error, BrokenPipeError):
                tell(f"batchgen: not all could be printed: {error.strerror or error}")
    return found


def _silence(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
