"""``batchgen init``: a first job file."""

import json
import os
import re
from pathlib import Path

import click

from batchgen.cli.screen import show

_HERE = Path(__file__).parent
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
    help="Use the prompts of a file: .txt (a line each), .csv, .tsv or .jsonl.",
)
def init(path: Path, prompts: Path | None) -> None:
    """Write a first job file, commented, that runs as it is.

    Beside it goes batchgen.schema.json, by which an editor with a YAML language server knows the
    keys of a job. No file is ever overwritten.
    """
    from batchgen.errors import BatchgenError
    from batchgen.job.grammar.schema import job_schema
    from batchgen.job.load import load_job
    from batchgen.text import counted

    _write_new(path, _starter(path, prompts))
    try:
        job = load_job(path)
    except BatchgenError:
        path.unlink()  # the prompts are of no use, and so is a job of them
        raise
    number, images = counted(len(job.prompts), "prompt"), counted(job.image_count(), "image")
    show(f"wrote {path}: {number}, {images}")
    schema = path.with_name(_SCHEMA)
    if not schema.exists():
        _write_new(schema, json.dumps(job_schema(), indent=2) + "\n")
        show(f"wrote {schema}, for help in your editor")
    show(f"look at it, then:  batchgen plan {path}  and  batchgen run {path}")


def _starter(path: Path, prompts: Path | None) -> str:
    """The text of a job at *path*, of the file *prompts* if there is one."""
    name = "starter_prompts.yaml" if prompts else "starter.yaml"
    stem = re.sub(r"[^a-z0-9_.-]+", "-", path.stem.lower()).strip("-._") or "job"
    text = (_HERE / name).read_text("utf-8")
    text = text.replace("job.yaml", path.name).replace("name: my-job\n", f"name: {stem}\n")
    if not prompts:
        return text
    from batchgen.job.texts.promptfiles import read_rows

    # Room to grow, and not for one zero too many.
    most = max(10_000, 10 * sum(1 for _ in read_rows(prompts)))
    file = json.dumps(os.path.relpath(prompts, path.parent), ensure_ascii=False)
    text = text.replace("file: prompts.txt\n", f"file: {file}\n")
    return text.replace("max_variants: 10000 ", f"max_variants: {most:<5} ")


def _write_new(path: Path, text: str) -> None:
    """Write *text* to a file that is not there yet. Raises UsageError."""
    from batchgen.errors import UsageError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
