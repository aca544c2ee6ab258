"""Lending the parts of a dataset: other processes make its shards while this one leads.

The one that leads owns the dataset as a run of all of it does. While it works its parts belong to
those who make shards for it, and at the end it waits until each of them was given back.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, write_whole
from batchgen.errors import ExitCode, LockedError, NotGivenBackError, UsageError
from batchgen.job.load import Job, Pace
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.parts import PARTS
from batchgen.run.claim.claiming import SHORTLY, Patience, acquire
from batchgen.run.claim.opening import open_ledger
from batchgen.run.claim.parting import clear_parts, lead_lock, own_parts, share
from batchgen.run.pace.stop import Stop
from batchgen.run.terms.options import RunOptions
from batchgen.run.variant.context import Context
from batchgen.run.variant.guards import guarded

Engine = Callable[[Job, RunOptions, Context], Awaitable[None]]
"""Makes what is left of a job, by runs of its shards in other processes, as far as it gets."""


def check_engine(pace: Pace, shard: str | None, engine: Engine | None, *, led: bool) -> None:
    """Raise UsageError unless there is an engine when one is asked for; none leads who is *led*."""
    if engine and shard:
        raise UsageError("expected a shard to make here, or an engine to make them all; not both")
    if pace.on and engine is None and not led:
        raise UsageError(
            f"the job runs on {pace.on}: hand run_job engine=batchgen.cluster.ray_engine(job), "
            "or say run.on=null"
        )


@dataclass(frozen=True, kw_only=True)
class Lending:
    """A dataset that is ours, and can be lent."""

    folder: DatasetFolder
    ledger: DividedLedger
    _engine: Engine
    _parts: ExitStack

    async def work(
        self, job: Job, options: RunOptions, context: Context, ends_at: float | None
    ) -> None:
        """Let the engine make what is left of *job*; nothing may be asked of the ledger meanwhile.

        Raises NotGivenBackError when a part is not given back, and what the engine raises.
        """
        before = context.tally.images
        self.ledger.put_down()
        self._parts.close()
        try:
            async with guarded(context, ends_at):
                await self._engine(job, options, context)
        except BaseException:  # it says more than that parts were kept
            with suppress(NotGivenBackError):
                await self._take_back(context.stop)
            raise
        await self._take_back(context.stop)
        # Workers that were lost have told less than all.
        context.tally.images_made = self.ledger.totals().images - before

    async def _take_back(self, stop: Stop) -> None:
        """Own all parts again, and open their ledgers.

        Raises NotGivenBackError after a minute; when it is time to leave, after the usual grace.
        """
        from batchgen.run.variant.working import until_done  # which asking for images has loaded

        taking = asyncio.create_task(
            own_parts(self.folder, range(PARTS), self._parts, seconds=SHORTLY)
        )
        try:
            await until_done(taking, stop)
        finally:
            taking.cancel()
            await asyncio.wait({taking})
        try:
            taking.result()
        except (LockedError, asyncio.CancelledError) as error:
            raise _kept(stop, str(error)) from None
        self.ledger.take_up()


def _kept(stop: Stop, by: str) -> NotGivenBackError:
    words = (
        "a worker that does not end keeps its part of the dataset, so the manifest and the reports "
        "are still those of before; what was paid is in the ledgers: run again when it has ended"
    )
    stop.note(ExitCode.INCOMPLETE, words)
    before = "" if stop.why == words else f"{stop.why}; "
    return NotGivenBackError(stop.code, before + words + (f" ({by})" if by else ""))


@asynccontextmanager
async def leading(
    folder: DatasetFolder, engine: Engine, patience: Patience
) -> AsyncIterator[Lending]:
    """Own a dataset, divided into parts that *engine* will be lent, for the block.

    Raises LockedError when another run owns any of it, StorageError for its ledgers.
    """
    with ExitStack() as stack:
        await share(folder, stack, patience)
        await acquire(lead_lock(folder), stack, patience)
        parts = stack.enter_context(ExitStack())
        # Those who made shards for a process that was killed end some seconds after it.
        await own_parts(folder, range(PARTS), parts, patience, seconds=SHORTLY)
        clear_parts(folder)
        ledger = stack.enter_context(open_ledger(folder))
        assert isinstance(ledger, DividedLedger)
        yield Lending(folder=folder, ledger=ledger, _engine=engine, _parts=parts)


def leave_token(folder: DatasetFolder) -> str:
    """Leave something in the dataset that nobody knows who does not see it. Raises StorageError."""
    token = secrets.token_hex(8)
    write_whole(folder.ledgers / "token", [token])
    return token


def sees_token(root: Path, token: str) -> bool:
    """Whether the dataset that is seen at *root* is the one where *token* was left."""
    try:
        return (DatasetFolder(root).ledgers / "token").read_text("ascii") == token
    except (OSError, ValueError):
        return False
