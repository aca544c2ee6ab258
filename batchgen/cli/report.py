"""``batchgen report``: a page to look at a dataset, while it is made or after."""

from pathlib import Path
from typing import Any

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import counting, forgiving_pipes, show, show_json, tell


@click.command()
@click.argument("folder", metavar="DIR", type=DatasetPath())
@click.option("--sheet", is_flag=True, help="Draw contact sheets as well, one for each two axes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def report(folder: Path, sheet: bool, as_json: bool) -> None:
    """Show DIR as one page, DIR/report.html, with all its numbers.

    The page needs no network and no server; open it in a browser. Thumbnails are kept in
    DIR/.thumbs, contact sheets go to DIR/sheets. It takes no lock, so it can be written while a
    run goes on.
    """
    from dataclasses import asdict

    from batchgen.report import write_report, write_sheets

    now = _now(folder)
    with counting("thumbnails") as progress:
        written = write_report(folder, **now, progress=progress)
    if written.left_out:
        whole = written.images + written.left_out
        tell(f"the page shows {written.images:,} of {whole:,} images, picked at random")
    sheets = write_sheets(folder, **now) if sheet else []
    for number, trouble in ((written.missing, "not there"), (written.changed, "not as saved")):
        if number:
            files = (
                "the file of 1 image is" if number == 1 else f"the files of {number:,} images are"
            )
            tell(f"{files} {trouble}; batchgen verify {folder} tells which")
    with forgiving_pipes():
        if as_json:
            found = {**asdict(written), "page": str(written.page)}
            show_json({**found, "sheets": [str(path) for path in sheets]})
        else:
            for path in (written.page, *sheets):
                show(str(path))


def _now(folder: Path) -> dict[str, Any]:
    """How the dataset stands now; without a ledger its files tell how it was."""
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.run.care.standing import standing
    from batchgen.run.claim.looking import has_ledger, known_ledger
    from batchgen.run.telling.rows import unfinished

    if not has_ledger(DatasetFolder(folder)):  # a copy, say, of what a reader needs of it
        return {}
    with known_ledger(folder) as ledger:
        failures = list(unfinished(ledger)) if ledger else []
    return {"failures": failures, "standing": standing(folder).as_json()}
