"""The exceptions a caller may meet, and the exit code each of them stands for.

::

    BatchgenError          1  a bug, unless a class below says otherwise
    ├── UsageError         2  an option, a path or the environment is wrong; nothing was sent
    │   ├── JobError       2  the job file is wrong; carries every problem with its place
    │   └── ApprovalError  2  a run costs so much that somebody has to say yes first
    ├── StorageError       7  disk full, read-only, a failed write or fsync, a damaged ledger
    ├── LockedError        8  another run owns the dataset
    └── NotGivenBackError  4  workers keep parts of the dataset (130 or 143 after a signal)

What happens to *one* variant (a rejected prompt, a lost answer) is a value, never an exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells the scheduler that started it."""

    OK = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    INCOMPLETE = 4
    UNCERTAIN = 5
    ACCOUNT = 6
    STORAGE = 7
    LOCKED = 8
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def word(self) -> str:
        """The class of the code, as the summary and the last line name it."""
        return "signal" if self in {self.INTERRUPTED, self.TERMINATED} else self.name.lower()


class BatchgenError(Exception):
    """Base of every error batchgen raises on purpose; its text is one plain sentence."""

    exit_code: ExitCode = ExitCode.BUG


class UsageError(BatchgenError):
    """An option, a path or an environment variable cannot be used as given."""

    exit_code = ExitCode.USAGE


class ApprovalError(UsageError):
    """A run may cost so much that somebody has to say yes first; nothing was sent."""

    def __init__(self, cost: str) -> None:
        """Keep what it may *cost*, as half a sentence."""
        self.cost = cost
        super().__init__(
            f"{cost}; say --yes, or how much the dataset may cost with run.budget or --budget"
        )


class StorageError(BatchgenError):
    """The dataset folder cannot be written or its ledger cannot be trusted."""

    exit_code = ExitCode.STORAGE


class LockedError(BatchgenError):
    """Another run owns the dataset."""

    exit_code = ExitCode.LOCKED


class NotGivenBackError(BatchgenError):
    """Workers keep parts of the dataset of a run that has ended: how far it is cannot be told."""

    def __init__(self, code: ExitCode, words: str) -> None:
        """Keep how the run ends, as incomplete or by a signal."""
        self.exit_code = code
        super().__init__(words)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in a job file or a prompt file.

    ``line`` and ``column`` count from 1; ``source`` is the text of that line, for the caret.
    """

    file: str
    line: int
    column: int
    message: str
    source: str = ""

    def __str__(self) -> str:
        """``file:line:column: message``, then the line itself with a caret under the place."""
        place = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if not self.source:
            return place
        # A long line (a prompt of 2,000 characters) is shown around the place only.
        start = max(0, self.column - 41)
        shown = self.source[start : start + 80].replace("\t", " ")
        return f"{place}\n    {shown}\n    {' ' * (self.column - 1 - start)}^"


class JobError(UsageError):
    """The job file is wrong. ``problems`` holds all that was found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems in reading order and say them one after the other."""
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column)))
        super().__init__("\n".join(map(str, self.problems)))
