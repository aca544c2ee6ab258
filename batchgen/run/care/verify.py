"""Checking a dataset: every row has its file, with that size, hash and picture.

A repair does what costs nothing: it mends the manifest, rebuilds a lost ledger, and fetches damaged
or missing files again while the service still has them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from batchgen.dataset.exports.huggingface import write_views
from batchgen.dataset.exports.mending import damaged_shards, mend_indexes, mend_listing
from batchgen.dataset.files.images import ImageStore
from batchgen.dataset.folder import DatasetFolder, quarantine
from batchgen.dataset.rows.manifest import Manifest, columns, is_exact
from batchgen.dataset.rows.reading import no_dataset
from batchgen.dataset.stores.holdings import Holdings
from batchgen.dataset.stores.uploads import bucket_of
from batchgen.dataset.treatment import read_treatment
from batchgen.dataset.views.beside import SIDE_FILES
from batchgen.errors import ExitCode, StorageError
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.lock import locked
from batchgen.ledger.store import DamagedError, Ledger
from batchgen.run.bucket.bringing import relist
from batchgen.run.bucket.mirroring import mirrored
from batchgen.run.claim.looking import has_ledger
from batchgen.run.claim.opening import LastRun, last_run, open_ledger, take_mark
from batchgen.run.claim.rebuild import rebuild_ledger
from batchgen.run.pace.breaker import Breaker
from batchgen.run.pace.experience import Experience
from batchgen.run.pace.pacer import Pacer
from batchgen.run.pace.spend import Spend
from batchgen.run.pace.stop import Stop
from batchgen.run.plan.planning import is_whole, take_back
from batchgen.run.telling.hooks import Hooks
from batchgen.run.telling.rows import manifest_row
from batchgen.run.telling.tally import Tally
from batchgen.run.terms.access import find_access
from batchgen.run.terms.limits import settle_limits
from batchgen.run.terms.prices import Prices
from batchgen.run.terms.service import open_service
from batchgen.run.variant.context import Context
from batchgen.run.variant.working import work_through
from batchgen.run.writing.packing import repack


@dataclass(kw_only=True)
class Findings:
    """What a check found, and what a repair made of it."""

    checked: int = 0
    """Images the ledger knows."""
    missing: list[str] = field(default_factory=list)
    """Names of images that are not there."""
    damaged: list[str] = field(default_factory=list)
    """Names of files that are not the images that were saved."""
    foreign: list[str] = field(default_factory=list)
    """Files below ``images/`` that no record knows; they are never touched."""
    shards: list[str] = field(default_factory=list)
    """Names of shards that are not what was written."""
    manifest_exact: bool = True
    """Whether both manifests held exactly the rows of the ledger."""
    rebuilt: int | None = None
    """Variants in a ledger that had to be made anew."""
    fetched: int = 0
    """Images that a repair downloaded again, for free."""
    costly: list[str] = field(default_factory=list)
    """Keys of variants whose images could only be bought again."""
    left: list[str] = field(default_factory=list)
    """Names of images, or keys of variants that an earlier repair took back, not here yet."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        wrong = self.shards or self.left or self.costly or self.orphaned
        return self.manifest_exact and not wrong

    @property
    def orphaned(self) -> bool:
        """Whether files are there that were perhaps in the ledger that had to be made anew."""
        return self.rebuilt is not None and bool(self.foreign)


async def verify_dataset(
    root: Path, *, repair: bool = False, base_url: str | None = None, stop: Stop | None = None
) -> Findings:
    """Check the dataset in *root*, and repair it if asked to.

    Raises UsageError when there is none, StorageError for a ledger that is lost or damaged and is
    not to be repaired, LockedError when a run owns the dataset that is to be repaired.
    """
    folder = DatasetFolder(root)
    if not folder.state.is_dir() and not folder.manifest_jsonl.exists():
        raise no_dataset(root, "ledger and no manifest.jsonl")
    if not repair:
        if bucket_of(folder) and not has_ledger(folder):
            raise no_dataset(root, "ledger")
        relist(folder)
        with open_ledger(folder, read_only=True) as ledger:
            return _check(folder, ledger)
    folder.prepare()
    stop = stop or Stop()
    with locked(folder.lock):
        async with mirrored(folder, stop, lost=True) as mirror:
            findings = await _mend(folder, base_url, stop)
            if mirror:
                await mirror.save()
            return findings


async def _mend(folder: DatasetFolder, base_url: str | None, stop: Stop) -> Findings:
    """Check and repair a dataset that is ours."""
    relist(folder)
    mend_listing(folder)
    mend_indexes(folder)
    rebuilt = None
    try:
        with open_ledger(folder) as ledger:  # and read every record of it
            deque(chain(ledger.images(), ledger.entries(*State)), maxlen=0)
    except DamagedError:
        rebuilt = await rebuild_ledger(folder)
    with open_ledger(folder) as ledger:
        findings = _check(folder, ledger)
        findings.rebuilt = rebuilt
        await _repair(folder, ledger, findings, base_url, stop)
    return findings


