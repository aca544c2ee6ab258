"""The dataset folder that a command is given, and what is said when it is a job file instead."""

import os
from pathlib import Path

import click


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
        """The path. Raises UsageError when it is a file."""
        from batchgen.errors import BatchgenError, UsageError
        from batchgen.job.load import load_job

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.is_file():
            return path
        if path.suffix not in (".yaml", ".yml"):
            raise UsageError(f"expected the folder of a dataset, got the file {path}")
        try:
            meant = str(load_job(path).folder)
        except BatchgenError:
            meant = "its output.dir, or out/ and its name"
        raise UsageError(
            f"expected the folder of a dataset, got the job file {path}; its dataset is {meant}"
        )
