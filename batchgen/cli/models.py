"""``batchgen models``: what is known about models."""

import click

from batchgen.cli.screen import show, show_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def models(as_json: bool) -> None:
    """List the models that are known, with parameters and prices.

    Any other model of the service works too: a run asks the service's catalog about it first.
    """
    from batchgen.job.models import MODELS, RESOLUTIONS

    if as_json:
        show_json([_document(model) for model in MODELS.values()], indent=2)
        return
    for model in MODELS.values():
        price = "unknown" if model.price_micros is None else f"${model.price_micros / 1e6:g}"
        show(f"{model.id}  ({price} an image)")
        for parameter in model.parameters:
            default = "" if parameter.default is None else f"; default {parameter.default}"
            need = "; required" if parameter.required else ""
            show(f"  {parameter.name:<16}{parameter.expected}{default}{need}")
        for ratio, (width, height) in model.sizes.items():
            scales = RESOLUTIONS.values() if model.parameter("resolution") else (1,)
            each = [f"{width * scale} × {height * scale}" for scale in scales]
            show(f"  {ratio:<16}{' or '.join(each)} pixels")


def _document(model: object) -> dict[str, object]:
    from dataclasses import asdict

    from batchgen.job.models import Model

    assert isinstance(model, Model)
    return {
        "id": model.id,
        "price_usd": None if model.price_micros is None else model.price_micros / 1e6,
        "parameters": [
            {name: value for name, value in asdict(parameter).items() if name != "barred"}
            for parameter in model.parameters
        ],
        "sizes": dict(model.sizes),
    }
