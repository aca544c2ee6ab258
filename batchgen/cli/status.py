"""``batchgen status``: how far a dataset is, from its ledger, while it runs or after."""

from pathlib import Path

import click

from batchgen.cli.screen import show_json


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(folder: Path, as_json: bool) -> None:
    """Say how far the dataset in DIR is.

    Shows counts, spend, rate and what is left, from the ledger. It takes no lock, so it can be
    asked while a run goes on.
    """
    from batchgen.cli.words import spend, table
    from batchgen.run.standing import standing
    from batchgen.text import duration

    found = standing(folder)
    if as_json:
        show_json(found.as_json())
        return
    c = found.counts
    others = {"failed": c.failed, "uncertain": c.uncertain, "expired": c.expired, "left": c.pending}
    states = "".join(f", {number:,} {name}" for name, number in others.items() if number)
    rate = f"{found.images_per_minute:.1f} images a minute" if found.images_per_minute else "none"
    left = f", about {duration(found.seconds_left)} left" if found.seconds_left else ""
    images = f"{found.images:,} of {found.images_planned:,}"
    table(
        [
            ("job", f"{found.job}, {'running' if found.running else 'not running'}"),
            ("variants", f"{c.saved:,} of {c.planned:,} saved{states}"),
            (
                "images",
                f"{images}, {found.nsfw:,} flagged NSFW",
            ),
            ("spend", spend(found)),
            ("rate", rate + left),
        ]
    )
