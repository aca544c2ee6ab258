"""``batchgen plan``: check a job and say what it would make, without a request."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.screen import show_json, tell_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.job.load import Job
    from batchgen.job.variants import Variant


# What people call the states of the ledger.
_WORDS = {
    "planned": "new",
    "submitting": "in flight",
    "submitted": "in flight",
    "completed": "to be downloaded",
}


@click.command()
@click.argument("job_file", metavar="JOB.yaml", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The dataset folder.")
@click.option("--service", type=click.Choice(["wavespeed", "local"]), help="Who makes the images.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line for each variant.")
def plan(job_file: Path, out: Path | None, service: str | None, as_json: bool) -> None:
    """Check, count and price JOB.yaml.

    Compares it with its dataset, if there is one. Nothing is sent and nothing is written.
    """
    from batchgen.job.load import load_job

    job = load_job(job_file)
    for warning in job.warnings:
        tell_problem(warning, "warning: ")
    free = (service or job.service) == "local"
    states = _states(job, out or job.folder)
    if as_json:
        for variant, state in states:
            show_json(_line(job, variant, state or "planned", free=free))
    else:
        _print(job, states, out or job.folder, free=free)


def _states(job: "Job", root: Path) -> "Iterator[tuple[Variant, str | None]]":
    """Every variant with its state in the dataset, None without one; looked up in hundreds."""
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.ledger.store import Ledger

    path = DatasetFolder(root).ledger
    if not path.exists():
        yield from ((variant, None) for variant in job.variants)
        return
    with Ledger(path, read_only=True) as ledger:
        for start in range(0, len(job.variants), 500):
            chunk = list(job.variants[start : start + 500])
            known = ledger.known([variant.key for variant in chunk])
            for variant in chunk:
                entry = known.get(variant.key)
                yield variant, str(entry.state) if entry else None


def _line(job: "Job", variant: "Variant", state: str, *, free: bool) -> dict[str, object]:
    images = job.model.images(variant.request)
    cost = 0 if free else job.model.cost_micros(variant.request)
    return {
        "variant_key": variant.key,
        "prompt_id": variant.prompt_id,
        "state": state,
        "model": variant.model,
        "request": dict(variant.request),
        "images": images,
        "price_usd": None if cost is None else cost / 1e6,
        # The service names no file type before the image is there; Imagen sends PNG.
        "file_names": [f"{job.image_name(variant, index)}.png" for index in range(images)],
    }


def _print(
    job: "Job", states: "Iterator[tuple[Variant, str | None]]", root: Path, *, free: bool
) -> None:
    from batchgen.cli.words import money, table

    found: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    micros = known = 0
    for variant, state in states:
        known += state is not None
        found[_WORDS.get(state or "planned", str(state))] += 1
        size, images = job.model.size(variant.request), job.model.images(variant.request)
        sizes[f"{size[0]} × {size[1]}" if size else "an unknown size"] += images
        if state in {None, "planned"}:
            micros += job.model.cost_micros(variant.request) or 0
    if unwanted := _entries(root) - known:
        found["no longer wanted"] = unwanted
    priced = free or job.model.price_micros is not None
    prompts = "1 prompt" if len(job.prompts) == 1 else f"{len(job.prompts):,} prompts"
    axes = "".join(f" × {name}" for name in job.axes)
    table(
        [
            ("job", f"{job.name} ({job.file})"),
            ("model", f"{job.model.id} on {'the local service' if free else 'WaveSpeedAI'}"),
            ("variants", f"{len(job.variants):,} ({prompts}{axes})"),
            ("images", ", ".join(f"{n:,} of {size}" for size, n in sizes.items())),
            ("price", money(micros / 1e6 if priced else None, free=free) + _unit(job, free=free)),
            ("dataset", f"{root}: " + ", ".join(f"{n:,} {name}" for name, n in found.items())),
        ]
    )


def _entries(root: Path) -> int:
    """How many variants the dataset knows, asked for or not."""
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.ledger.store import Ledger

    path = DatasetFolder(root).ledger
    if not path.exists():
        return 0
    with Ledger(path, read_only=True) as ledger:
        return ledger.size()


def _unit(job: "Job", *, free: bool) -> str:
    if free or job.model.price_micros is None:
        return ""
    return f" for what is new, at ${job.model.price_micros / 1e6:g} an image"
