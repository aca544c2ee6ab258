"""A dataset, finished or not, for Python programs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import UsageError


@dataclass(frozen=True)
class Dataset:
    """The rows of a dataset; nothing is read before it is asked for."""

    folder: DatasetFolder

    def __iter__(self) -> Iterator[dict[str, object]]:
        """The rows of the manifest in the order the images landed, read one at a time."""
        with self.folder.manifest_jsonl.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # a run may be writing the last one right now
                    yield json.loads(line)

    def path(self, row: dict[str, object]) -> Path:
        """Where the image of *row* is."""
        return self.folder.root / str(row["file_name"])

    @property
    def summary(self) -> dict[str, object]:
        """The summary of the last run; empty before the first one ended."""
        if not self.folder.summary.exists():
            return {}
        summary: dict[str, object] = json.loads(self.folder.summary.read_text("utf-8"))
        return summary


def open_dataset(path: str | Path) -> Dataset:
    """The dataset in the folder *path*. Raises UsageError when there is none."""
    folder = DatasetFolder(Path(path))
    if not folder.manifest_jsonl.is_file():
        raise UsageError(f"expected a dataset at {path}, but it has no manifest.jsonl")
    return Dataset(folder)
