"""A dataset, finished or not, for Python programs."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.dataset.folder import DatasetFolder, open_own
from batchgen.dataset.rows.kinds import kind_of_all
from batchgen.dataset.rows.manifest import columns
from batchgen.dataset.rows.row import ImageRow
from batchgen.dataset.stores.holdings import Holdings
from batchgen.errors import StorageError, UsageError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_TIMES = ("created_at", "submitted_at", "completed_at", "saved_at")


@dataclass(frozen=True)
class Dataset:
    """The rows of a dataset; nothing is read before it is asked for."""

    folder: DatasetFolder

    def __iter__(self) -> Iterator[ImageRow]:
        """The rows of the manifest in the order the images landed, read one at a time."""
        holdings = Holdings(self.folder)
        for file in _row_files(self.folder):
            with file.open("rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):  # a run may be writing the last one right now
                        yield ImageRow(json.loads(line), holdings)

    @property
    def summary(self) -> dict[str, object]:
        """The summary of the last run; empty before the first one ended.

        Raises StorageError when it cannot be read.
        """
        path = self.folder.summary
        try:
            with open_own(path, os.O_RDONLY, "r") as file:
                found = json.load(file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise StorageError(f"{path} is no JSON object; the next run writes it anew")
        return found

    def to_arrow(self) -> "pa.Table":
        """All rows as a table, with a type for each column; unknown is null.

        A column of values that are not alike holds them as JSON. Raises UsageError when pyarrow
        is not installed.
        """
        arrow = _library("pyarrow")
        table = self._by_column()
        types = {
            "bool": arrow.bool_(),
            "int": arrow.int64(),
            "float": arrow.float64(),
            "text": arrow.string(),
        }
        arrays = {}
        for name, values in table.items():
            kind = kind_of_all(name, values)
            cells = [_text(value) for value in values] if kind == "text" else values
            array = arrow.array(cells, types[kind])
            arrays[name] = array.cast(arrow.timestamp("ms", "UTC")) if name in _TIMES else array
        return arrow.table(arrays)

    def to_pandas(self) -> "pd.DataFrame":
        """All rows as a data frame; whole numbers stay whole where some are unknown.

        Raises UsageError when pandas is not installed.
        """
        pandas = _library("pandas")
        table = self._by_column()
        frame: pd.DataFrame = pandas.DataFrame(table).convert_dtypes()
        for name, values in table.items():
            # Whole numbers of dollars are no reason for another type.
            if kind_of_all(name, values) == "float":
                frame[name] = frame[name].astype("Float64")
        for name in set(_TIMES) & set(frame):
            frame[name] = pandas.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame

    def _by_column(self) -> dict[str, list[object]]:
        table: dict[str, list[object]] = {name: [] for name in columns()}
        for number, row in enumerate(self):
            if number == 0:  # every row has the same columns, in the order of the manifest
                table = {name: [] for name in row}
            for name, values in table.items():
                values.append(row.get(name))
        return table


def open_dataset(path: str | Path) -> Dataset:
    """The dataset in the folder *path*. Raises UsageError when there is none."""
    folder = DatasetFolder(Path(path))
    if not _row_files(folder):
        raise no_dataset(folder.root, "manifest.jsonl")
    return Dataset(folder)


def no_dataset(root: Path, lacks: str) -> UsageError:
    """What is said where a dataset was expected at *root*, which *lacks* what makes it one."""
    what = f"it has no {lacks}" if root.is_dir() else "there is no such folder"
    return UsageError(f"expected a dataset at {root}, but {what}")


def _row_files(folder: DatasetFolder) -> list[Path]:
    """Where the rows are: in the manifest, or with the parts of what is not merged yet."""
    if folder.manifest_jsonl.is_file():
        return [folder.manifest_jsonl]
    return sorted(folder.ledgers.glob("[0-9][0-9].jsonl"))


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _library(name: str) -> Any:  # noqa: ANN401  # a module without types
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed; run pip install {name}") from None
