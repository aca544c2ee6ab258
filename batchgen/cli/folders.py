"""The dataset that a command is given: a folder, or the address of one in a bucket."""

import os
from pathlib import Path

import click


class OutPath(click.Path):
    """Where a dataset goes: a path, or the address of a bucket as it was written."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | Path:
        """A text for an address."""
        if "://" in os.fspath(value):
            return str(value)
        return Path(os.fsdecode(super().convert(value, param, ctx)))


class DatasetPath(click.Path):
    """A path that may be a dataset: of a job file it is said which folder was meant."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        """The path; of a bucket, that of its working folder, brought up to date.

        Raises UsageError when it is a file.
        """
        from batchgen.errors import BatchgenError, UsageError
        from batchgen.job.load import load_job

        if "://" in os.fspath(value):
            from batchgen.run.bucket.bringing import visit

            return visit(os.fspath(value))
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.is_file():
            return path
        if path.suffix not in (".yaml", ".yml"):
            raise UsageError(f"expected the folder of a dataset, got the file {path}")
        try:
            job = load_job(path)
            meant = job.address or str(job.folder)
        except BatchgenError:
            meant = "its output.dir, or out/ and its name"
        raise UsageError(
            f"expected the folder of a dataset, got the job file {path}; its dataset is {meant}"
        )
