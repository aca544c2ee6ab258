"""``batchgen init``: a first job file."""

from pathlib import Path

import click

from batchgen.cli.screen import show

STARTER = """\
# A batchgen job. Try it without a key:  batchgen run {name}
name: {stem}
service: local            # the local service; leave this line out to use WaveSpeedAI

prompts:
  - id: teapot            # names the prompt in the manifest and in file names
    text: A blue enamel teapot on a windowsill, morning light
  - id: harbour
    text: A small harbour in fog, fishing boats, muted colours
    negative_prompt: people

matrix:                   # every list multiplies: 2 prompts × 2 seeds × 2 ratios
  seed: [1, 2]            # or "0..99", or {{start: 1000, count: 4}}
  aspect_ratio: [1:1, 16:9]

run:
  concurrency: 8          # predictions in flight
  # rate: 60              # images per minute
  # budget: 5             # US dollars for the dataset as a whole
"""


@click.command()
@click.argument(
    "path", metavar="[JOB.yaml]", type=click.Path(path_type=Path), default=Path("job.yaml")
)
def init(path: Path) -> None:
    """Write a first job file, commented, that runs as it is."""
    import re

    from batchgen.errors import UsageError

    stem = re.sub(r"[^a-z0-9_.-]+", "-", path.stem.lower()).strip("-._") or "job"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(name=path, stem=stem))
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    show(f"wrote {path}; now run:  batchgen run {path}")
