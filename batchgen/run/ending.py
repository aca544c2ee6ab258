"""The end of a run: its outcome, and what it leaves in the dataset for people and for programs."""

import logging
import time
from dataclasses import dataclass, replace

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.uploads import bucket_of
from batchgen.errors import ExitCode, StorageError
from batchgen.ledger.store import Ledger
from batchgen.run.bucket.mirror import Mirror
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.accounts import Outcome, count, exit_code, why
from batchgen.run.telling.history import remember_end
from batchgen.run.telling.hooks import Begun
from batchgen.run.telling.tally import Tally
from batchgen.run.terms.planned import chosen
from batchgen.run.variant.context import now
from batchgen.run.writing.reports import Findings, keep_exports, refresh_views, write_reports

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What is known of a run before it has begun, and needed to account for it."""

    begun: Begun
    planned: int
    """Variants that the job asks for, or as many of them as are of the shard."""
    service: str
    """``wavespeed`` or ``local``."""
    folder: DatasetFolder
    stop: Stop
    started: float
    """On the monotonic clock."""
    spent_before: int
    """What the dataset had cost before, in millionths of a US dollar."""
    shard: str = ""
    """As :attr:`Outcome.shard`."""
    led: bool = False
    """Whether it was a part of another run, which tells of it."""
    ran: bool = True
    """False when only what others have made is put together."""

    def account(self, ledger: Ledger, tally: Tally, mark: object) -> Outcome:
        """Write down how the run ended. What cannot be written becomes a part of that."""
        outcome = self._account(ledger, tally, mark)
        self._remember(outcome)
        return outcome

    async def account_to(
        self, mirror: Mirror | None, ledger: Ledger, tally: Tally, mark: object
    ) -> Outcome:
        """As :meth:`account`, with everything in the bucket that *mirror* keeps up to date."""
        if mirror is None or not await self._drain(mirror):
            return self.account(ledger, tally, mark)
        outcome, there = self._account(ledger, tally, mark), ""
        try:
            there = await mirror.publish()
        except StorageError as error:
            outcome = self._report(ledger, self._short_of_room(outcome, error))
        self._remember(outcome)
        if there:
            try:
                await mirror.release(there)
            except StorageError as error:
                log.warning("%s; only a run from here can go on", error)
        return outcome

    async def _drain(self, mirror: Mirror) -> bool:
        """Upload the images that are left; whether all of them are in the bucket now."""
        try:
            await mirror.drain()
        except StorageError as error:
            self.stop.note(error.exit_code, str(error))
            return False
        return True

    def _account(self, ledger: Ledger, tally: Tally, mark: object) -> Outcome:
        try:
            # Submits dropped in a hurry are uncertain from now on, not only at the next run.
            ledger.hold_unanswered()
            ledger.set_meta(manifest=mark)
        except StorageError as error:
            self.stop.note(error.exit_code, str(error))
        found = {} if self.shard else self._views(ledger, mark)
        outcome = self._outcome(ledger, tally, found)
        if not self.shard:  # all below is of the dataset as a whole
            outcome = self._report(ledger, outcome)
            if not self.stop.signalled:
                outcome = self._keep_exports(ledger, outcome, mark)
        return outcome

    def _remember(self, outcome: Outcome) -> None:
        if self.led:
            return
        log.info("the run %s ends: %s", outcome.run, outcome.sentence())
        try:
            remember_end(self.folder, outcome, spent_before=self.spent_before)
        except StorageError as error:
            log.warning("the history of the runs: %s", error)

    def _report(self, ledger: Ledger, outcome: Outcome) -> Outcome:
        try:
            write_reports(self.folder, ledger, outcome)
        except StorageError as error:
            return self._short_of_room(outcome, error)
        return outcome

    def _keep_exports(self, ledger: Ledger, outcome: Outcome, mark: object) -> Outcome:
        try:
            keep_exports(self.folder, ledger, mark=mark)
        except StorageError as error:
            return self._report(ledger, self._short_of_room(outcome, error))
        return outcome

    def _short_of_room(self, outcome: Outcome, error: StorageError) -> Outcome:
        self.stop.note(error.exit_code, str(error))
        code = exit_code(outcome.counts, self.stop)
        return replace(outcome, exit_code=code, why=why(outcome.counts, self.stop))

    def _views(self, ledger: Ledger, mark: object) -> Findings:
        job, hurried = self.begun.job, self.stop.signalled
        try:
            found = refresh_views(self.folder, ledger, job, mark=mark, hurried=hurried)
        except StorageError as error:
            self.stop.note(error.exit_code, str(error))
            found = None
        except Exception as error:
            # What was made and paid is told all the same: the summary is yet to be written.
            log.exception("the view of the dataset could not be written")
            why = f"the view of the dataset could not be written ({type(error).__name__})"
            self.stop.note(ExitCode.BUG, f"{why}; run.log has the details")
            found = None
        return found or {}

    def _outcome(self, ledger: Ledger, tally: Tally, found: Findings) -> Outcome:
        totals = ledger.totals()
        counts = count(ledger, self.planned, totals)
        meta = ledger.meta()
        known = meta.get("price_micros") is not None
        return Outcome(
            job=self.begun.job,
            dataset=self.folder.root,
            service=self.service,
            bucket=bucket_of(self.folder),
            only=chosen(meta),
            shard=self.shard,
            exit_code=exit_code(counts, self.stop),
            why=why(counts, self.stop),
            counts=counts,
            images=totals.images,
            images_planned=tally.images_planned,
            nsfw=totals.nsfw,
            bytes=totals.bytes,
            spent_usd=totals.spent_micros / 1e6 if known else None,
            reserved_usd=totals.reserved_micros / 1e6 if known else None,
            refund_expected_usd=totals.refund_micros / 1e6 if known else None,
            run=self.begun.run,
            images_made=tally.images_made,
            submits=tally.submits if self.ran else None,
            polls=tally.polls if self.ran else None,
            retries=tally.retries if self.ran else None,
            polls_per_image=_per(tally.polls, tally.images_made),
            detection_lag_s=_per(tally.lag_s, tally.lags),
            started_at=self.begun.started_at,
            ended_at=now(),
            wall_s=round(time.monotonic() - self.started, 3),
            nsfw_by_prompt=found.get("nsfw_by_prompt"),
            flags=found.get("flags"),
        )


def _per(total: float, number: int) -> float | None:
    return round(total / number, 3) if number else None
