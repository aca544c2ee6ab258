"""Putting together what was made in shards: one manifest, one list of failures, one summary."""

import logging
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.manifest import Manifest, columns
from batchgen.dataset.rows.partrows import PartRows
from batchgen.dataset.rows.reading import no_dataset
from batchgen.errors import LockedError, UsageError
from batchgen.ledger.lock import locked
from batchgen.ledger.parts import part_of, rows_of
from batchgen.ledger.store import Ledger
from batchgen.run.claim.looking import was_begun
from batchgen.run.claim.opening import open_ledger, take_mark
from batchgen.run.ending import Ending
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.accounts import Outcome, count
from batchgen.run.telling.hooks import Begun
from batchgen.run.telling.rows import manifest_rows
from batchgen.run.telling.tally import Tally
from batchgen.run.terms.planned import is_mixed, knows_plan, told_of
from batchgen.run.variant.context import Rows, now

log = logging.getLogger(__name__)


def open_rows(
    folder: DatasetFolder, ledger: Ledger, axes: Sequence[str], mark: object, *, csv_safe: bool
) -> Rows:
    """Where the rows of a run go: the manifest when it owns the whole dataset. Raises StorageError.

    *mark* is as :func:`Manifest.open` has it.
    """
    if ledger.holds_all:
        return Manifest.open(
            folder, columns(axes), lambda: manifest_rows(ledger), csv_safe=csv_safe, mark=mark
        )
    return PartRows.open(
        {part: rows_of(folder.ledgers, part) for part in ledger.parts},
        columns(axes),
        part_of,
        lambda part: manifest_rows(ledger.parts[part]),
    )


def merge_dataset(root: Path) -> Outcome:
    """Bring manifest, failures and summary of the dataset in *root* up to date with its shards.

    Raises UsageError when there is none, its shards last ran with different jobs, or it does not
    know its job; LockedError while a run owns any of it; StorageError.
    """
    folder = DatasetFolder(root)
    if not was_begun(folder):
        raise no_dataset(root, "ledger")
    folder.prepare()
    with locked(folder.lock), open_ledger(folder) as ledger:
        if not knows_plan(ledger):
            raise UsageError(
                f"the ledger of {root} was made anew and does not know what its job asks for; run "
                "the job"
            )
        if is_mixed(ledger):
            raise UsageError(
                f"the shards of {root} last ran with different forms of the job, so nobody can say "
                "what is left of it; run all of them with the job as it is now"
            )
        return _merge(folder, ledger)


def merge_if_done(folder: DatasetFolder) -> None:
    """Merge the dataset when nothing of it is left to do and no other shard is running."""
    try:
        with locked(folder.lock):
            with open_ledger(folder, read_only=True) as ledger:
                planned = told_of(ledger).variants
                if is_mixed(ledger) or count(ledger, planned, ledger.totals()).pending:
                    return
            with open_ledger(folder) as ledger:
                _merge(folder, ledger)
    except LockedError:
        log.info("another shard is running; the last one merges the dataset")


def _merge(folder: DatasetFolder, ledger: Ledger) -> Outcome:
    started, mark, meta = time.monotonic(), take_mark(ledger), ledger.meta()
    axes = meta.get("axes")
    manifest = Manifest.open(
        folder,
        columns(axes if isinstance(axes, list) else ()),
        lambda: manifest_rows(ledger),
        csv_safe=meta.get("csv_safe") is not False,
        mark=mark,
    )
    mark = manifest.close()
    planned = told_of(ledger)
    name, totals = str(meta.get("job", "")), ledger.totals()
    ending = Ending(
        begun=Begun(run=secrets.token_hex(4), job=name, folder=folder, started_at=now()),
        planned=planned.variants,
        service=str(meta.get("service", "")),
        folder=folder,
        stop=Stop(),
        started=started,
        spent_before=totals.spent_micros,
        ran=False,
    )
    tally = Tally.begun(totals, images_planned=planned.images)
    return ending.account(ledger, tally, mark)
