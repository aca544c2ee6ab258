"""Bringing into a working folder what its bucket knows better than it."""

import hashlib
import logging
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, quarantine, storage_error, sync_folder
from batchgen.dataset.rows import reading
from batchgen.dataset.rows.reading import Dataset
from batchgen.dataset.stores.bucket import Bucket, is_url
from batchgen.dataset.stores.uploads import Uploads, dataset_path, uploads_of
from batchgen.errors import LockedError, StorageError
from batchgen.ledger.lock import locked
from batchgen.ledger.store import Ledger
from batchgen.run.bucket.claims import Claim, is_ours, look
from batchgen.run.terms.planned import REBUILT

log = logging.getLogger(__name__)


def kept(folder: DatasetFolder) -> tuple[Path, ...]:
    """The files of batchgen's own that go to the bucket beside the ledger."""
    return folder.job, folder.runs, folder.decisions, folder.latencies, folder.local_service


def visit(place: str | Path) -> Path:
    """The folder of the dataset at *place*, with all that its bucket knows, for reading.

    A path stands for itself. Raises UsageError for an address that cannot be used, StorageError
    when nothing is here and the bucket cannot be read.
    """
    root = dataset_path(place)
    folder = DatasetFolder(root)
    uploads = uploads_of(folder) if is_url(place) else None
    if uploads is None:
        return root
    bucket = Bucket.open(uploads.url)
    try:
        claim, _ = look(bucket)
        if claim and not is_ours(claim, uploads):
            with locked(folder.lock):
                _catch_up(bucket, claim, folder, uploads)
    except (StorageError, LockedError) as error:
        if not folder.ledger.exists():
            raise
        log.warning("%s; this is how it was when it was last seen from here", error)
    return root


def _catch_up(bucket: Bucket, claim: Claim, folder: DatasetFolder, uploads: Uploads) -> None:
    seen = [claim.run, claim.beat]
    if uploads.fact("seen") != seen or not folder.ledger.exists():
        bring(bucket, claim, folder, uploads)
        uploads.tell(seen=seen)
    if not claim.ended:
        log.warning(
            "%s is in use by %s; this is how it was at its last checkpoint",
            bucket.address,
            claim.owner,
        )


def open_dataset(place: str | Path) -> Dataset:
    """The dataset at *place*: a folder, or an address such as ``s3://bucket/prefix``.

    Raises UsageError when there is none, StorageError when a bucket cannot be read.
    """
    return reading.open_dataset(visit(place))


def relist(folder: DatasetFolder) -> None:
    """Look what is in the bucket of *folder*, if it has one. Raises StorageError."""
    if uploads := uploads_of(folder):
        uploads.relist(Bucket.open(uploads.url).list())


def bring(
    bucket: Bucket, claim: Claim, folder: DatasetFolder, uploads: Uploads, *, lost: bool = False
) -> None:
    """Take over what the run of *claim* has left in *bucket*; the ledger comes last.

    A ledger that is here is older; it is moved to the quarantine. With *lost*, records of the one
    in the bucket may be missing, and the next run holds what it does not know. Raises
    StorageError.
    """
    views = (folder.manifest_jsonl, folder.manifest_csv, folder.metadata, folder.card)
    reports = (folder.failures, folder.summary, folder.last_success)
    for path in (*views, *reports, *kept(folder)):
        _fetch(bucket, path, folder)
    uploads.relist(bucket.list())
    new = folder.state / "brought.sqlite3"
    new.unlink(missing_ok=True)
    there = bucket.download(_name(folder.ledger, folder), new)
    if not there and claim.ended:
        raise StorageError(f"{bucket.address} has lost its ledger; nothing is submitted")
    if not there and not lost:
        return  # its first run has left none yet
    if claim.ended and _sha256(new) != claim.ledger:
        raise StorageError(
            f"the ledger in {bucket.address} is not the one that its last run has left; nothing "
            f"is submitted, because that may pay twice. That run worked in "
            f"{claim.host}:{claim.folder}"
        )
    if lost:
        with Ledger(new) as ledger:  # an empty one, of a run killed before its first checkpoint
            ledger.set_meta(plan=REBUILT, lost_records=True)
    try:
        for end in ("", "-wal", "-shm", ".seal"):
            quarantine(folder, folder.ledger.with_name(folder.ledger.name + end))
        new.replace(folder.ledger)
        sync_folder(folder.state)
    except OSError as error:
        raise storage_error(error, folder.ledger) from None


def _fetch(bucket: Bucket, path: Path, folder: DatasetFolder) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        if bucket.download(_name(path, folder), new):
            new.replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from None
    finally:
        new.unlink(missing_ok=True)


def _name(path: Path, folder: DatasetFolder) -> str:
    return path.relative_to(folder.root).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
