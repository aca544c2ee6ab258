"""``batchgen run``: make the dataset of a job, or go on making it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.folders import OutPath
from batchgen.cli.screen import forgiving_pipes, show_json, speak_json, tell, tell_problem
from batchgen.errors import ApprovalError, BatchgenError, ExitCode, LockedError, UsageError

if TYPE_CHECKING:
    from batchgen.cli.progress import Progress
    from batchgen.job.load import Job
    from batchgen.run.pace.stop import Stop
    from batchgen.run.sharing.lending import Engine
    from batchgen.run.telling.accounts import Outcome
    from batchgen.run.telling.metrics import Metrics
    from batchgen.run.telling.notify import Targets
    from batchgen.run.terms.options import RunOptions


@click.command()
@click.argument("job_file", metavar="JOB.yaml", type=click.Path(path_type=Path))
@click.option("--out", type=OutPath(), help="The dataset folder, or s3://bucket/prefix.")
@click.option("--service", type=click.Choice(["wavespeed", "local"]), help="Who makes the images.")
@click.option("--base-url", metavar="URL", help="The address of the service.")
@click.option("--tier", metavar="NAME", help="Of the account: bronze, silver, gold or ultra.")
@click.option("--concurrency", type=int, metavar="N", help="Predictions in flight.")
@click.option("--rate", type=float, metavar="N", help="Images per minute.")
@click.option("--budget", type=float, metavar="USD", help="The most this dataset may cost.")
@click.option("--yes", is_flag=True, help="Spend more than $50 without being asked.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the job.")
@click.option("--only", multiple=True, metavar="NAME=VALUE", help="Make these variants alone.")
@click.option("--limit", type=int, metavar="N", help="Send no more than N submits.")
@click.option("--max-duration", metavar="6h", help="Send no submits after this long.")
@click.option("--window", metavar="22:00-06:00", help="Send submits at these hours only.")
@click.option("--min-free", metavar="2GB", help="Stop when the disk has less room.")
@click.option("--max-failures", metavar="N|P%", help="Stop when more variants fail.")
@click.option(
    "--if-locked",
    type=click.Choice(["fail", "skip", "wait"]),
    default="fail",
    help="When another run owns the dataset: fail (default), exit 0, or wait.",
)
@click.option(
    "--on-uncertain",
    type=click.Choice(["hold", "resubmit"]),
    help="Hold what may have been paid (default), or submit it again.",
)
@click.option("--shard", metavar="I/N", help="Make shard I of N only; auto in a job array.")
@click.option("--on", metavar="ray[://HOST:PORT]", help="Make the shards on Ray.")
@click.option("--retry-failed", is_flag=True, help="Submit again what failed for good.")
@click.option("--resubmit-expired", is_flag=True, help="Buy again what expired.")
@click.option("--resubmit-lost", is_flag=True, help="Buy again what was lost.")
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep a text file for Prometheus up to date.",
)
@click.option("--verbose", "-v", is_flag=True, help="Say more, and log every request.")
@click.option("--quiet", is_flag=True, help="Print nothing when all goes well.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="What stderr is: text (default), or a JSON object on each line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
def run(
    job_file: Path, verbose: bool, quiet: bool, as_json: bool, log_format: str, **options: object
) -> int:
    """Make the dataset of JOB.yaml, or go on making it.

    Running the same command again continues where the last run ended; a finished job makes no
    request. Ctrl-C ends the run tidily: what is paid is collected now or by the next run.
    """
    import gc

    from batchgen.cli.logs import logging_to
    from batchgen.cli.progress import choose
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.run.pace.stop import Stop
    from batchgen.run.telling.metrics import Metrics
    from batchgen.run.telling.notify import find_targets
    from batchgen.run.terms.options import RunOptions

    lines = log_format == "json"
    speak_json(lines)
    if_locked, metrics = options.pop("if_locked"), Metrics(options.pop("metrics"))  # type: ignore[arg-type]  # click has checked the types
    targets = find_targets()
    part = {name: options.pop(name) for name in ("overrides", "only")}
    job = _load(job_file, targets, part)
    chosen = RunOptions(wait_if_locked=if_locked == "wait", **options)  # type: ignore[arg-type]  # click has checked the types
    if not quiet:
        for warning in job.warnings:
            tell_problem(warning, "warning: ")
    log = DatasetFolder(chosen.folder(job)).log
    with (
        choose(quiet=quiet or (as_json and not verbose), lines=lines) as progress,
        logging_to(log, progress.write, verbose=verbose),
    ):
        # What is imported lives to the end: not looking through it again and again takes a tenth
        # off the CPU of a run.
        gc.freeze()
        around = _Around(stop=Stop(), progress=progress, metrics=metrics, targets=targets)
        ended = _run(job, chosen, around, skip=if_locked == "skip")
    return _end(ended, quiet=quiet, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What ends a run, and who is told of it."""

    stop: "Stop"
    progress: "Progress"
    metrics: "Metrics"
    targets: "Targets"


@dataclass(frozen=True)
class _Unstarted:
    """A run that another run left no room for, which is well when that was asked for."""

    exit_code: ExitCode
    why: str
    run: str = ""

    def summary(self) -> dict[str, object]:
        """For programs."""
        return {"exit_code": int(self.exit_code), "class": self._word, "why": self.why}

    def sentence(self) -> str:
        """For people."""
        return f"{self._word}: {self.why}"

    @property
    def _word(self) -> str:
        # Only a whole dataset is called ok.
        return self.exit_code.word if self.exit_code else "skipped"


