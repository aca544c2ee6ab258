"""The driver: what it shares out, and what its workers have to know."""

import asyncio
from collections import deque
from dataclasses import replace

from batchgen import __version__
from batchgen.cluster.engine import Cluster, check_ray, cluster
from batchgen.cluster.hands import SILENT, Hands
from batchgen.cluster.progress import watch
from batchgen.cluster.work import Work
from batchgen.errors import UsageError
from batchgen.job.grammar.units import read_engine
from batchgen.job.load import Job
from batchgen.run.plan.stock import largest
from batchgen.run.sharing.granting import Limited
from batchgen.run.sharing.lending import Engine, leave_token
from batchgen.run.terms.access import find_access
from batchgen.run.terms.options import RunOptions
from batchgen.run.terms.sharding import all_shards
from batchgen.run.variant.context import Context

# So many that a worker that is lost, or slow, leaves little to the others.
SHARDS_PER_WORKER = 10
# Seconds for each variant that a worker may be silent in addition: to look through a job takes it
# 1.4 µs, several times that where variants differ in their number of images.
LOOK_THROUGH = 50e-6


def ray_engine(on: str) -> Engine:
    """An engine of :func:`batchgen.run_job`: ``ray`` on this machine, or ``ray://HOST:PORT``.

    Raises UsageError when Ray is not installed, or the cluster is not there.
    """
    try:
        address = read_engine(on)
    except ValueError as error:
        raise UsageError(str(error)) from None
    check_ray(address)

    async def make(job: Job, options: RunOptions, context: Context) -> None:
        async with cluster(address) as ray:
            await _distribute(ray, job, options, context)

    return make


async def _distribute(ray: Cluster, job: Job, options: RunOptions, context: Context) -> None:
    leases = ray.start_leases(_limited(job, context))
    work = _work(job, options, context)
    shards = all_shards(ray.workers * SHARDS_PER_WORKER)
    hands = Hands(
        start=ray.worker_maker(work, leases),
        stop=context.stop,
        left=deque(shards),
        patience=SILENT + LOOK_THROUGH * len(job.variants),
    )
    watching = asyncio.create_task(watch(leases, context, len(job.variants)))
    try:
        await hands.work(ray.workers)
    finally:
        watching.cancel()
        await asyncio.wait({watching})
    if not watching.cancelled():
        watching.result()


def _limited(job: Job, context: Context) -> Limited:
    pace, (images, micros) = context.pace, largest(job, context.prices)
    left = None
    if pace.budget_micros is not None:
        left = max(0, pace.budget_micros - context.spend.spent_micros)
    return Limited(
        in_flight=context.concurrency,
        rate=context.tally.rate_limit,
        micros=left,
        submits=pace.limit,
        most_images=images,
        most_micros=micros,
    )


def _work(job: Job, options: RunOptions, context: Context) -> Work:
    token = leave_token(context.folder)
    base_url = context.service.base_url
    access = find_access(options.service or job.service, base_url)
    # Time, window and failures are those of all shards together: the driver keeps an eye on them.
    pace = replace(context.pace, on=None, max_duration=None, window=None, max_failures=None)
    return Work(
        job=replace(job, pace=pace),
        options=RunOptions(
            out=context.folder.root.absolute(),
            service=options.service,
            base_url=base_url,
            yes=True,  # it was said, or was not needed, for all of it
            retry_failed=options.retry_failed,
            resubmit_expired=options.resubmit_expired,
            resubmit_lost=options.resubmit_lost,
        ),
        account=access.account(token),
        token=token,
        version=__version__,
    )
