"""A run, stage by stage: claim the dataset, settle what is known, launch, end."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import yaml

from batchgen.dataset.folder import DatasetFolder, json_line, write_whole
from batchgen.dataset.manifest import Manifest, columns
from batchgen.errors import ExitCode, UsageError
from batchgen.job.load import Job, Pace
from batchgen.job.models import find_model
from batchgen.job.variants import Variant, Variants
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.lock import locked
from batchgen.ledger.store import Ledger
from batchgen.run.accounts import Outcome, count, exit_code
from batchgen.run.context import Context, now
from batchgen.run.life import live
from batchgen.run.options import RunOptions
from batchgen.run.pool import Pool
from batchgen.run.rate import Rate
from batchgen.run.rows import failure_row, manifest_row
from batchgen.run.service import Access, find_access, open_service
from batchgen.run.spend import Spend
from batchgen.run.stop import Stop
from batchgen.run.tally import Tally, Watch

# Seconds that downloads and answers in flight are given after a signal.
GRACE = 15.0
_CHUNK = 500


async def run_job(
    job: Job,
    options: RunOptions | None = None,
    *,
    stop: Stop | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Make the dataset of *job*, or go on making it.

    Failures of single variants are in the outcome. Raises UsageError for options that cannot be
    used, LockedError when another run owns the dataset, StorageError when it cannot be written.
    """
    options = options or RunOptions()
    folder = DatasetFolder(options.out or job.folder)
    run = _Run(
        job=job,
        pace=options.pace(job),
        access=find_access(job, options),
        folder=folder,
        stop=stop or Stop(),
        watch=watch or (lambda _: None),
    )
    run.check_budget()
    folder.prepare()
    with locked(folder.lock):
        folder.clear_parts()
        with Ledger(folder.ledger) as ledger:
            return await run.make(ledger)


