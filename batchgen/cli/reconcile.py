"""``batchgen reconcile``: settle submits that may have been paid."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import forgiving_pipes, show_json, tell
from batchgen.errors import ExitCode

if TYPE_CHECKING:
    from batchgen.run.uncertain.settle import Settled


@click.command()
@click.argument("folder", metavar="DIR", type=DatasetPath())
@click.option("--base-url", metavar="URL", help="The address of the service.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 86_400),
    default=90.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the history may take to show a prediction.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reconcile(folder: Path, base_url: str | None, grace: float, as_json: bool) -> int:
    """Settle the submits in DIR whose answers were never read.

    Asks the service's history of the past seven days. A submit is adopted when exactly one
    prediction can be its own, and released when there is none; all others stay held. Nothing is
    bought. Run the job again afterwards.
    """
    import asyncio
    from dataclasses import asdict

    from batchgen.cli.logs import logging_to
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.text import counted

    with logging_to(DatasetFolder(folder).log, tell):
        settled, stopped = asyncio.run(_settle(folder, base_url, grace))
    code = stopped or (ExitCode.UNCERTAIN if settled.held else ExitCode.OK)
    settled_now = settled.adopted or settled.absent
    verdict = f"nothing is uncertain{' any more; run the job again' if settled_now else ''}"
    if settled.held:
        are, them = ("is", "it") if settled.held == 1 else ("are", "them")
        verdict = f"{counted(settled.held, 'submit')} {are} still held; "
        verdict += f"batchgen run --on-uncertain resubmit sends {them} again and may pay twice"
    with forgiving_pipes():
        if as_json:
            show_json(asdict(settled))
        else:
            _print(settled)
    tell(f"batchgen: {code.word}: {verdict}")
    return code


def _print(settled: "Settled") -> None:
    from batchgen.cli.words import table

    table(
        [
            ("adopted", f"{settled.adopted:,} were made; the next run collects them"),
            ("released", f"{settled.absent:,} made nothing; the next run submits them"),
            ("held", f"{settled.held:,}" + (f": {settled.why}" if settled.held else "")),
            ("others", f"{settled.strangers:,} paid predictions that are not known here"),
        ]
    )


async def _settle(folder: Path, base_url: str | None, grace: float) -> "tuple[Settled, ExitCode]":
    from batchgen.run.pace.stop import Stop, signals
    from batchgen.run.uncertain.reconciling import reconcile_dataset

    stop = Stop()
    with signals(stop):
        settled = await reconcile_dataset(folder, base_url=base_url, grace=grace, stop=stop)
    return settled, stop.code
