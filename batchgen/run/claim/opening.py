"""Opening the ledger of a dataset, and never starting from zero over paid work."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import StorageError, UsageError
from batchgen.job.load import Pace
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.parts import PARTS
from batchgen.ledger.store import DamagedError, Ledger
from batchgen.run.claim.looking import has_parts, lost_ledger, made_before, rebuild_advice

_TOO_MUCH = 1e15  # for any number of a pace


def open_ledger(
    folder: DatasetFolder, *, read_only: bool = False, parts: Sequence[int] = range(PARTS)
) -> Ledger:
    """The ledger of *folder*, new only where nothing was made yet.

    Where the dataset is divided, it is that of the *parts*.

    Raises DamagedError for a damaged ledger, and for one that is missing or empty beside images;
    StorageError when it cannot be used.
    """
    advice = rebuild_advice(folder.root)
    if has_parts(folder):
        return _open_parts(folder, parts, advice, read_only=read_only)
    made = made_before(folder)
    if made and not folder.ledger.exists():
        raise lost_ledger(folder, made)
    try:
        ledger = Ledger(folder.ledger, read_only=read_only)
        try:
            ledger.check()
        except StorageError:
            ledger.close()
            raise
    except DamagedError as error:
        raise DamagedError(f"{error}; nothing is submitted. {advice}") from None
    # SQLite takes a file that was cut to nothing for a new one.
    if made and "plan" not in ledger.meta():
        ledger.close()
        raise lost_ledger(folder, made)
    return ledger


def _open_parts(
    folder: DatasetFolder, parts: Sequence[int], advice: str, *, read_only: bool
) -> Ledger:
    try:
        ledger = DividedLedger(folder.ledgers, parts, read_only=read_only)
        try:
            ledger.check()
        except StorageError:
            ledger.close()
            raise
    except DamagedError as error:
        raise DamagedError(f"{error}; nothing is submitted. {advice}") from None
    return ledger


def take_mark(ledger: Ledger) -> object:
    """What the last run left to know its manifest by, and leave nothing for a run that is killed.

    None when there is nothing, or when rows of the manifest are still to be amended.
    """
    meta = ledger.meta()
    mark = meta.get("manifest")
    if mark is not None:
        ledger.set_meta(manifest=None)
    return None if meta.get("lost_records") else mark


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """What the last run has left for whoever goes on without its job."""

    pace: Pace
    service: str
    """``wavespeed`` or ``local``."""
    salt: str
    """Of the fingerprints of its accounts."""
    file_name: str
    """Pattern of an image's name below ``images/``."""


def last_run(folder: DatasetFolder, ledger: Ledger) -> LastRun:
    """What the last run has left. Raises UsageError when the ledger does not know it."""
    meta = ledger.meta()
    pace, texts = _pace(meta.get("pace")), [meta.get(n) for n in ("service", "salt", "file_name")]
    match texts:
        case [str(service), str(salt), str(file_name)] if pace:
            return LastRun(pace=pace, service=service, salt=salt, file_name=file_name)
    raise UsageError(f"the ledger of {folder.root} knows no last run; run its job once first")


def _pace(told: object) -> Pace | None:
    kinds = {f.name: f.type for f in fields(Pace)}
    # An earlier version did not know every field.
    pace = {**dict.fromkeys(kinds), **told} if isinstance(told, dict) else {}
    if pace.keys() != kinds.keys() or not all(_fits(pace[name], k) for name, k in kinds.items()):
        return None
    return Pace(**pace)


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401  # a class, or a union of some
    """Whether *value* can be of a pace; a ledger is only a file, which others may have edited."""
    if isinstance(value, int | float):  # a whole number of JSON may stand for a float
        sound = 0 <= value < _TOO_MUCH  # which no NaN is
        return sound and (isinstance(value, kind) or isinstance(float(value), kind))
    return isinstance(value, kind)
