"""What one shard of a dataset is to make, and its share of the limits of a run."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import repeat

from batchgen.errors import UsageError
from batchgen.job.load import Job, Pace
from batchgen.job.models import find_model
from batchgen.ledger.parts import PARTS, Shard
from batchgen.ledger.store import Ledger
from batchgen.run.terms.access import Access
from batchgen.run.terms.limits import Limits, settle_limits
from batchgen.run.terms.planned import Planned, share_of_plan

# Where schedulers tell a process which of an array it is: its index, the first one, how many.
_ARRAYS = (
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"),
    ("JOB_COMPLETION_INDEX", None, None),  # Kubernetes does not tell how many
    ("AWS_BATCH_JOB_ARRAY_INDEX", None, "AWS_BATCH_JOB_ARRAY_SIZE"),
    ("CLOUD_RUN_TASK_INDEX", None, "CLOUD_RUN_TASK_COUNT"),
)


def read_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard that *text* names: ``I/N``, or ``auto`` and ``auto/N`` in an array of a scheduler.

    Raises UsageError.
    """
    found = re.fullmatch(r"(auto|[0-9]{1,9})(?:/([0-9]{1,9}))?", text)
    if not found or (found[2] is None and found[1] != "auto"):
        raise UsageError(f"expected a shard like 0/3, auto or auto/3, got {text!r}")
    index, count = found[1], found[2]
    if index == "auto":
        index, told = _array(environment)
        count = count or told
        if count is None:
            raise UsageError("the scheduler does not tell how many shards there are: use auto/N")
    shard = Shard(int(index), int(count))
    if not 0 <= shard.index < shard.count <= PARTS:
        raise UsageError(
            f"expected a shard from 0/N to N-1/N with an N of at most {PARTS}, got {shard}"
        )
    return shard


def _array(environment: Mapping[str, str]) -> tuple[str, str | None]:
    """Index from 0 and size of the array that this process is in."""
    for name, first, size in _ARRAYS:
        if name in environment:
            try:
                index = int(environment[name]) - int(environment.get(first or "", "0"))
            except ValueError:
                raise UsageError(
                    f"expected a number in {name}, got {environment[name]!r}"
                ) from None
            return str(index), environment.get(size or "")
    names = ", ".join(name for name, _, _ in _ARRAYS)
    raise UsageError(f"a shard of auto needs one of {names} in the environment; name it as I/N")


def planned_in(ledger: Ledger, job: Job) -> Planned:
    """What *job* asks for in the parts of *ledger*, looked through once for each plan."""
    if ledger.holds_all:
        return Planned(variants=len(job.variants), images=job.image_count())
    plan, parts = job.variants.fingerprint(), ledger.parts
    counted = [share_of_plan(part.meta(), plan) for part in parts.values()]
    known = [own for own in counted if own]
    if len(known) < len(parts):
        known = _count(ledger, job)
        for part, own in zip(parts.values(), known, strict=True):
            part.set_meta(share=[plan, own.variants, own.images])
    return Planned(
        variants=sum(own.variants for own in known), images=sum(own.images for own in known)
    )


def _count(ledger: Ledger, job: Job) -> list[Planned]:
    """In each of the parts of *ledger*."""
    counts = {part: [0, 0] for part in ledger.parts.values()}
    for key, images in _sizes(job):
        if part := ledger.part(key):
            counts[part][0] += 1
            counts[part][1] += images
    return [Planned(variants=variants, images=images) for variants, images in counts.values()]


def _sizes(job: Job) -> Iterator[tuple[str, int]]:
    """The keys of the job's variants, and how many images each asks for."""
    if len(job.variants.tally("model", "num_images")) == 1:
        # Making keys is several times quicker than making variants.
        return zip(job.variants.keys(), repeat(job.image_count() // len(job.variants)))
    return ((v.key, find_model(v.model).images(v.request)) for v in job.variants)


def settle_share(
    text: str | None, pace: Pace, access: Access, *, leased: bool = False
) -> tuple[Shard | None, Pace, Limits]:
    """The shard that *text* names, if any, and what of the *pace* and the limits is its own.

    All of them when they are *leased*: what the shard may use of them it is told while it runs.
    Raises UsageError.
    """
    limits = settle_limits(pace, remote=access.remote)
    if text is None:
        return None, pace, limits
    shard = read_shard(text)
    if not access.base_url:
        raise UsageError(
            "shards need one service for all: start batchgen serve, and give its address as "
            "--base-url"
        )
    if leased:
        return shard, pace, replace(limits, rate=None, assumed=None)
    return shard, *share_of(pace, limits, shard)


def share_of(pace: Pace, limits: Limits, shard: Shard) -> tuple[Pace, Limits]:
    """The share that one of several shards at once has in the limits of all.

    Raises UsageError when there is less than one for each.
    """
    concurrency = _part(limits.concurrency, shard)
    limit = None if pace.limit is None else _part(pace.limit, shard)
    if limits.concurrency < shard.count:
        raise UsageError(
            f"expected a concurrency of at least {shard.count} for {shard.count} shards at once, "
            f"got {limits.concurrency}"
        )
    rate = None if limits.rate is None else limits.rate / shard.count
    return replace(pace, limit=limit), replace(limits, concurrency=concurrency, rate=rate)


def all_shards(count: int) -> list[str]:
    """The names of so many shards, or of as many as there can be."""
    count = min(PARTS, count)
    return [str(Shard(index, count)) for index in range(count)]


def _part(whole: int, shard: Shard) -> int:
    """Of a *whole* that is handed out one by one, in turn."""
    return whole // shard.count + (shard.index < whole % shard.count)
