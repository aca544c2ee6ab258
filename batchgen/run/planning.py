"""Settling what is known before anything is sent: what is asked for, what is there, what is left.

All of it is read from the ledger and the disk; the network is not needed.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, storage_error
from batchgen.job.load import Job
from batchgen.job.variants import Variant, Variants
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.store import Ledger
from batchgen.run.options import RunOptions

log = logging.getLogger(__name__)

_CHUNK = 500
LOST = frozenset({"lost", "missing_file"})


def settle_plan(ledger: Ledger, job: Job) -> tuple[str, ...]:
    """Tell the ledger what *job* asks for now; returns all axes the dataset ever had."""
    meta = ledger.meta()
    fingerprint = job.variants.fingerprint()
    if meta.get("plan") not in (None, fingerprint):
        ledger.want(variant.key for variant in job.variants)
    # An axis that an edited job no longer has keeps its column: its images are still there.
    known = meta.get("axes")
    axes = tuple(dict.fromkeys([*(known if isinstance(known, list) else ()), *job.axes]))
    ledger.set_meta(plan=fingerprint, axes=axes, planned=len(job.variants))
    return axes


async def hold_lost_records(ledger: Ledger, variants: Variants) -> None:
    """After a ledger was rebuilt with gaps, hold what it does not know as possibly paid."""
    if not ledger.meta().get("lost_records"):
        return
    for entry in _unknown(ledger, variants):
        intent = entry.move(State.SUBMITTING)
        await ledger.write(intent)
        error = "the ledger was rebuilt, and this record may have been lost"
        await ledger.write(intent.move(State.UNCERTAIN, error_class="lost_record", error=error))
    ledger.set_meta(lost_records=False)


async def take_back(ledger: Ledger, keys: Iterable[str]) -> None:
    """Let the saved variants in *keys* be downloaded again: their files are lost or damaged."""
    todo = list(keys)
    for start in range(0, len(todo), _CHUNK):
        for entry in ledger.known(todo[start : start + _CHUNK]).values():
            reason = "the file was lost or damaged here"
            await ledger.write(
                entry.move(State.COMPLETED, error_class="missing_file", error=reason)
            )


async def restore_files(ledger: Ledger, folder: DatasetFolder) -> int:
    """Take back the saving of variants whose files are gone or have another size.

    They are downloaded again, for free, while the service still has them. A file of the wrong size
    is moved to the quarantine, never deleted. Returns how many variants. Raises StorageError.
    """
    broken: dict[str, None] = {}
    for key, name, size in ledger.files():
        path = folder.root / name
        try:
            whole = path.stat().st_size == size
        except FileNotFoundError:
            whole = False
        if not whole:
            log.warning("%s is missing or damaged; it is fetched again", name)
            quarantine(folder, path)
            broken[key] = None
    await take_back(ledger, broken)
    return len(broken)


def quarantine(folder: DatasetFolder, path: Path) -> None:
    """Move the file at *path* out of the way, if there is one. Raises StorageError."""
    if not path.exists():
        return
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    try:
        folder.quarantine.mkdir(mode=0o700, exist_ok=True)
        path.rename(folder.quarantine / f"{stamp}_{path.name}")
    except OSError as error:
        raise storage_error(error, folder.quarantine) from None


@dataclass(frozen=True, kw_only=True)
class ToDo:
    """What a run has to do, in its order: paid work first, then what is new."""

    ledger: Ledger
    variants: Variants
    options: RunOptions
    account: str
    resubmit_uncertain: bool

    def __iter__(self) -> Iterator[Entry]:
        """The entries, looked up a few hundred at a time.

        Completed ones come before submitted ones, so that one that moves on meanwhile is not met
        twice.
        """
        for entry in self.ledger.entries(State.COMPLETED, State.SUBMITTED):
            if self._ours(entry):
                yield entry
        yield from self.again()
        yield from _unknown(self.ledger, self.variants)

    def again(self) -> Iterator[Entry]:
        """What has ended and is to be bought once more because the user said so."""
        # Listed before the first is sent: one that ends in another of these states meanwhile must
        # not be bought a third time.
        keys = [entry.key for entry in self._ended()]
        for start in range(0, len(keys), _CHUNK):
            yield from self.ledger.known(keys[start : start + _CHUNK]).values()

    def _ended(self) -> Iterator[Entry]:
        if self.resubmit_uncertain:
            yield from self.ledger.entries(State.UNCERTAIN, wanted_only=True)
        if self.options.retry_failed:
            yield from self.ledger.entries(State.FAILED, wanted_only=True)
        for entry in self.ledger.entries(State.EXPIRED, wanted_only=True):
            lost = entry.error_class in LOST
            if self.options.resubmit_lost if lost else self.options.resubmit_expired:
                yield entry

    def foreign(self) -> int:
        """How many paid variants belong to another key or service."""
        paid = self.ledger.entries(State.COMPLETED, State.SUBMITTED)
        return sum(not self._ours(entry) for entry in paid)

    def _ours(self, entry: Entry) -> bool:
        # An id means nothing to another account and waits for its own key. A rebuilt ledger does
        # not know whose it was; asking costs nothing.
        return entry.account in (None, self.account)


def _unknown(ledger: Ledger, variants: Variants) -> Iterator[Entry]:
    """The variants that were never submitted, or only turned away."""
    for start in range(0, len(variants), _CHUNK):
        chunk = list(variants[start : start + _CHUNK])
        known = ledger.known([variant.key for variant in chunk])
        for variant in chunk:
            entry = known.get(variant.key)
            if entry is None:
                yield _planned(variant, variants)
            elif entry.state is State.PLANNED:
                yield entry


def _planned(variant: Variant, variants: Variants) -> Entry:
    return Entry(
        key=variant.key,
        state=State.PLANNED,
        revision=0,
        prompt_id=variant.prompt_id,
        model=variant.model,
        request=variant.request,
        images_asked=variants.model.images(variant.request),
    )
