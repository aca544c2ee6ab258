"""Looking into the ledger of a dataset, without a lock and without changing anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.ledger.divided import read_ledger
from batchgen.ledger.store import DamagedError, Ledger


def has_parts(folder: DatasetFolder) -> bool:
    """Whether the dataset in *folder* is divided into parts."""
    return folder.ledgers.is_dir()


def has_ledger(folder: DatasetFolder) -> bool:
    """Whether the dataset in *folder* has a ledger."""
    return folder.ledger.exists() or has_parts(folder)


def made_before(folder: DatasetFolder) -> Path | None:
    """Something that only an earlier run can have left."""
    if folder.job.exists():
        return folder.job
    if folder.manifest_jsonl.is_file() and folder.manifest_jsonl.stat().st_size:
        return folder.manifest_jsonl
    found = (path for top in (folder.images, folder.shards) for path in top.rglob("*"))
    return next((path for path in found if path.is_file()), None)


def was_begun(folder: DatasetFolder) -> bool:
    """Whether there is a dataset in *folder*, even if its ledger is lost."""
    return has_ledger(folder) or made_before(folder) is not None


def lost_ledger(folder: DatasetFolder, made: Path) -> DamagedError:
    """What to say when there is no ledger beside what was *made* by an earlier run."""
    return DamagedError(
        f"the ledger of {folder.root} is missing, but {made} is there; nothing is submitted, "
        f"because that may pay twice. {rebuild_advice(folder.root)}"
    )


def rebuild_advice(root: Path) -> str:
    """What to do about the ledger of the dataset in *root*, when it is damaged or missing."""
    return f"Rebuild it:  batchgen verify {root} --repair"


@contextmanager
def known_ledger(root: Path) -> Iterator[Ledger | None]:
    """The ledger of the dataset in *root*, for reading; None when there is no dataset.

    Raises DamagedError for one that is damaged or lost, with what to do about it.
    """
    folder = DatasetFolder(root)
    if not has_ledger(folder):
        if made := made_before(folder):
            raise lost_ledger(folder, made)
        yield None
        return
    try:
        with read_ledger(folder.ledger, folder.ledgers) as ledger:
            yield ledger
    except DamagedError as error:
        raise DamagedError(f"{error}. {rebuild_advice(root)}") from None
