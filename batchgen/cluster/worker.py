"""A worker: a process on some machine that makes shards, several at a time."""

import asyncio
import logging
from dataclasses import replace

from yarl import URL

from batchgen import __version__
from batchgen.cluster.work import Made, Work
from batchgen.errors import BatchgenError, ExitCode, UsageError
from batchgen.run.making import run_job
from batchgen.run.pace.stop import Stop
from batchgen.run.sharing.leases import Leases
from batchgen.run.sharing.lending import sees_token
from batchgen.run.terms.access import find_access
from batchgen.text import redact

_CONNECT = 10.0  # seconds


class Worker:
    """Makes shards of one job until it is told to stop."""

    def __init__(self, work: Work, leases: Leases) -> None:
        """Get ready; :meth:`trouble` tells what stands in the way."""
        self._work = work
        self._leases = leases
        self._stops: set[Stop] = set()
        self._told: tuple[ExitCode, str, bool] | None = None

    async def trouble(self) -> str:
        """Why this machine cannot make shards; empty when it can."""
        try:
            await _check(self._work)
        except UsageError as error:
            return str(error)
        _log_beside(self._work)
        return ""

    async def answer(self) -> None:
        """Do nothing: one that hangs cannot even do that."""

    async def make(self, shard: str, *, again: bool) -> Made:
        """Make *shard* as far as that is possible now; *again* when an earlier worker had begun."""
        work, stop = self._work, Stop()
        job, options = work.job, replace(work.options, shard=shard)
        if again:  # what was to be bought once more may have been
            options = replace(options, retry_failed=False, resubmit_expired=False)
            options = replace(options, resubmit_lost=False, on_uncertain="hold")
        self._stops.add(stop)
        if self._told:
            _tell(stop, *self._told)
        try:
            await run_job(job, options, stop=stop, leases=self._leases)
        except BatchgenError as error:
            return Made(code=error.exit_code, why=str(error), limited=False)
        finally:
            self._stops.discard(stop)
        return Made(code=stop.code, why=stop.why, limited=stop.limited)

    async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
        """Send no more submits; with *leave* stop following, too."""
        self._told = (code, why, leave)
        for stop in self._stops:
            _tell(stop, *self._told)


def _tell(stop: Stop, code: ExitCode, why: str, leave: bool) -> None:
    if leave:
        stop.leave(code, why)
    else:
        stop.no_more_submits(code, why)


async def _check(work: Work) -> None:
    """Raise UsageError unless this machine has what the driver has."""
    if work.version != __version__:
        raise UsageError(f"it has batchgen {__version__}, the driver {work.version}")
    access = find_access(work.options.service or work.job.service, work.options.base_url)
    if access.account(work.token) != work.account:
        raise UsageError("it has another API key than the driver")
    folder = work.options.folder(work.job)
    if not sees_token(folder, work.token):
        raise UsageError(f"it does not see the dataset {folder} of the driver: use a shared folder")
    if not access.remote:  # what is on the driver's machine is elsewhere, seen from another one
        url = URL(access.base_url)
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection(url.host, url.port)
        except (OSError, TimeoutError):
            raise UsageError(f"it cannot reach the service at {url}") from None
        writer.close()


class _Redacted(logging.Formatter):
    """Lines of run.log, without a key."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record)).replace("\n", " ")


def _log_beside(work: Work) -> None:
    """Let warnings go where those of the driver are, and nowhere else."""
    log = logging.getLogger("batchgen")
    if log.handlers:
        return
    path = work.options.folder(work.job) / ".batchgen" / "run.log"
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)s %(message)s"))
    handler.setLevel(logging.WARNING)
    log.addHandler(handler)
