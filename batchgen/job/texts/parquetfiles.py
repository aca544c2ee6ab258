"""Prompts in Parquet files: the columns are fields, as in a table of text."""

import json
from collections.abc import Iterator
from pathlib import Path

from batchgen.errors import JobError, UsageError
from batchgen.job.source.files import Place
from batchgen.job.source.wording import describe

_ROWS = 1_000  # read at a time


def parquet_rows(raw: bytes, path: Path) -> Iterator[tuple[Place, dict[str, object]]]:
    """The rows of the file *raw*, by their number. What is null is not set.

    Raises UsageError without pyarrow and for what is no Parquet file, JobError for a value that no
    parameter can have.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        needs = "needs pyarrow, which is not installed; run pip install 'batchgen[parquet]'"
        raise UsageError(f"the prompt file {path} {needs}") from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(raw))
        number = 0
        for batch in file.iter_batches(batch_size=_ROWS):
            for row in batch.to_pylist():
                number += 1
                place = Place(file=str(path), line=number, column=1)
                yield place, _fields(row, place)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"cannot read the prompt file {path}: {error}") from None


def _fields(row: dict[str, object], place: Place) -> dict[str, object]:
    fields = {name: value for name, value in row.items() if value is not None}
    if type(fields.get("id")) is int:
        fields["id"] = str(fields["id"])
    for name, value in fields.items():
        try:
            json.dumps(value, allow_nan=False)  # a list may hold what cannot be sent, too
        except (TypeError, ValueError):
            several = isinstance(value, list | dict)
            kind = "a list of something else" if several else f"a {type(value).__name__}"
            got = str(value) if isinstance(value, float) else kind
            wrong = f"expected a text, a number, true or false in {name}, got {got}"
            raise JobError([place.problem(wrong)]) from None
    if not {"text", "prompt"} & set(row):
        wrong = "expected a column called text or prompt"
        raise JobError([place.problem(f"{wrong}, got {describe(', '.join(row))}")])
    return fields
