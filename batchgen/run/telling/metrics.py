"""A run as a text file for Prometheus, as node_exporter's textfile collector reads it."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, write_whole
from batchgen.errors import StorageError
from batchgen.run.telling.accounts import Counts, Outcome
from batchgen.run.telling.hooks import Begun
from batchgen.run.telling.tally import Tally

log = logging.getLogger(__name__)

EVERY = 15.0  # seconds, which is how often Prometheus looks by default

_HELP = {
    "running": "Whether a run goes on.",
    "images": "Images saved in the dataset.",
    "images_planned": "Images that the job asks for.",
    "images_nsfw": "Images flagged NSFW.",
    "spent_usd": "Spent or possibly spent for the dataset.",
    "in_flight": "Predictions in flight.",
    "variants": "Variants by state at the end of the last run.",
    "exit_code": "Exit code of the last run.",
    "started_timestamp_seconds": "When the run began.",
    "ended_timestamp_seconds": "When the last run ended.",
    "last_success_timestamp_seconds": "When a run last ended with every image saved.",
}


class Metrics:
    """Writes the file; a file that cannot be written is warned of once and ends nothing."""

    def __init__(self, file: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to *file*; to nowhere for None."""
        self._file = file
        self._clock = clock
        self._due = -math.inf
        self._begun: Begun | None = None

    def begun(self, begun: Begun) -> None:
        """A run has begun: from now on there is something to tell."""
        self._begun = begun

    def going_on(self, tally: Tally) -> None:
        """Tell of a run that goes on, as often as it is worth it."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + EVERY
        self._write(
            {
                "running": 1,
                "images": tally.images,
                "images_planned": tally.images_planned,
                "images_nsfw": tally.nsfw,
                "spent_usd": tally.spent_micros / 1e6,
                "in_flight": tally.in_flight,
            }
        )

    def ended(self, outcome: Outcome) -> None:
        """Tell how the run has ended."""
        values = {
            "running": 0,
            "images": outcome.images,
            "images_planned": outcome.images_planned,
            "images_nsfw": outcome.nsfw,
            "spent_usd": outcome.spent_usd,
            "in_flight": 0,
            "exit_code": int(outcome.exit_code),
            "ended_timestamp_seconds": _seconds(outcome.ended_at),
        }
        self._write({n: v for n, v in values.items() if v is not None}, outcome.counts)

    def _write(self, values: Mapping[str, float], counts: Counts | None = None) -> None:
        if self._file is None or self._begun is None:
            return
        more = {"started_timestamp_seconds": _seconds(self._begun.started_at)}
        if success := _last_success(self._begun.folder):
            more["last_success_timestamp_seconds"] = success
        names = ("saved", "failed", "uncertain", "expired", "pending") if counts else ()
        states = {name: getattr(counts, name) for name in names}
        try:
            write_whole(self._file, _lines(self._begun, {**values, **more}, states))
        except StorageError as error:
            log.warning("no metrics: %s", error)
            self._file = None


def _lines(begun: Begun, values: Mapping[str, float], states: Mapping[str, int]) -> Iterator[str]:
    labels = f'job="{_escaped(begun.job)}",dataset="{_escaped(str(begun.folder.root.absolute()))}"'
    for name, value in values.items():
        yield from _head(name)
        yield f"batchgen_{name}{{{labels}}} {value:.15g}\n"
    if states:
        yield from _head("variants")
    for state, number in states.items():
        yield f'batchgen_variants{{{labels},state="{state}"}} {number}\n'


def _head(name: str) -> Iterator[str]:
    yield f"# HELP batchgen_{name} {_HELP[name]}\n"
    yield f"# TYPE batchgen_{name} gauge\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _last_success(folder: DatasetFolder) -> float | None:
    try:
        return _seconds(folder.last_success.read_text("ascii").strip())
    except (OSError, ValueError):  # none yet, or somebody wrote into it
        return None