@dataclass(kw_only=True)
class _Run:
    """One execution of a job into a dataset that it owns."""

    job: Job
    pace: Pace
    access: Access
    folder: DatasetFolder
    stop: Stop
    watch: Watch
    started: float = field(default_factory=time.monotonic)
    started_at: str = field(default_factory=now)

    def check_budget(self) -> None:
        """A budget can only be kept when the price is known."""
        unknown = self.job.model.price_micros is None and not self.access.free
        if self.pace.budget_micros is not None and unknown:
            raise UsageError(
                f"the price of {self.job.model.id} is unknown, so a budget cannot be kept; "
                "leave the budget out to run all the same"
            )

    async def make(self, ledger: Ledger) -> Outcome:
        """All stages on a dataset that is ours."""
        ledger.hold_unanswered()
        manifest_columns = self._settle_plan(ledger)
        manifest = Manifest.open(
            self.folder,
            manifest_columns,
            lambda: (manifest_row(entry, image) for entry, image in ledger.images()),
        )
        totals = ledger.totals()
        tally = Tally(
            images_planned=self.job.image_count(),
            images=totals.images,
            nsfw=totals.nsfw,
            spent_micros=totals.spent_micros,
        )
        try:
            if self._work_left(ledger):
                await self._launch(ledger, manifest, tally)
        finally:
            manifest.close()
        return self._end(ledger, tally)

    def _settle_plan(self, ledger: Ledger) -> tuple[str, ...]:
        """Tell the ledger what the job asks for now; returns the columns of the manifest."""
        meta = ledger.meta()
        fingerprint = self.job.variants.fingerprint()
        if meta.get("plan") not in (None, fingerprint):
            ledger.want(variant.key for variant in self.job.variants)
        # An axis that an edited job no longer has keeps its column: its images are still there.
        known = meta.get("axes")
        earlier = known if isinstance(known, list) else []
        axes = list(dict.fromkeys([*earlier, *self.job.axes]))
        ledger.set_meta(
            plan=fingerprint,
            axes=axes,
            job=self.job.name,
            planned=len(self.job.variants),
            images_planned=self.job.image_count(),
            price_known=self.access.free or self.job.model.price_micros is not None,
            service="local" if self.access.free else "wavespeed",
            started_at=self.started_at,
        )
        resolved = yaml.safe_dump(dict(self.job.resolved), sort_keys=False, allow_unicode=True)
        write_whole(self.folder.job, [resolved])
        return columns(axes)

    def _work_left(self, ledger: Ledger) -> bool:
        if count(ledger, len(self.job.variants)).pending:
            return True
        # Paid work of an earlier form of the job is collected too.
        return next(ledger.entries(State.COMPLETED, State.SUBMITTED), None) is not None

    async def _launch(self, ledger: Ledger, manifest: Manifest, tally: Tally) -> None:
        async with open_service(self.access, self.pace, self.folder) as service:
            context = Context(
                job=self.job,
                pace=self.pace,
                free=self.access.free,
                service=service,
                ledger=ledger,
                folder=self.folder,
                manifest=manifest,
                stop=self.stop,
                spend=Spend(budget_micros=self.pace.budget_micros, spent_micros=tally.spent_micros),
                rate=Rate(self.pace.rate),
                tally=tally,
                watch=self.watch,
            )
            pool = Pool(self.pace.concurrency, on_bug=self._bug)
            work = asyncio.create_task(self._do_all(context, pool))
            try:
                await self._until_done(work)
            finally:
                work.cancel()
                await pool.drop()
                await asyncio.wait({work})
        if not work.cancelled():
            work.result()
        if pool.bug:
            raise pool.bug

    async def _do_all(self, context: Context, pool: Pool) -> None:
        """Start what is to be done, paid work first, as slots become free; then see it through."""
        for entry in _to_do(context.ledger, self.job.variants):
            if self.stop.leaving or (entry.state is State.PLANNED and not self.stop.submitting):
                break
            await pool.spawn(partial(live, context, entry))
        await pool.join()

    async def _until_done(self, work: "asyncio.Task[None]") -> None:
        """Wait for the end of the work; once it is time to leave, no longer than the grace."""
        left = asyncio.create_task(self.stop.until_left())
        hurried = asyncio.create_task(self.stop.hurry.wait())
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({work, hurried}, timeout=GRACE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            hurried.cancel()

    def _bug(self, error: BaseException) -> None:
        self.stop.leave(ExitCode.BUG, f"an internal error: {type(error).__name__}")

    def _end(self, ledger: Ledger, tally: Tally) -> Outcome:
        counts = count(ledger, len(self.job.variants))
        totals = ledger.totals()
        outcome = Outcome(
            job=self.job.name,
            dataset=self.folder.root,
            service="local" if self.access.free else "wavespeed",
            exit_code=exit_code(counts, self.stop),
            why=self.stop.why,
            counts=counts,
            images=totals.images,
            images_planned=tally.images_planned,
            nsfw=totals.nsfw,
            bytes=totals.bytes,
            spent_usd=_usd(totals.spent_micros, self.access, self.job),
            images_made=tally.images_made,
            submits=tally.submits,
            polls=tally.polls,
            retries=tally.retries,
            started_at=self.started_at,
            ended_at=now(),
            wall_s=round(time.monotonic() - self.started, 3),
        )
        _write_reports(self.folder, ledger, outcome)
        return outcome


def _to_do(ledger: Ledger, variants: Variants) -> Iterator[Entry]:
    """What is left, paid work first, looked up a few hundred at a time.

    Completed ones come before submitted ones, so that one that moves on meanwhile is not met twice.
    """
    yield from ledger.entries(State.COMPLETED, State.SUBMITTED)
    for start in range(0, len(variants), _CHUNK):
        chunk = list(variants[start : start + _CHUNK])
        known = ledger.known([variant.key for variant in chunk])
        for variant in chunk:
            entry = known.get(variant.key)
            if entry is None:
                yield _planned(variant)
            elif entry.state is State.PLANNED:
                yield entry


def _planned(variant: Variant) -> Entry:
    return Entry(
        key=variant.key,
        state=State.PLANNED,
        revision=0,
        prompt_id=variant.prompt_id,
        model=variant.model,
        request=variant.request,
        images_asked=find_model(variant.model).images(variant.request),
    )


def _usd(micros: int, access: Access, job: Job) -> float | None:
    if not access.free and job.model.price_micros is None:
        return None
    return micros / 1e6


def _write_reports(folder: DatasetFolder, ledger: Ledger, outcome: Outcome) -> None:
    broken = (State.FAILED, State.UNCERTAIN, State.EXPIRED)
    entries = chain(ledger.entries(*broken, wanted_only=True), ledger.short())
    write_whole(folder.failures, (json_line(failure_row(entry)) for entry in entries))
    write_whole(folder.summary, [json.dumps(outcome.summary(), indent=2) + "\n"])