def _load(job_file: Path, targets: "Targets", part: dict[str, object]) -> "Job":
    """The job; a job file that is wrong is told of as a run that failed."""
    from batchgen.job.load import load_job
    from batchgen.run.telling.notify import tell_failure

    try:
        return load_job(job_file, **part)  # type: ignore[arg-type]  # click has checked the types
    except BatchgenError as error:
        tell_failure(targets, job_file.stem, error)
        raise


def _run(
    job: "Job", options: "RunOptions", around: _Around, *, skip: bool
) -> "Outcome | _Unstarted":
    """Run the job, once more when it had to be asked for; *skip* a dataset that is in use."""
    import asyncio
    from dataclasses import replace

    from batchgen.run.pace.stop import Stop

    try:
        try:
            return asyncio.run(_make(job, options, around))
        except ApprovalError as error:
            _ask(error, job, around.targets)
            # What the first loop has waited for belongs to it alone.
            around = replace(around, stop=Stop())
            return asyncio.run(_make(job, replace(options, yes=True), around))
    except LockedError as error:
        stop = around.stop
        if not stop.leaving and not skip:
            raise
        return _Unstarted(stop.code, stop.why or f"nothing was done; {error}")


def _ask(error: ApprovalError, job: "Job", targets: "Targets") -> None:
    """Ask whether that much may be spent. Raises *error* where nobody can answer."""
    import sys

    from batchgen.run.telling.notify import tell_failure

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        tell_failure(targets, job.name, error)
        raise error
    try:
        yes = click.confirm(f"{error.cost[0].upper()}{error.cost[1:]}. Go on?", err=True)
    except click.Abort:
        tell("")  # the line of the question is not ended
        raise
    if not yes:
        raise UsageError("nothing was sent")


async def _make(job: "Job", options: "RunOptions", around: _Around) -> "Outcome":
    """Run the job, and let everybody know how it goes who is to know."""
    import asyncio
    import signal

    from batchgen.run.making import run_job
    from batchgen.run.pace.stop import signals
    from batchgen.run.telling.hooks import Begun, Hooks
    from batchgen.run.telling.notify import notified
    from batchgen.run.telling.tally import Tally

    stop, progress, metrics = around.stop, around.progress, around.metrics
    engine = _engine(options.pace(job).on)
    ticker = asyncio.create_task(progress.tick())
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, progress.explain)
    with signals(stop):
        try:
            async with notified(around.targets, job.name) as notifier:

                def begun(run: Begun) -> None:
                    metrics.begun(run)
                    notifier.begun(run)

                def watch(tally: Tally) -> None:
                    progress(tally)
                    metrics.going_on(tally)

                hooks = Hooks(begun=begun, progress=watch)
                outcome = await run_job(job, options, stop=stop, hooks=hooks, engine=engine)
                metrics.ended(outcome)
                await notifier.ended(outcome)
                return outcome
        finally:
            ticker.cancel()
            for words in stop.last_words:
                tell(f"batchgen: {words}", "error")


def _engine(on: str | None) -> "Engine | None":
    """What the job is to be made on, besides this process. Raises UsageError."""
    if on is None:
        return None
    from batchgen.cluster import ray_engine

    return ray_engine(on)


def _end(ended: "Outcome | _Unstarted", *, quiet: bool, as_json: bool) -> int:
    """Say how it ended; the exit code."""
    with forgiving_pipes():
        if as_json:
            show_json(ended.summary())
        elif not quiet and not isinstance(ended, _Unstarted):
            print_outcome(ended)
    code = ended.exit_code
    if not quiet or code:
        word = ended.summary()["class"]
        facts = {"exit_code": int(code), "class": word, "run": ended.run}
        tell(f"batchgen: {ended.sentence()}", "error" if code else "info", **facts)
    return code


def print_outcome(outcome: "Outcome", *, ran: bool = True) -> None:
    """Show what a run, or a merge of several that *ran* before, has come to."""
    from batchgen.cli.words import spend, table
    from batchgen.text import counted, duration, size

    c = outcome.counts
    others = {
        "failed": c.failed,
        "uncertain": c.uncertain,
        "expired": c.expired,
        "short": c.short,
        "left": c.pending,
    }
    states = "".join(f", {number:,} {name}" for name, number in others.items() if number)
    counts = {"submit": outcome.submits, "poll": outcome.polls}
    made = f"{counted(outcome.images_made, 'image')} in {duration(outcome.wall_s)}"
    asked = ", ".join(counted(number or 0, name) for name, number in counts.items())
    asked += f", {outcome.retries or 0:,} {'retry' if outcome.retries == 1 else 'retries'}"
    flagged = f"{outcome.nsfw:,} flagged NSFW"
    odd = ", ".join(f"{count:,} {flag}" for flag, count in (outcome.flags or {}).items())
    rows = [
        ("dataset", str(outcome.dataset)),
        ("bucket", outcome.bucket),
        ("shard", outcome.shard),
        ("chosen", f"only {', '.join(outcome.only)}" if outcome.only else ""),
        ("variants", f"{c.saved:,} of {c.planned:,} saved{states}"),
        ("images", f"{outcome.images:,} ({size(outcome.bytes)}), {flagged}"),
        ("look at", f"{odd}: see flags in metadata.jsonl" if odd else ""),
        ("spend", spend(outcome)),
        ("this run", f"{made}, {asked}" if ran else ""),
    ]
    table([(name, text) for name, text in rows if text])
