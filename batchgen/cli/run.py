"""``batchgen run``: make the dataset of a job, or go on making it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.screen import forgiving_pipes, show_json, tell, tell_problem

if TYPE_CHECKING:
    from batchgen.cli.progress import Progress
    from batchgen.errors import ApprovalError
    from batchgen.job.load import Job
    from batchgen.run.accounts import Outcome
    from batchgen.run.options import RunOptions


@click.command()
@click.argument("job_file", metavar="JOB.yaml", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The dataset folder.")
@click.option("--service", type=click.Choice(["wavespeed", "local"]), help="Who makes the images.")
@click.option("--base-url", metavar="URL", help="The address of the service.")
@click.option("--tier", metavar="NAME", help="Of the account: bronze, silver, gold or ultra.")
@click.option("--concurrency", type=int, metavar="N", help="Predictions in flight.")
@click.option("--rate", type=float, metavar="N", help="Images per minute.")
@click.option("--budget", type=float, metavar="USD", help="The most this dataset may cost.")
@click.option("--yes", is_flag=True, help="Spend more than $50 without being asked.")
@click.option("--limit", type=int, metavar="N", help="Send no more than N submits.")
@click.option("--max-duration", metavar="6h", help="Send no submits after this long.")
@click.option("--max-failures", metavar="N|P%", help="Stop when more variants fail.")
@click.option(
    "--on-uncertain",
    type=click.Choice(["hold", "resubmit"]),
    help="Hold what may have been paid (default), or submit it again.",
)
@click.option("--retry-failed", is_flag=True, help="Submit again what failed for good.")
@click.option("--resubmit-expired", is_flag=True, help="Buy again what expired.")
@click.option("--resubmit-lost", is_flag=True, help="Buy again what was lost.")
@click.option("--verbose", "-v", is_flag=True, help="Say more, and log every request.")
@click.option("--quiet", is_flag=True, help="Print nothing when all goes well.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
def run(job_file: Path, verbose: bool, quiet: bool, as_json: bool, **options: object) -> int:
    """Make the dataset of JOB.yaml, or go on making it.

    Running the same command again continues where the last run ended; a finished job makes no
    request. Ctrl-C ends the run tidily: what is paid is collected now or by the next run.
    """
    import asyncio
    import gc
    from dataclasses import replace

    from batchgen.cli.logs import logging_to
    from batchgen.cli.progress import choose
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.errors import ApprovalError
    from batchgen.job.load import load_job
    from batchgen.run.options import RunOptions

    job = load_job(job_file)
    chosen = RunOptions(**options)  # type: ignore[arg-type]  # click has checked the types
    if not quiet:
        for warning in job.warnings:
            tell_problem(warning, "warning: ")
    log = DatasetFolder(chosen.out or job.folder).log
    with (
        choose(quiet=quiet or (as_json and not verbose)) as progress,
        logging_to(log, progress.write, verbose=verbose),
    ):
        # What is imported lives to the end: not looking through it again and again takes a tenth
        # off the CPU of a run.
        gc.freeze()
        try:
            outcome = asyncio.run(_make(job, chosen, progress))
        except ApprovalError as error:
            _ask(error)
            outcome = asyncio.run(_make(job, replace(chosen, yes=True), progress))
    with forgiving_pipes():
        if as_json:
            show_json(outcome.summary())
        elif not quiet:
            _print(outcome)
    if not quiet or outcome.exit_code:
        tell(f"batchgen: {outcome.sentence()}")
    return outcome.exit_code


def _ask(error: "ApprovalError") -> None:
    """Ask whether that much may be spent. Raises *error* where nobody can answer."""
    import sys

    from batchgen.errors import UsageError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise error
    try:
        yes = click.confirm(f"{error.cost[0].upper()}{error.cost[1:]}. Go on?", err=True)
    except click.Abort:
        tell("")  # the line of the question is not ended
        raise
    if not yes:
        raise UsageError("nothing was sent")


async def _make(job: "Job", options: "RunOptions", progress: "Progress") -> "Outcome":
    import asyncio

    from batchgen.run.hooks import Hooks
    from batchgen.run.making import run_job
    from batchgen.run.stop import Stop, signals

    stop = Stop()
    ticker = asyncio.create_task(progress.tick())
    with signals(stop):
        try:
            return await run_job(job, options, stop=stop, hooks=Hooks(progress=progress))
        finally:
            ticker.cancel()
            for words in stop.last_words:
                tell(f"batchgen: not recorded: {words}")


def _print(outcome: "Outcome") -> None:
    from batchgen.cli.words import spend, table
    from batchgen.text import duration, size

    c = outcome.counts
    others = {
        "failed": c.failed,
        "uncertain": c.uncertain,
        "expired": c.expired,
        "short": c.short,
        "left": c.pending,
    }
    states = "".join(f", {number:,} {name}" for name, number in others.items() if number)
    made = f"{outcome.images_made:,} images in {duration(outcome.wall_s)}"
    asked = f"{outcome.submits:,} submits, {outcome.polls:,} polls, {outcome.retries:,} retries"
    flagged = f"{outcome.nsfw:,} flagged NSFW"
    table(
        [
            ("dataset", str(outcome.dataset)),
            ("variants", f"{c.saved:,} of {c.planned:,} saved{states}"),
            ("images", f"{outcome.images:,} ({size(outcome.bytes)}), {flagged}"),
            ("spend", spend(outcome)),
            ("this run", f"{made}, {asked}"),
        ]
    )
