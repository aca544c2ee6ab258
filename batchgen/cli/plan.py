"""``batchgen plan``: check a job and say what it would make, without sending a submit."""

from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.screen import show_json, tell, tell_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.job.load import Job
    from batchgen.job.variants import Variant
    from batchgen.ledger.entry import State
    from batchgen.ledger.store import Ledger

_CHUNK = 2_000

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
@click.option("--check", is_flag=True, help="Ask the service's catalog about the model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line for each variant.")
def plan(job_file: Path, out: Path | None, service: str | None, check: bool, as_json: bool) -> None:
    """Check, count and price JOB.yaml.

    Compares it with its dataset, if there is one. Nothing is written, and nothing is sent: only
    --check asks for the list of models, when batchgen models does not have the model.
    """
    from batchgen.job.load import load_job

    job = load_job(job_file)
    for warning in job.warnings:
        tell_problem(warning, "warning: ")
    free = (service or job.service) == "local"
    if not job.model.documented and check:
        _check(job, service or job.service)
    elif not job.model.documented:
        tell("note: batchgen plan --check asks the service's catalog about it, as a run does first")
    root = out or job.folder
    if as_json:
        for variant, state in _states(job, root):
            show_json(_line(job, variant, state, free=free))
    else:
        _print(job, root, free=free)


def _check(job: "Job", service: str) -> None:
    import asyncio

    from batchgen.run.checking import check_plan
    from batchgen.run.service import find_access

    told = asyncio.run(check_plan(job, find_access(service, None)))
    if isinstance(told, str):
        tell(f"warning: {told}")
        return
    price = "unknown" if told.base_price is None else f"${told.base_price:g}"
    tell(f"note: the service's catalog has {told.id}, at a base price of {price}")


@contextmanager
def _ledger(root: Path) -> "Iterator[Ledger | None]":
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.ledger.store import Ledger

    path = DatasetFolder(root).ledger
    if not path.exists():
        yield None
        return
    with Ledger(path, read_only=True) as ledger:
        yield ledger


def _states(job: "Job", root: Path) -> "Iterator[tuple[Variant, str]]":
    """Every variant with its state in the dataset."""
    with _ledger(root) as ledger:
        for start in range(0, len(job.variants), _CHUNK):
            chunk = list(job.variants[start : start + _CHUNK])
            known = ledger.states([variant.key for variant in chunk]) if ledger else {}
            for variant in chunk:
                yield variant, str(known.get(variant.key, "planned"))


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


def _print(job: "Job", root: Path, *, free: bool) -> None:
    from batchgen.cli.words import table
    from batchgen.text import money

    found, images_known = _found(job, root)
    sizes: Counter[str] = Counter()
    asked = ("aspect_ratio", "resolution", "num_images")
    for values, number in job.variants.tally(*asked).items():
        # A parameter that is not set is not in the request.
        request = {n: v for n, v in zip(asked, values, strict=True) if v is not None}
        size, images = job.model.size(request), job.model.images(request)
        sizes[f"{size[0]} × {size[1]}" if size else "an unknown size"] += images * number
    new = sizes.total() - images_known
    price = None if job.model.price_micros is None else job.model.price_micros * new / 1e6
    prompts = "1 prompt" if len(job.prompts) == 1 else f"{len(job.prompts):,} prompts"
    axes = "".join(f" × {name}" for name in job.axes)
    table(
        [
            ("job", f"{job.name} ({job.file})"),
            ("model", f"{job.model.id} on {'the local service' if free else 'WaveSpeedAI'}"),
            ("variants", f"{len(job.variants):,} ({prompts}{axes})"),
            ("images", ", ".join(f"{n:,} of {size}" for size, n in sizes.items())),
            ("price", money(price, free=free) + _unit(job, free=free)),
            ("dataset", f"{root}: " + ", ".join(f"{n:,} {name}" for name, n in found.items())),
        ]
    )


def _found(job: "Job", root: Path) -> tuple[Counter[str], int]:
    """How many variants are in each state, in words, and the images that are not new."""
    with _ledger(root) as ledger:
        if not ledger:
            return Counter(new=len(job.variants)), 0
        if ledger.meta().get("plan") == job.variants.fingerprint():
            states, images = ledger.counts(), ledger.images_asked()
        else:
            # The ledger has counted what another form of the job asks for.
            states, images = _walked(job, ledger)
        found = Counter(new=len(job.variants) - states.total())
        for state, number in states.items():
            found[_WORDS.get(state, state)] += number
        found["no longer wanted"] = ledger.size() - states.total()
        return +found, images


def _walked(job: "Job", ledger: "Ledger") -> "tuple[Counter[State], int]":
    """How many variants are in each state, and the images of those that are not new."""
    states: Counter[State] = Counter()
    images = 0
    each = {
        job.model.images({"num_images": asked}) for (asked,) in job.variants.tally("num_images")
    }
    for start in range(0, len(job.variants), _CHUNK):
        part = job.variants[start : start + _CHUNK]
        keys = list(part.keys())
        known = ledger.states(keys)
        states.update(known.values())
        made = [i for i, key in enumerate(keys) if known.get(key, "planned") != "planned"]
        if len(each) == 1:
            images += len(made) * next(iter(each))
        else:
            images += sum(job.model.images(part[index].request) for index in made)
    return states, images


def _unit(job: "Job", *, free: bool) -> str:
    if free or job.model.price_micros is None:
        return ""
    return f" for what is new, at ${job.model.price_micros / 1e6:g} an image"
