"""Packing what is saved into shards while a run works, and when it ends.

Images land as loose files, as always. A batch is a fixed part of the plan; once all its variants
have come to their end, its images are packed, in the order of the plan. So it does not matter in
which order they came, and not more lies around than the batches that variants in flight are of.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from batchgen.dataset.exports.packed import REST, Asked, Packed, open_packed, variant_of
from batchgen.dataset.exports.parquet import require_pyarrow
from batchgen.dataset.exports.shards import Limits
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.kinds import Column, Kind, kind_of, view_columns
from batchgen.dataset.rows.manifest import columns
from batchgen.dataset.stores.members import ENDINGS, read_listing
from batchgen.dataset.stores.uploads import bucket_of
from batchgen.dataset.treatment import read_treatment
from batchgen.errors import ExitCode, StorageError, UsageError
from batchgen.job.load import Job
from batchgen.job.variants import Variants
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.rows import manifest_row
from batchgen.run.telling.tally import Tally
from batchgen.run.writing.batches import Batches

log = logging.getLogger(__name__)

_ENDED = {State.SAVED, State.FAILED, State.UNCERTAIN, State.EXPIRED}
_CHUNK = 250  # variants looked up before others get their turn: some 20 ms
_KEYS = 2_000  # when only their states are wanted
LOOK = 1.0  # seconds between two looks whether there is enough to pack


class Packer:
    """Packs the batches of a plan as they come to their end."""

    def __init__(self, packed: Packed, ledger: Ledger, variants: Variants, size: int) -> None:
        """Pack what *ledger* has of *variants*, in batches of so many."""
        self._packed = packed
        self._ledger = ledger
        earlier = packed.is_earlier if packed.earlier() else None
        self._batches = Batches(variants, size, earlier)
        self.size = size
        self._next = 0
        self._begun: set[int] = set()
        self._lacking: set[int] = set()
        """Those that have ended without all their images, which may come when the run ends."""

    async def pack(self, *, whole: bool = False, go_on: Callable[[], bool] = lambda: True) -> None:
        """Pack the batches that have come to their end; of the *whole* plan, what there is.

        It ends with the batch it is at when *go_on* says no. Raises StorageError.
        """
        loose = {variant_of(name) for name in await asyncio.to_thread(self._packed.loose)}
        for number in sorted(self._begun | self._lacking if whole else self._begun):
            if go_on():
                await self._look(number, self._batches.keys(number), loose, whole=whole)
        while go_on() and (keys := self._batches.keys(self._next)):
            await asyncio.sleep(0)
            batch = self._packed.listing.first + self._next
            done = self._packed.is_done(batch) and self._packed.is_current(batch)
            if not (done and loose.isdisjoint(keys)):
                # Variants are taken in the order of the plan: behind one that is not there is none,
                # unless a run of another form of the job has been there.
                begun = await self._look(self._next, keys, loose, whole=whole)
                if not begun and not (whole and loose):
                    break
            self._next += 1
        if whole:
            await self._pack_earlier(loose)

    async def _look(self, number: int, keys: list[str], loose: set[str], *, whole: bool) -> bool:
        """Pack the batch *number* if it is time; returns whether any of it was begun."""
        states = states_of(self._ledger, keys)
        ended = len(states) == len(keys) and set(states.values()) <= _ENDED
        if not ended and not whole:
            if states:
                self._begun.add(number)
            return bool(states)
        batch = self._packed.listing.first + number
        if not (loose.isdisjoint(keys) and self._packed.is_current(batch)):
            await self._pack(batch, keys, loose)
        self._begun.discard(number)
        self._lacking.add(number)
        return bool(states)

    async def pack_again(self) -> None:
        """Pack anew the batches of which a shard is damaged or an image was fetched again.

        Raises StorageError.
        """
        loose = {variant_of(name) for name in self._packed.loose()}
        for batch in self._packed.batches():
            keys = self._packed.keys(batch)
            if not (loose.isdisjoint(keys) and self._packed.is_whole(batch)):
                await self._pack(batch, keys, loose, done=self._packed.is_done(batch))

    async def _pack(
        self, batch: int, keys: Sequence[str], loose: set[str], *, done: bool = True
    ) -> None:
        rows, missing = await self._rows(keys)
        await asyncio.to_thread(self._packed.pack, batch, rows, done=done and not missing)
        loose.difference_update(keys)

    async def _rows(self, keys: Sequence[str]) -> tuple[list[Asked], bool]:
        """The rows of the images of *keys*, in that order, and whether any are missing."""
        rows: list[Asked] = []
        missing = False
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            entries, images = self._ledger.known(chunk), self._ledger.images_of(chunk)
            for entry in (entries.get(key) for key in chunk):
                if entry is None or entry.state is not State.SAVED or entry.error_class:
                    missing = True
                if entry and entry.state is State.SAVED:
                    found = (manifest_row(entry, image) for image in images.get(entry.key, ()))
                    rows += (row for row in found if str(row["file_name"]).startswith("images/"))
            await asyncio.sleep(0)
        return rows, missing

    async def _pack_earlier(self, loose: set[str]) -> None:
        """Pack again what has changed in batches of earlier plans, and what is left over."""
        for batch in self._packed.earlier():
            current = self._packed.is_current(batch)
            keys = [] if current and not loose else self._packed.keys(batch)
            if not (current and loose.isdisjoint(keys)):
                await self._pack(batch, keys, loose)
        states = states_of(self._ledger, sorted(loose))
        if saved := [key for key, state in states.items() if state is State.SAVED]:
            await self._pack(REST, sorted({*saved, *self._packed.keys(REST)}), loose)

    async def finish(self, mark: object) -> None:
        """Pack what there is, unless that was done for the manifest that *mark* stands for.

        Raises StorageError.
        """
        done = [mark, self._packed.shape, self._packed.listing.plan]
        if mark is None or self._ledger.meta().get("packed") != done:
            await self.pack(whole=True)
            self._ledger.set_meta(packed=done)


def states_of(ledger: Ledger, keys: Sequence[str]) -> dict[str, State]:
    """The states of those of the *keys* that have an entry, however many they are."""
    found: dict[str, State] = {}
    for start in range(0, len(keys), _KEYS):
        found |= ledger.states(keys[start : start + _KEYS])
    return found


def check_packing(job: Job, folder: DatasetFolder) -> None:
    """Raise UsageError when the images in *folder* are kept in another way than *job* wants.

    Or when a library for that is missing. Raises StorageError for a list of shards that is damaged.
    """
    wanted = job.packing.format if job.packing else None
    if wanted and (bucket := bucket_of(folder)):
        raise UsageError(f"expected no output.format {wanted} in {bucket}, where images are files")
    if wanted == "parquet":
        require_pyarrow()
    listing, rows = read_listing(folder), folder.manifest_jsonl
    there = listing.format if listing else read_treatment(folder).format
    begun = listing is not None or (rows.is_file() and rows.stat().st_size > 0)
    if begun and wanted != (there if there in ENDINGS else None):
        raise UsageError(
            f"the images in {folder.root} are kept in the format {there}, not as output.format "
            "says; give another output.dir, or make the other form with batchgen export"
        )


def open_packer(
    job: Job, folder: DatasetFolder, ledger: Ledger, axes: Sequence[str]
) -> Packer | None:
    """What packs the images of *job*; None when they stay files, or are made in shards of a run.

    Raises StorageError.
    """
    packing = job.packing
    if packing is None or not ledger.holds_all:
        return None
    limits = Limits(images=packing.images, bytes=packing.bytes)
    packed = open_packed(
        folder,
        packing.format,
        job.variants.fingerprint(),
        limits=limits,
        columns=_columns(job, ledger, axes),
        treatment=read_treatment(folder),
    )
    return Packer(packed, ledger, job.variants, packing.images)


async def repack(folder: DatasetFolder, ledger: Ledger, damaged: Iterable[str]) -> None:
    """After a repair: write the *damaged* shards anew, and those that images were fetched for.

    Raises StorageError.
    """
    listing = read_listing(folder)
    if listing:
        known = list(view_columns(_kinds(ledger, ())))
        packed = Packed(folder, listing, columns=known, treatment=read_treatment(folder))
        packed.doubt(damaged)
        await Packer(packed, ledger, Variants(()), listing.images).pack_again()


def _columns(job: Job, ledger: Ledger, axes: Sequence[str]) -> list[Column]:
    """The columns of rows, by what the job asks for and never by what has come so far."""
    seen = _kinds(ledger, axes)
    for name, value in _asked(job):
        if name in seen:
            seen[name].add(kind_of(value))
    ledger.set_meta(kinds={n: sorted(k for k in kinds if k) for n, kinds in seen.items()})
    return list(view_columns(seen))


def _kinds(ledger: Ledger, axes: Sequence[str]) -> dict[str, set[Kind | None]]:
    """What values the columns have had in any form of the job, and *axes* that are new."""
    known = ledger.meta().get("kinds")
    kinds: Mapping[str, list[Kind]] = known if isinstance(known, dict) else {}
    names = columns([*kinds, *axes])
    return {name: {None, *kinds.get(name, ())} for name in names}


def _asked(job: Job) -> Iterator[tuple[str, object]]:
    """The values that columns get from *job*; of a range the ends."""
    for model in job.models:
        yield from model.with_defaults({}).items()
    for _, name, values in job.variants.asked():
        own = values.items
        ends = own[:: len(own) - 1 or 1] if isinstance(own, range) else own
        yield from ((name, value) for value in ends)
    for box in job.variants.boxes:
        yield from {**box.own, **box.grid.labels}.items()
    yield "repeat", 1


@asynccontextmanager
async def packing(packer: Packer | None, tally: Tally) -> AsyncIterator[None]:
    """Pack now and then while the block lasts, whenever as many images as a batch has have come."""
    if packer is None:
        yield
        return
    ended = asyncio.Event()
    work = asyncio.create_task(_now_and_then(packer, tally, ended))
    try:
        yield
    finally:
        ended.set()
        await asyncio.wait({work})
    work.result()


async def finish_packing(packer: Packer | None, stop: Stop, mark: object) -> None:
    """Pack what there is when a run ends; *mark* is as in :meth:`Packer.finish`.

    Not when a signal has ended the run, and has to be obeyed soon: the next one does it then.
    """
    if packer and stop.code not in {ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.STORAGE}:
        try:
            await packer.finish(mark)
        except StorageError as error:
            stop.note(error.exit_code, str(error))


async def _now_and_then(packer: Packer, tally: Tally, ended: asyncio.Event) -> None:
    packed_at = tally.images
    while not ended.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK)
        if tally.images - packed_at < packer.size or ended.is_set():
            continue
        packed_at = tally.images
        try:
            await packer.pack(go_on=lambda: not ended.is_set())
        except StorageError as error:  # the end of the run meets it again, and says so
            log.warning("%s", error)
