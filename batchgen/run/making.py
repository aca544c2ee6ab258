"""A run, stage by stage: claim the dataset, settle what is known, launch, end."""

import logging
import secrets
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchgen.dataset.files.images import ImageStore
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.treatment import read_treatment
from batchgen.errors import ExitCode, UsageError
from batchgen.job.grammar.units import read_failures
from batchgen.job.load import Job, Pace
from batchgen.ledger.entry import State
from batchgen.ledger.parts import Shard
from batchgen.ledger.store import Ledger
from batchgen.run.bucket.mirror import Mirror
from batchgen.run.bucket.mirroring import owned
from batchgen.run.care.merging import merge_if_done, open_rows
from batchgen.run.claim.claiming import Patience, prepare
from batchgen.run.claim.opening import open_ledger, take_mark
from batchgen.run.claim.parting import claim_parts, clear_all, keep_job
from batchgen.run.claim.purse import draw
from batchgen.run.ending import Ending
from batchgen.run.pace.breaker import Breaker
from batchgen.run.pace.experience import Experience, cache_file
from batchgen.run.pace.pacer import Pacer
from batchgen.run.pace.spend import Spend
from batchgen.run.pace.stop import Stop
from batchgen.run.plan import money
from batchgen.run.plan.approval import check_approval
from batchgen.run.plan.checking import check_model, check_names, refuse
from batchgen.run.plan.facts import introduce
from batchgen.run.plan.planning import ToDo, hold_lost_records, restore_files, settle_plan
from batchgen.run.plan.stock import projected
from batchgen.run.sharing.leases import Leases
from batchgen.run.sharing.leasing import Lease
from batchgen.run.sharing.lending import Engine, Lending, check_engine, leading
from batchgen.run.telling.accounts import Outcome
from batchgen.run.telling.history import remember_begin
from batchgen.run.telling.hooks import Begun, Hooks
from batchgen.run.telling.tally import Tally
from batchgen.run.terms.access import Access, find_access, mixing
from batchgen.run.terms.limits import Limits
from batchgen.run.terms.options import RunOptions
from batchgen.run.terms.planned import Planned
from batchgen.run.terms.prices import Prices
from batchgen.run.terms.sharding import planned_in, settle_share
from batchgen.run.variant.context import Context, Rows, now
from batchgen.run.writing.packing import Packer, finish_packing, open_packer, packing
from batchgen.run.writing.reports import checkpoints

if TYPE_CHECKING:
    from batchgen.run.terms.service import Service

log = logging.getLogger(__name__)


async def run_job(
    job: Job,
    options: RunOptions | None = None,
    *,
    stop: Stop | None = None,
    hooks: Hooks | None = None,
    engine: Engine | None = None,
    leases: Leases | None = None,
) -> Outcome:
    """Make the dataset of *job*, or go on making it; *hooks* are called meanwhile.

    With an *engine* other processes do the work, as runs of shards that have limits from *leases*.
    Failures of single variants are in the outcome. Raises UsageError for options that cannot be
    used, LockedError when another run owns the dataset, NotGivenBackError when workers still do at
    the end, StorageError when it cannot be written.
    """
    options = options or RunOptions()
    run = _settled(job, options, engine, leases)
    run.stop, run.hooks = stop or run.stop, hooks or run.hooks
    folder, shard = run.folder, run.shard
    prepare(job, folder)
    patience = Patience(stop=run.stop, wait=options.wait_if_locked, until=run.ends_at())
    if shard:
        with ExitStack() as stack:
            ledger = await claim_parts(folder, shard, stack, patience, led=leases is not None)
            outcome = await run.make(ledger)
        if leases is None:
            merge_if_done(folder)
        return outcome
    if engine:
        async with leading(folder, engine, patience) as run.lending:
            return await run.make(run.lending.ledger)
    async with owned(folder, patience) as run.mirror:
        clear_all(folder)
        with open_ledger(folder) as ledger:
            return await run.make(ledger)


