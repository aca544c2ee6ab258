"""What runs have learned about latencies, kept in the dataset and in the user's cache folder.

It only makes polling cheaper: a file that is missing, odd or cannot be written is passed over.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from batchgen.dataset.folder import write_whole
from batchgen.errors import StorageError
from batchgen.ledger.entry import Entry
from batchgen.run.pace.latency import Latencies

log = logging.getLogger(__name__)

VERSION = 1
# Kinds of requests kept in one file: those met last.
KINDS = 100
_MAX_BYTES = 1024 * 1024


class Experience:
    """The latencies of every kind of request, by model, size and number of images."""

    def __init__(self, origin: str, files: Iterable[Path] = ()) -> None:
        """Begin with the first of *files* that knows a kind; *origin* names the service."""
        self._origin = origin
        self._files = tuple(files)
        self._kept: dict[str, dict[int, float]] = {}
        for file in reversed(self._files):
            self._kept |= _read(file)
        self._met: dict[str, Latencies] = {}

    def of(self, entry: Entry) -> Latencies:
        """The latencies of requests like that of *entry*."""
        size = entry.request.get("resolution") or entry.request.get("size") or ""
        kind = f"{self._origin} {entry.model} {entry.images_asked} {size}".rstrip()
        if kind not in self._met:
            self._met[kind] = Latencies(self._kept.get(kind))
        return self._met[kind]

    def keep(self) -> None:
        """Write what was learned, where that is possible."""
        met = {kind: latencies.counts() for kind, latencies in self._met.items()}
        kinds = dict(list({**self._kept, **met}.items())[-KINDS:])
        for file in self._files if met else ():
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(file, [json.dumps({"version": VERSION, "kinds": kinds})])
            except (OSError, StorageError) as error:
                log.debug("the latencies are not kept: %s", error)


def cache_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the user's cache folder has the latencies of all datasets."""
    home = Path(environment.get("HOME") or "/nonexistent")
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "batchgen" / "latency.json"


def _read(file: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        if file.is_file() and file.stat().st_size <= _MAX_BYTES:
            content = json.loads(file.read_bytes())
            kinds = content["kinds"].items() if content.get("version") == VERSION else ()
            for kind, counts in kinds:
                found[kind] = {int(k): float(c) for k, c in counts.items() if 0 < float(c) < 1e4}
    return found
