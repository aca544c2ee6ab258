"""``batchgen init``: a first job file."""

import json
import os
import re
from pathlib import Path

import click

from batchgen.cli.screen import show

_STARTER = Path(__file__).with_name("starter.yaml")
_SCHEMA = "batchgen.schema.json"


@click.command()
@click.argument(
    "path", metavar="[JOB.yaml]", type=click.Path(path_type=Path), default=Path("job.yaml")
)
@click.option(
    "--from",
    "prompts",
    metavar="PROMPTS",
    type=click.Path(path_type=Path),
    help="A file of prompts to use: .txt (a line each), .csv, .tsv or .jsonl.",
)
def init(path: Path, prompts: Path | None) -> None:
    """Write a first job file, commented, that runs as it is.

    Beside it goes batchgen.schema.json, by which an editor with a YAML language server knows the
    keys of a job. No file is ever overwritten.
    """
    from batchgen.errors import BatchgenError, UsageError
    from batchgen.job.load import load_job

    text = _STARTER.read_text("utf-8").replace("job.yaml", path.name)
    stem = re.sub(r"[^a-z0-9_.-]+", "-", path.stem.lower()).strip("-._") or "job"
    text = text.replace("name: my-job\n", f"name: {stem}\n")
    if prompts:
        text = _with_prompts(text, prompts, path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    try:
        job = load_job(path)
    except BatchgenError:
        path.unlink()  # the prompts are of no use, and so is a job of them
        raise
    show(f"wrote {path}: {len(job.prompts):,} prompts, {job.image_count():,} images")
    if _write_schema(path.with_name(_SCHEMA)):
        show(f"wrote {path.with_name(_SCHEMA)}, for help in your editor")
    show(f"look at it, then:  batchgen plan {path}  and  batchgen run {path}")


def _with_prompts(text: str, prompts: Path, folder: Path) -> str:
    """The starter with the file *prompts* instead of its own prompts."""
    file = json.dumps(os.path.relpath(prompts, folder), ensure_ascii=False)
    before, _, rest = text.partition("\nprompts:\n")
    _, _, after = rest.partition("\nmatrix:\n")
    return (
        f"{before}\nprompts:\n  - file: {file}\n    # negative_prompt: people"
        "     # any parameter, for every prompt of the file\n\n"
        f"# Every list multiplies.\nmatrix:\n{after}"
    )


def _write_schema(path: Path) -> bool:
    """Write the schema to *path* unless there is a file. Raises UsageError."""
    from batchgen.errors import UsageError
    from batchgen.job.schema import job_schema

    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(job_schema(), file, indent=2)
            file.write("\n")
    except FileExistsError:
        return False
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return True
