"""Where the words of the rooms go: all of them to run.log, those that matter to the screen."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from batchgen.cli.screen import fitted
from batchgen.dataset.folder import NEW, open_own

# A night in which every variant fails alike must not fill a mailbox; run.log has them all.
SHOWN_WARNINGS = 10
MAX_LOG_LINE = 16_384  # characters; a traceback fits
ASKED = "asked"
"""Marks a record (as an *extra*) that the user has asked for: it is shown, whatever its level."""

Write = Callable[[str, str], object]
"""Prints a line; the second text says how grave it is."""


@contextmanager
def logging_to(file: Path | None, write: Write, *, verbose: bool = False) -> Iterator[None]:
    """Send what is logged to *file* and its warnings to *write*, while the block lasts.

    With *verbose*, *write* also gets what is no warning, and the file what is only for
    developers. Other libraries are heard when they warn.
    """
    handlers: list[logging.Handler] = [Shown(write, verbose=verbose)]
    if file:
        handlers.append(LogFile(file))
    logging.getLogger("batchgen").setLevel(logging.DEBUG if verbose else logging.INFO)
    root = logging.getLogger()
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            with suppress(OSError):  # what could not be written before cannot be now
                handler.close()


class OneLine(logging.Formatter):
    """One event is one line of at most 16,384 characters, whatever is in it, without a key."""

    def __init__(self) -> None:
        """Times are UTC."""
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The line, the traceback of an exception included."""
        return fitted(super().format(record), MAX_LOG_LINE)


class LogFile(logging.FileHandler):
    """A log that may fail: it tells of a run and must not end one."""

    def __init__(self, path: Path) -> None:
        """Open *path* with the first record, which comes after its folder was claimed."""
        super().__init__(path, encoding="utf-8", delay=True)
        self.setFormatter(OneLine())

    def _open(self) -> IO[str]:  # type: ignore[override]  # any text file does
        return open_own(Path(self.baseFilename), NEW | os.O_APPEND, "a")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, if that is possible."""
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """Pass the error on; by itself, logging would print the record and a traceback."""
        if error := sys.exception():
            raise error


class Shown(logging.Handler):
    """Shows the first warnings of a run; all of them are in run.log."""

    def __init__(self, write: Write, *, verbose: bool) -> None:
        """Show them by way of *write*; with *verbose* every one, and what is no warning too."""
        super().__init__()
        self._least = logging.INFO if verbose else logging.WARNING
        self._write = write
        self._left = sys.maxsize if verbose else SHOWN_WARNINGS

    def emit(self, record: logging.LogRecord) -> None:
        """Show one more, or say once that there are more."""
        asked = hasattr(record, ASKED)
        if record.levelno < self._least and not asked:
            return
        if self._left > 0 or asked:
            error = f": {_words(record.exc_info[1])}" if record.exc_info else ""
            level = record.levelname.lower()
            self._write(f"batchgen: {level}: {record.getMessage()}{error}", level)
        elif self._left == 0:
            more = "batchgen: warning: there are more; .batchgen/run.log has them"
            self._write(more, "warning")
        self._left -= not asked


def _words(error: BaseException | None) -> str:
    """An exception without its repr, which may hold what it was given."""
    return f"{type(error).__name__}: {error}"
