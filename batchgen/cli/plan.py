"""``batchgen plan``: check a job and say what it would make, without sending a submit."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.folders import OutPath
from batchgen.cli.screen import show_json, tell, tell_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.job.load import Job
    from batchgen.job.variants import Variant


@click.command()
@click.argument("job_file", metavar="JOB.yaml", type=click.Path(path_type=Path))
@click.option("--out", type=OutPath(), help="The dataset folder, or s3://bucket/prefix.")
@click.option("--service", type=click.Choice(["wavespeed", "local"]), help="Who makes the images.")
@click.option("--tier", metavar="NAME", help="Of the account: bronze, silver, gold or ultra.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the job.")
@click.option("--only", multiple=True, metavar="NAME=VALUE", help="Plan these variants alone.")
@click.option("--check", is_flag=True, help="Ask the service's catalog about the model.")
@click.option("--explain", metavar="KEY|INDEX", help="Show where each value of a variant is from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line for each variant.")
def plan(job_file: Path, check: bool, as_json: bool, **options: object) -> None:
    """Say what JOB.yaml would make, and what it would cost.

    It is checked, and compared with its dataset. Nothing is written, and nothing is sent: only
    --check asks for the list of models, when batchgen models does not have the model.
    """
    from batchgen.cli.preview import print_preview, warn
    from batchgen.job.advice import advise
    from batchgen.job.expansion.unique import prove_names, too_many_to_prove
    from batchgen.job.load import load_job
    from batchgen.run.plan.preview import preview
    from batchgen.run.terms.options import RunOptions

    part = {name: options.pop(name) for name in ("overrides", "only")}
    job = load_job(job_file, **part)  # type: ignore[arg-type]  # click has checked the types
    explain = options.pop("explain")
    chosen = RunOptions(**options)  # type: ignore[arg-type]  # click has checked the types
    service = chosen.service or job.service
    for warning in job.warnings:
        tell_problem(warning, "warning: ")
    if explain:
        from batchgen.cli.origins import print_origins

        print_origins(job, str(explain))
        return
    if too_many := too_many_to_prove(job):
        tell(f"warning: a run would be refused: {too_many}")
    else:
        prove_names(job)
    found = preview(job, chosen)
    for sentence in (*advise(job), *warn(found)):
        tell(f"warning: {sentence}")
    unlisted = any(not model.documented for model in job.models)
    if unlisted and check:
        _check(job, service)
    elif unlisted:
        tell("note: batchgen plan --check asks the service's catalog about it, as a run does first")
    if as_json:
        for line in _lines(job, chosen.folder(job), free=service == "local"):
            show_json(line)
    else:
        print_preview(job, found, part=bool(part["only"]))


def _check(job: "Job", service: str) -> None:
    import asyncio

    from batchgen.run.plan.checking import check_plan
    from batchgen.run.terms.access import find_access

    for told in asyncio.run(check_plan(job, find_access(service, None))):
        if isinstance(told, str):
            tell(f"warning: {told}")
            continue
        price = "unknown" if told.base_price is None else f"${told.base_price:g}"
        tell(f"note: the service's catalog has {told.id}, at a base price of {price}")


def _lines(job: "Job", root: Path, *, free: bool) -> "Iterator[dict[str, object]]":
    from batchgen.run.plan.stock import states

    for variant, state in states(job, root):
        yield _line(job, variant, str(state), free=free)


def _line(job: "Job", variant: "Variant", state: str, *, free: bool) -> dict[str, object]:
    from batchgen.job.models import find_model

    model = find_model(variant.model)
    images = model.images(variant.request)
    cost = 0 if free else model.cost_micros(variant.request)
    return {
        "variant_key": variant.key,
        "prompt_id": variant.prompt_id,
        "state": state,
        "model": variant.model,
        "request": dict(variant.request),
        "images": images,
        "price_usd": None if cost is None else cost / 1e6,
        "file_names": [f"{job.image_name(variant, n)}{_ending(variant)}" for n in range(images)],
    }


def _ending(variant: "Variant") -> str:
    """What the request asks for by a name that many models have; Imagen sends PNG unasked."""
    asked = str(variant.request.get("output_format", "png")).lower()
    return {"jpeg": ".jpg", "jpg": ".jpg", "webp": ".webp"}.get(asked, ".png")
