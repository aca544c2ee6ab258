"""``batchgen status``: how far a dataset is, from its ledger, while it runs or after."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import clear, show, show_json

if TYPE_CHECKING:
    from batchgen.run.care.standing import Flight, Standing

LOOK_EVERY = 2.0  # seconds
MOST_SLOTS = 20

# What the states of the ledger mean for somebody who waits.
_DOING = {
    "submitting": "is being submitted",
    "submitted": "is being made",
    "completed": "is being downloaded",
}


@click.command()
@click.argument("folder", metavar="DIR", type=DatasetPath())
@click.option("--watch", is_flag=True, help="Look every two seconds until no run goes on.")
@click.option("--slots", is_flag=True, help="List what is on its way, the oldest first.")
@click.option("--runs", is_flag=True, help="List the runs there were, and how they ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for each look.")
def status(folder: Path, watch: bool, slots: bool, runs: bool, as_json: bool) -> None:
    """Say how far the dataset in DIR is.

    Shows counts, spend, rate and what is left, from the ledger. It takes no lock, so it can be
    asked while a run goes on.
    """
    if runs:
        _list_runs(folder, as_json=as_json)
        return
    for found in _looks(folder, watch=watch):
        if as_json:
            show_json(found.as_json())
            continue
        if watch:
            clear()
        _print(found)
        for flight in found.in_flight[:MOST_SLOTS] if slots else ():
            show(f"  {_sentence(flight)}")


def _list_runs(folder: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    from batchgen.dataset.folder import DatasetFolder
    from batchgen.dataset.rows.reading import no_dataset
    from batchgen.run.telling.history import past_runs
    from batchgen.text import counted, duration, money

    dataset = DatasetFolder(folder)
    if not dataset.state.is_dir():
        raise no_dataset(folder, ".batchgen")
    runs = list(past_runs(dataset))
    if as_json:
        for run in runs:
            show_json(asdict(run))
        return
    for run in runs:
        ended = f"{run.word} ({run.exit_code})" if run.word else "no end: it runs, or was killed"
        facts = [counted(run.images_made, "image")] if run.images_made is not None else []
        facts += [duration(run.wall_s)] if run.wall_s is not None else []
        facts += [money(run.spent_usd)] if run.spent_usd else []
        why = f"; {run.why}" if run.why else ""
        show(
            f"{run.started_at[:16].replace('T', ' ')}  {run.run}  {', '.join([ended, *facts])}{why}"
        )


def _looks(folder: Path, *, watch: bool) -> "Iterator[Standing]":
    from batchgen.run.care.standing import standing

    found = standing(folder)
    yield found
    while watch and found.running:
        time.sleep(LOOK_EVERY)
        found = standing(folder)
        yield found


def _print(found: "Standing") -> None:
    from batchgen.cli.words import spend, table
    from batchgen.text import duration, money

    c = found.counts
    others = {"failed": c.failed, "uncertain": c.uncertain, "expired": c.expired, "left": c.pending}
    states = "".join(f", {number:,} {name}" for name, number in others.items() if number)
    images = f"{found.images - found.images_unwanted:,} of {found.images_planned:,}"
    why = "not chosen" if found.only else "no longer wanted"
    kept = f"; {found.images_unwanted:,} more, {why}" if found.images_unwanted else ""
    spent = spend(found)
    if (found.projected_usd or 0) > (found.spent_usd or 0):
        spent += f"; no more than {money(found.projected_usd)} when the job is done"
    rows = [
        ("job", f"{found.job}, {'running' if found.running else 'not running'}"),
        ("chosen", f"only {', '.join(found.only)}, as the last run was told" if found.only else ""),
        ("variants", f"{c.saved:,} of {c.planned:,} saved{states}"),
        ("images", f"{images}, {found.nsfw:,} flagged NSFW{kept}"),
        ("spend", spent),
        ("note", found.caveat),
    ]
    if found.running:
        limit = f" of {found.rate_limit:g}" if found.rate_limit else ""
        left = f", about {duration(found.seconds_left)} left" if found.seconds_left else ""
        rows.append(("rate", f"{found.images_per_minute or 0:.1f}{limit} images a minute{left}"))
        rows.append(("in flight", f"{len(found.in_flight):,}" + _oldest(found.in_flight)))
    table([(name, text) for name, text in rows if text])


def _oldest(flights: "tuple[Flight, ...]") -> str:
    return f"; the oldest {_sentence(flights[0])}" if flights else ""


def _sentence(flight: "Flight") -> str:
    from batchgen.text import duration

    name = f"prediction {flight.prediction_id}" if flight.prediction_id else "a variant"
    doing = f"{_DOING[flight.state]}, {duration(flight.seconds)} after its submit"
    return f"{name} of {flight.prompt_id} {doing}"
