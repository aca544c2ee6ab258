"""``batchgen merge``: put together what was made in shards."""

from pathlib import Path

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import forgiving_pipes, show_json, tell


@click.command()
@click.argument("folder", metavar="DIR", type=DatasetPath())
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
def merge(folder: Path, as_json: bool) -> int:
    """Put together what the shards of DIR have made.

    Manifest, failures and summary are brought up to date with them. The last of several shards does
    so by itself when nothing is left to do. Nothing is sent. The exit code tells how the dataset as
    a whole stands, as after a run of all of it.
    """
    from batchgen.cli.logs import logging_to
    from batchgen.cli.run import print_outcome
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.run.care.merging import merge_dataset

    with logging_to(DatasetFolder(folder).log, tell):
        outcome = merge_dataset(folder)
    with forgiving_pipes():
        if as_json:
            show_json(outcome.summary())
        else:
            print_outcome(outcome, ran=False)
    tell(f"batchgen: {outcome.sentence()}")
    return outcome.exit_code