@dataclass(kw_only=True)
class _Run:
    """One execution of a job into a dataset that it owns."""

    job: Job
    options: RunOptions
    pace: Pace
    limits: Limits
    shard: Shard | None
    access: Access
    folder: DatasetFolder
    experience: Experience
    begun: Begun
    lease: Lease | None
    started: float = field(default_factory=time.monotonic)
    """On the monotonic clock."""
    stop: Stop = field(default_factory=Stop)
    hooks: Hooks = field(default_factory=Hooks)
    lending: Lending | None = None
    mirror: Mirror | None = None
    account: str = ""
    planned: Planned = field(default=Planned(variants=0, images=0))
    packer: Packer | None = None

    async def make(self, ledger: Ledger) -> Outcome:
        """All stages on a dataset that is ours."""
        if wrong := mixing(ledger, self.folder.root, remote=self.access.remote):
            raise UsageError(wrong)
        mark = take_mark(ledger)
        axes = settle_plan(ledger, self.job)
        self.planned = planned_in(ledger, self.job)
        self.account = introduce(ledger, self.job, self.pace, self.access, self.begun)
        await keep_job(self.folder, self.job.resolved, self.stop, shared=self.shard is not None)
        held = ledger.hold_unanswered()
        if self.lease:
            self.lease.unseen = held
        await hold_lost_records(ledger, self.job, release=self.pace.resubmit_uncertain)
        if await restore_files(ledger, self.folder):
            mark = None
        self.packer = open_packer(self.job, self.folder, ledger, axes)
        manifest = open_rows(self.folder, ledger, axes, mark, csv_safe=self.job.csv_safe)
        if self.mirror:
            self.mirror.begin()
        totals = ledger.totals()
        tally = Tally.begun(totals, images_planned=self.planned.images)
        try:
            if self._to_do(ledger).any_left(totals):
                # The HTTP library is loaded only when there is something to ask for.
                from batchgen.run.terms.service import open_service

                async with open_service(self.access, self.pace, self.folder) as service:
                    await self._launch(ledger, manifest, tally, service)
                self.experience.keep()
            else:
                self._begin()
        finally:
            mark = manifest.close()
        if self.lending:  # the rows are with the parts
            manifest = open_rows(self.folder, ledger, axes, None, csv_safe=self.job.csv_safe)
            mark = manifest.close()
        sound = manifest.rows == ledger.totals().images  # else the next run adds what is missing
        await finish_packing(self.packer, self.stop, mark if sound else None)
        ending = Ending(
            begun=self.begun,
            planned=self.planned.variants,
            service=self.access.service,
            folder=self.folder,
            stop=self.stop,
            started=self.started,
            spent_before=totals.spent_micros,
            shard=str(self.shard or ""),
            led=self.lease is not None,
        )
        return await ending.account_to(self.mirror, ledger, tally, mark if sound else None)

    def _begin(self) -> None:
        """Nothing stands in the way any more."""
        log.info("the run %s begins", self.begun.run)
        if self.lease is None:
            remember_begin(self.begun)
        self.hooks.begun(self.begun)

    def _to_do(self, ledger: Ledger) -> ToDo:
        return ToDo(
            ledger=ledger,
            variants=self.job.variants,
            planned=self.planned.variants,
            options=self.options,
            account=self.account,
            resubmit_uncertain=self.pace.resubmit_uncertain,
        )

    async def _launch(
        self, ledger: Ledger, manifest: Rows, tally: Tally, service: "Service"
    ) -> None:
        from batchgen.run.uncertain.settle import settle_earlier
        from batchgen.run.variant.working import work_through

        await check_model(self.job, self.access, service, self._to_do(ledger), self.stop)
        prices = await self.stop.unless_left(money.find_prices(self.job, self.access, service))
        if prices is None:
            return
        known = prices.over(Prices.remembered(ledger.meta()))
        ledger.set_meta(**known.as_meta(prices))
        money.check_budget(prices, self.pace.budget_micros)
        try:
            check_names(self.job, ledger)
            check_approval(self.job, self._to_do(ledger), self.pace, prices)
        except UsageError as error:
            refuse(error, self._to_do(ledger), self.stop)
        self._begin()
        if self.shard and self.lease is None:
            self.pace = await draw(self.pace, self.folder, self.shard, ledger, self.stop)
        context = self._context(ledger, manifest, tally, service, known)
        if ledger.holds_all:  # else the history shows what other shards have made, too
            await self.stop.unless_left(settle_earlier(context))
        to_do = self._to_do(ledger)
        if foreign := to_do.foreign():
            why = f"{foreign} paid variants belong to another key or service, which is needed"
            self.stop.note(ExitCode.INCOMPLETE, f"{why} to collect them")
        if self.pace.resubmit_uncertain:
            uncertain = ledger.entries(State.UNCERTAIN, wanted_only=True)
            money.warn_of_worst_case(uncertain, known)
        await self.stop.unless_left(money.check_balance(prices, service, self.stop))
        if self.lending:
            await self.lending.work(self.job, self.options, context, self.ends_at())
            return
        views = nullcontext() if self.shard else checkpoints(self.folder, self.job.name, self.stop)
        async with views, packing(self.packer, tally):
            await work_through(context, to_do, self.ends_at())

    def _context(
        self,
        ledger: Ledger,
        manifest: Rows,
        tally: Tally,
        service: "Service",
        prices: Prices,
    ) -> Context:
        limits, allowed = self.limits, self.pace.max_failures
        most = None if allowed is None else read_failures(self.planned.variants, allowed)
        tally.rate_limit = limits.rate
        tally.projected_micros = projected(
            self.job, ledger, prices, tally.spent_micros, self.pace.budget_micros
        )
        ledger.set_meta(rate_limit=limits.rate, projected_micros=tally.projected_micros)
        self.hooks.progress(tally)
        if limits.assumed:
            log.warning("%s", limits.sentence(tally.images_planned - tally.images_done))
        return Context(
            file_name=self.job.file_name,
            pace=self.pace,
            concurrency=limits.concurrency,
            prices=prices,
            account=self.account,
            service=service,
            ledger=ledger,
            folder=self.folder,
            images=ImageStore(self.folder),
            treatment=read_treatment(self.folder),
            manifest=manifest,
            stop=self.stop,
            spend=Spend(
                budget_micros=self.pace.budget_micros,
                spent_micros=tally.spent_micros,
                submits=self.pace.limit,
            ),
            pacer=Pacer(self.stop, limits.rate, concurrency=limits.concurrency),
            breaker=Breaker(self.stop, max_failures=most, prompts=len(self.job.prompts)),
            experience=self.experience,
            tally=tally,
            hooks=self.hooks,
            keep=self.lease.keep if self.lease else None,
        )

    def ends_at(self) -> float | None:
        """When its time is up, on the monotonic clock; None for never."""
        limit = self.pace.max_duration
        return None if limit is None else self.started + limit


def _settled(job: Job, options: RunOptions, engine: Engine | None, leases: Leases | None) -> _Run:
    """What is known of a run before anything is written. Raises UsageError."""
    folder, pace, leased = DatasetFolder(options.folder(job)), options.pace(job), leases is not None
    check_engine(pace, options.shard, engine, led=leased)
    access = find_access(options.service or job.service, options.base_url)
    shard, pace, limits = settle_share(options.shard, pace, access, leased=leased)
    return _Run(
        job=job,
        options=options,
        pace=pace,
        limits=limits,
        shard=shard,
        access=access,
        folder=folder,
        experience=Experience(access.origin, (folder.latencies, cache_file())),
        begun=Begun(run=secrets.token_hex(4), job=job.name, folder=folder, started_at=now()),
        lease=Lease(leases=leases, name=str(shard)) if leases else None,
    )
