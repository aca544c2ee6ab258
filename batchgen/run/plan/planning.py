"""Settling what is known before anything is sent: what is asked for, what is there, what is left.

All of it is read from the ledger and the disk; the network is not needed.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, groupby

from batchgen.dataset.files.picture import PictureError, look_through
from batchgen.dataset.folder import DatasetFolder, quarantine
from batchgen.dataset.stores.holdings import Holdings, drop
from batchgen.job.load import Job
from batchgen.job.models import find_model
from batchgen.job.variants import Variant, Variants
from batchgen.ledger.entry import DROPPED, Entry, Image, State, Totals
from batchgen.ledger.store import Ledger
from batchgen.run.telling.accounts import count
from batchgen.run.terms.options import RunOptions

log = logging.getLogger(__name__)

_CHUNK = 500
_KEYS = 2_000  # looked up at a time when nothing else is wanted of them
LOST = frozenset({"lost", "missing_file"})


def settle_plan(ledger: Ledger, job: Job) -> tuple[str, ...]:
    """Tell the ledger what *job* asks for now; returns all axes the dataset ever had."""
    meta = ledger.meta()
    fingerprint = job.variants.fingerprint()
    if meta.get("plan") not in (None, fingerprint):
        ledger.want(job.variants.keys())
    # An axis that an edited job no longer has keeps its column: its images are still there.
    known = meta.get("axes")
    axes = tuple(dict.fromkeys([*(known if isinstance(known, list) else ()), *job.outline.columns]))
    ledger.set_meta(plan=fingerprint, axes=axes, planned=len(job.variants), only=job.only)
    return axes


async def hold_lost_records(ledger: Ledger, job: Job, *, release: bool) -> None:
    """After a ledger was rebuilt, correct what it could not know and hold what it may have lost.

    What it does not know may have been paid. The holding ends only when the user lets uncertain
    submits be sent again (*release*): a later form of the job may ask for lost records, too.
    """
    lost = [part for part in ledger.parts.values() if part.meta().get("lost_records")]
    for start in range(0, len(job.variants) if lost else 0, _CHUNK):
        chunk = [v for v in job.variants[start : start + _CHUNK] if ledger.part(v.key) in lost]
        known = ledger.known([variant.key for variant in chunk])
        await asyncio.gather(*(_hold_or_amend(ledger, v, known.get(v.key)) for v in chunk))
    if lost and release:
        ledger.set_meta(lost_records=False)


async def _hold_or_amend(ledger: Ledger, variant: Variant, entry: Entry | None) -> None:
    if entry is None or entry.state is State.PLANNED:
        intent = (entry or _planned(variant)).move(State.SUBMITTING)
        await ledger.write(intent)
        error = "the ledger was rebuilt, and this record may have been lost"
        await ledger.write(intent.move(State.UNCERTAIN, error_class="lost_record", error=error))
    elif entry.request != variant.request or entry.labels != variant.labels:
        await ledger.amend(_amended(entry, variant))


def _amended(entry: Entry, variant: Variant) -> Entry:
    """*entry* with the request of its variant; a manifest lists neither all of it nor its count."""
    asked = find_model(variant.model).images(variant.request)
    amended = replace(entry, request=variant.request, labels=variant.labels, images_asked=asked)
    if entry.state is State.SAVED and asked > entry.images_asked:
        short = f"{entry.images_asked} of {asked} images came"
        return replace(amended, error_class="missing_output", error=short)
    return amended


async def take_back(ledger: Ledger, keys: Iterable[str]) -> None:
    """Let the saved variants in *keys* be downloaded again: their files are lost or damaged."""
    todo = list(keys)
    for start in range(0, len(todo), _CHUNK):
        reason = "the file was lost or damaged here"
        moved = (
            entry.move(State.COMPLETED, error_class="missing_file", error=reason)
            for entry in ledger.known(todo[start : start + _CHUNK]).values()
        )
        # All at once, for one sync of the log: a folder that is not mounted loses all its files.
        await asyncio.gather(*map(ledger.write, moved))


async def restore_files(ledger: Ledger, folder: DatasetFolder) -> bool:
    """Take back the saving of variants whose files are gone or have another size.

    They are downloaded again, for free, while the service still has them. A file of the wrong size
    is moved to the quarantine, never deleted; files that have come back count as saved again.
    Returns whether any variant was moved. Raises StorageError.
    """
    holdings = Holdings(folder)
    moved = await _welcome_back(ledger, holdings)
    broken: dict[str, None] = {}
    for key, name, size in ledger.files():
        found = holdings.size(name)
        if name.startswith(DROPPED):
            if found is not None:  # a run was killed before it could
                drop(folder, name)
        elif found != size:
            log.warning("%s is missing or damaged; it is fetched again", name)
            quarantine(folder, folder.root / name)
            broken[key] = None
    await take_back(ledger, broken)
    return moved or bool(broken)


async def _welcome_back(ledger: Ledger, holdings: Holdings) -> bool:
    """A folder that was not mounted, or was moved, may be there again with all it held."""
    moved = False
    away = (State.COMPLETED, State.EXPIRED)
    if next(ledger.entries(*away), None) is None:
        return moved  # and no need to look through all images
    # Part by part: as a whole, images of other variants may stand between those of one.
    lost = chain.from_iterable(part.images(*away) for part in ledger.parts.values())
    for _, group in groupby(lost, key=lambda pair: pair[0].key):
        pairs = list(group)
        entry = pairs[0][0]
        back = entry.error_class == "missing_file"
        if back and all(is_whole(holdings, image) for _, image in pairs):
            moved = True
            short = len(pairs) < entry.images_asked
            await ledger.write(
                entry.move(
                    State.SAVED,
                    error_class="missing_output" if short else None,
                    error=f"{len(pairs)} of {entry.images_asked} images came" if short else None,
                )
            )
    return moved


def is_whole(holdings: Holdings, image: Image) -> bool:
    """Whether what is there is the very *image* that was saved, or it is not to be there.

    Raises StorageError.
    """
    if image.dropped:
        return True
    if holdings.size(image.file_name) != image.bytes:
        return False
    try:
        data = memoryview(holdings.read(image.file_name) or b"")
        sha256, _, picture = look_through(data)
    except PictureError:
        return False
    found = (sha256, picture.width, picture.height, picture.media_type)
    return found == (image.sha256, image.width, image.height, image.media_type)


def longest_wait(meta: Mapping[str, object], seconds: float) -> float:
    """The longest time that a submit of this dataset may have waited for its answer."""
    earlier = meta.get("submit_timeout")
    return max(seconds, earlier) if isinstance(earlier, int | float) else seconds


@dataclass(frozen=True, kw_only=True)
class ToDo:
    """What a run has to do, in its order: paid work first, then what is new."""

    ledger: Ledger
    variants: Variants
    planned: int
    """How many of them are for the ledger: fewer than all when it has some parts only."""
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
        sent = set()
        for entry in self.again():
            sent.add(entry.key)
            yield entry
        # One of these that is turned away for the moment is planned, and on its way all the same.
        yield from (e for e in self._unknown() if e.key not in sent)

    def _unknown(self) -> Iterator[Entry]:
        """The variants that were never submitted, or only turned away."""
        ledger, variants = self.ledger, self.variants
        counts = ledger.counts()
        if not counts:  # a new dataset: no key needs to be looked up
            yield from (_planned(v) for v in variants if ledger.part(v.key))
            return
        left = self.planned - counts.total() + counts[State.PLANNED]
        for start in range(0, len(variants), _KEYS):
            if left <= 0:  # the last ones are seldom the last of the job
                return
            keys = list(variants[start : start + _KEYS].keys())
            states = ledger.states(keys)
            for index, key in enumerate(keys, start):
                state = states.get(key)
                if state is State.PLANNED:
                    left -= 1
                    yield from ledger.known([key]).values()
                elif state is None and ledger.part(key):
                    left -= 1
                    yield _planned(variants[index])

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

    def any_left(self, totals: Totals) -> bool:
        """Whether there is anything to do; *totals* are those of the ledger."""
        counts = count(self.ledger, self.planned, totals)
        if counts.pending or counts.uncertain:
            return True
        # Paid work of an earlier form of the job is collected too.
        paid = self.ledger.entries(State.COMPLETED, State.SUBMITTED)
        return next(chain(paid, self.again()), None) is not None

    def foreign(self) -> int:
        """How many paid variants belong to another key or service."""
        paid = self.ledger.entries(State.COMPLETED, State.SUBMITTED)
        return sum(not self._ours(entry) for entry in paid)

    def _ours(self, entry: Entry) -> bool:
        # An id means nothing to another account and waits for its own key. A rebuilt ledger does
        # not know whose it was; asking costs nothing.
        return entry.account in (None, self.account)


def _planned(variant: Variant) -> Entry:
    return Entry(
        key=variant.key,
        state=State.PLANNED,
        revision=0,
        prompt_id=variant.prompt_id,
        model=variant.model,
        request=variant.request,
        images_asked=find_model(variant.model).images(variant.request),
        labels=variant.labels,
    )