def _check(folder: DatasetFolder, ledger: Ledger) -> Findings:
    found, holdings = Findings(), Holdings(folder)
    known: set[str] = set()
    for _, image in ledger.images():
        found.checked += 1
        known.add(image.file_name)
        if image.dropped:
            continue
        if holdings.size(image.file_name) is None:
            found.missing.append(image.file_name)
        elif not is_whole(holdings, image):
            found.damaged.append(image.file_name)
    found.left = [*found.missing, *found.damaged, *_waiting(ledger)]
    found.costly = _gone(ledger)
    files = (p for top in folder.tops for p in top.rglob("*") if not p.is_dir())
    there = (p.relative_to(folder.root).as_posix() for p in files)
    beside = {str(Path(name).with_suffix(end)) for name in known for end in SIDE_FILES.values()}
    found.foreign = sorted(name for name in there if name not in known and name not in beside)
    found.shards = damaged_shards(folder)
    found.manifest_exact = is_exact(
        folder, _columns(ledger), lambda: _rows(ledger), csv_safe=_csv_safe(ledger)
    )
    return found


def _gone(ledger: Ledger) -> list[str]:
    expired = ledger.entries(State.EXPIRED, wanted_only=True)
    return [entry.key for entry in expired if entry.error_class == "missing_file"]


def _waiting(ledger: Ledger) -> list[str]:
    return [e.key for e in ledger.entries(State.COMPLETED) if e.error_class == "missing_file"]


def _columns(ledger: Ledger) -> tuple[str, ...]:
    axes = ledger.meta().get("axes")
    return columns(axes if isinstance(axes, list) else ())


def _csv_safe(ledger: Ledger) -> bool:
    return ledger.meta().get("csv_safe") is not False


def _rows(ledger: Ledger) -> Iterable[dict[str, object]]:
    return (manifest_row(entry, image) for entry, image in ledger.images())


async def _repair(
    folder: DatasetFolder, ledger: Ledger, found: Findings, base_url: str | None, stop: Stop
) -> None:
    take_mark(ledger)
    lost = {*found.missing, *found.damaged}
    last = _last_run(folder, ledger) if lost or _waiting(ledger) else None
    if last:  # what is missing has to be said before anything is moved
        find_access(last.service, base_url)
    for name in lost:
        quarantine(folder, folder.root / name)
    keys = {key for key, name, _ in ledger.files() if name in lost}
    await take_back(ledger, keys)
    before = ledger.totals().images
    manifest = Manifest.open(
        folder, _columns(ledger), lambda: _rows(ledger), csv_safe=_csv_safe(ledger)
    )
    found.manifest_exact = True
    try:
        if last:
            await _fetch(folder, ledger, manifest, last, base_url, stop)
    finally:
        manifest.close()
    await repack(folder, ledger, found.shards)
    found.shards = damaged_shards(folder)
    write_views(folder, str(ledger.meta().get("job") or folder.root.name))
    there = {name for _, name, _ in ledger.files()}
    found.fetched = ledger.totals().images - before
    found.left = [*sorted(lost - there), *_waiting(ledger)]
    found.costly = _gone(ledger)
    if stop.code is ExitCode.STORAGE:
        raise StorageError(stop.why)


def _last_run(folder: DatasetFolder, ledger: Ledger) -> LastRun | None:
    """Of a ledger that was rebuilt from the manifest alone nobody knows where to ask."""
    known = ledger.meta().keys() >= {"pace", "service", "salt", "file_name"}
    return last_run(folder, ledger) if known else None


async def _fetch(
    folder: DatasetFolder,
    ledger: Ledger,
    manifest: Manifest,
    last: LastRun,
    base_url: str | None,
    stop: Stop,
) -> None:
    """Download what is paid; nothing is submitted."""
    pace = last.pace
    access = find_access(last.service, base_url)
    account = access.account(last.salt)
    stop.no_more_submits(ExitCode.OK, "")
    async with open_service(access, pace, folder) as service:
        context = Context(
            file_name=last.file_name,
            pace=pace,
            concurrency=settle_limits(pace, remote=access.remote).concurrency,
            prices=Prices(),
            account=account,
            service=service,
            ledger=ledger,
            folder=folder,
            images=ImageStore(folder),
            treatment=read_treatment(folder),
            manifest=manifest,
            stop=stop,
            spend=Spend(budget_micros=0, spent_micros=0, submits=0),
            pacer=Pacer(stop),
            breaker=Breaker(stop, max_failures=None, prompts=1),
            experience=Experience(access.origin),
            tally=Tally(images_planned=0, images=0, nsfw=0, spent_micros=0),
            hooks=Hooks(),
        )
        await work_through(context, _ours(ledger, account))


def _ours(ledger: Ledger, account: str) -> Iterator[Entry]:
    return (e for e in ledger.entries(State.COMPLETED) if e.account in (None, account))
