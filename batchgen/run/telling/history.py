"""The runs of a dataset, one after the other: a line when one begins and a line when it ends."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from batchgen.dataset.folder import DatasetFolder, append_lines, write_whole
from batchgen.errors import ExitCode
from batchgen.run.telling.accounts import Outcome
from batchgen.run.telling.hooks import Begun


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A run of the past, or the one that goes on."""

    run: str
    started_at: str
    ended_at: str | None = None
    """None for a run that goes on, or was killed; all below is None then too."""
    exit_code: int | None = None
    word: str | None = None
    """The class of the exit code."""
    why: str | None = None
    images_made: int | None = None
    spent_usd: float | None = None
    """By this run; None too when the price of the model is unknown."""
    wall_s: float | None = None


_KINDS: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "started_at": str,
    "ended_at": str,
    "exit_code": int,
    "word": str,
    "why": str,
    "images_made": int,
    "spent_usd": (int, float),
    "wall_s": (int, float),
}


def remember_begin(begun: Begun) -> None:
    """Write down that a run has begun. Raises StorageError."""
    begin = {"run": begun.run, "started_at": begun.started_at}
    append_lines(begun.folder.runs, {**begin, "pid": os.getpid(), "host": socket.gethostname()})


def remember_end(folder: DatasetFolder, outcome: Outcome, *, spent_before: int) -> None:
    """Write down how a run ended, and when all was well. Raises StorageError.

    *spent_before* is what the dataset had cost before it, in millionths of a US dollar.
    """
    spent = None if outcome.spent_usd is None else round(outcome.spent_usd - spent_before / 1e6, 6)
    append_lines(
        folder.runs,
        {
            "run": outcome.run,
            "started_at": outcome.started_at,
            "ended_at": outcome.ended_at,
            "exit_code": int(outcome.exit_code),
            "word": outcome.exit_code.word,
            "why": outcome.why,
            "images_made": outcome.images_made,
            "spent_usd": spent,
            "wall_s": outcome.wall_s,
        },
    )
    if outcome.exit_code is ExitCode.OK and not outcome.shard:
        write_whole(folder.last_success, [f"{outcome.ended_at}\n"])


def past_runs(folder: DatasetFolder) -> Iterator[PastRun]:
    """The runs of the dataset in the order they began; what is none of ours is left out."""
    found: dict[str, dict[str, object]] = {}
    if folder.runs.is_file():
        with folder.runs.open("rb") as lines:
            for line in lines:
                facts = _facts(line)
                if "run" in facts:
                    found.setdefault(str(facts["run"]), {}).update(facts)
    for facts in found.values():
        if "started_at" in facts:
            yield PastRun(**facts)  # type: ignore[arg-type]  # they were checked one by one


def _facts(line: bytes) -> dict[str, object]:
    """What a line tells, as far as it can be read: it is only a file, which others may edit."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    known = _KINDS.items() if isinstance(told, dict) else ()
    return {name: told[name] for name, kind in known if isinstance(told.get(name), kind)}
