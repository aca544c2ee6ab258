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
    """Whether there is a dataset in *folder* that a run has begun."""
    return folder.ledger.exists() or has_parts(folder)


def rebuild_advice(root: Path) -> str:
    """What to do about the ledger of the dataset in *root*, when it is damaged or missing."""
    return f"Rebuild it:  batchgen verify {root} --repair"


@contextmanager
def known_ledger(root: Path) -> Iterator[Ledger | None]:
    """The ledger of the dataset in *root*, for reading; None when there is none.

    Raises DamagedError, with what to do about it.
    """
    folder = DatasetFolder(root)
    if not has_ledger(folder):
        yield None
        return
    try:
        with read_ledger(folder.ledger, folder.ledgers) as ledger:
            yield ledger
    except DamagedError as error:
        raise DamagedError(f"{error}. {rebuild_advice(root)}") from None
