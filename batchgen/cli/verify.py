"""``batchgen verify``: check the files of a dataset against its manifest and ledger."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import forgiving_pipes, show, show_json, tell
from batchgen.errors import ExitCode

if TYPE_CHECKING:
    from batchgen.run.care.verify import Findings


@click.command()
@click.argument("folder", metavar="DIR", type=DatasetPath())
@click.option("--repair", is_flag=True, help="Mend, rebuild and fetch again what costs nothing.")
@click.option("--base-url", metavar="URL", help="The address of the service, for a repair.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify(folder: Path, repair: bool, base_url: str | None, as_json: bool) -> int:
    """Check every image in DIR against manifest and ledger.

    Each has to be there with the recorded size, hash, type and pixels. A repair never submits
    anything: what could only be bought again is listed.
    """
    import asyncio
    from dataclasses import asdict

    from batchgen.cli.logs import logging_to
    from batchgen.dataset.folder import DatasetFolder
    from batchgen.run.care.verify import verify_dataset

    # Nothing is written where nothing is to be repaired.
    with logging_to(DatasetFolder(folder).log if repair else None, tell):
        found = asyncio.run(verify_dataset(folder, repair=repair, base_url=base_url))
    verdict = "every image is as it was saved" if found.sound else _advice(found, repair=repair)
    code = ExitCode.OK if found.sound else ExitCode.PARTIAL
    with forgiving_pipes():
        if as_json:
            show_json({**asdict(found), "sound": found.sound})
        else:
            _print(found)
    tell(f"batchgen: {code.word}: {verdict}")
    return code


def _print(found: "Findings") -> None:
    from batchgen.cli.words import table
    from batchgen.text import counted

    table(
        [
            ("images", f"{found.checked:,} checked"),
            ("missing", _some(found.missing)),
            ("damaged", _some([*found.damaged, *found.shards])),
            ("manifest", "exact" if found.manifest_exact else "differs from the ledger"),
            ("unknown", _some(found.foreign)),
        ]
    )
    if found.rebuilt is not None:
        show(f"rebuilt   a ledger of {counted(found.rebuilt, 'variant')}")
    if found.fetched:
        show(f"fetched   {counted(found.fetched, 'image')} again, for free")
    if found.costly:
        show(f"costly    {_some(found.costly)}")


def _advice(found: "Findings", *, repair: bool) -> str:
    if not repair:
        return "not all is as it was saved; --repair mends what costs nothing"
    if found.costly:
        return "some images are gone for good; batchgen run --resubmit-lost buys them again"
    if found.orphaned and not found.left:
        return "the ledger that was made anew has no record of the unknown files; they stay there"
    return "some images cannot be fetched now; try again later"


def _some(names: list[str]) -> str:
    if not names:
        return "none"
    shown = ", ".join(names[:5])
    return f"{len(names):,}: {shown}" + (", …" if len(names) > 5 else "")
