"""What would spoil a night, looked for before it begins. Nothing is submitted, nothing costs."""

import os
import platform
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiohttp

import batchgen
from batchgen.api.client import ServiceClient
from batchgen.api.key import KEY, KEY_FILE
from batchgen.dataset.disk import existing, free_bytes, network_file_system
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.bucket import Bucket
from batchgen.dataset.stores.uploads import uploads_of
from batchgen.errors import BatchgenError, UsageError
from batchgen.job.grammar.units import read_window
from batchgen.job.load import Pace
from batchgen.job.tiers import LOWEST, TIERS
from batchgen.run.bucket.claims import look, refuse
from batchgen.run.pace.pacer import POSTS
from batchgen.run.telling.history import past_runs
from batchgen.run.telling.notify import find_targets
from batchgen.run.terms.access import Access, find_access
from batchgen.run.variant.context import DOWNLOADS, POLLS
from batchgen.run.variant.guards import MIN_FREE
from batchgen.text import duration, money, size

OK, WARNING, WRONG = "ok", "warning", "wrong"
# Open files beside connections: ledger, manifest, images on their way, the libraries' own.
OTHER_FILES = 100
# Seconds that clocks may differ: uncertain submits are searched by both with a minute to spare.
SKEW = 30.0
# A run of a minute says little about what an account allows.
TELLING_RUN = 120.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: str = OK
    """``ok``, ``warning``, or ``wrong``: a run would end at once."""
    found: str
    fix: str = ""
    """What to do; empty when all is well."""


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What is to be looked at: a run as it would be started here and now."""

    root: Path
    """The dataset folder, which may not be there yet."""
    service: str = "wavespeed"
    base_url: str | None = None
    pace: Pace | None = None
    """Of the job, if there is one."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


async def examine(patient: Patient) -> list[Check]:
    """Look at everything, in the order in which a run would meet it."""
    checks = [check_versions(), *check_key(patient)]
    try:
        access = find_access(patient.service, patient.base_url, patient.environment)
    except UsageError:
        access = None  # which the check of the key has said
    if access and access.base_url:
        checks += await check_service(access, patient.pace)
    checks += [check_tier(patient), check_folder(patient.root)]
    checks += [*check_bucket(patient.root), check_disk(patient.root, patient.pace)]
    checks += [check_files(patient.pace)]
    return [*checks, *check_window(patient.pace), check_notices(patient.environment)]


def check_versions() -> Check:
    """What runs here."""
    versions = {
        "batchgen": batchgen.__version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "aiohttp": aiohttp.__version__,
    }
    return Check(name="versions", found=", ".join(f"{n} {v}" for n, v in versions.items()))


def check_key(patient: Patient) -> Iterator[Check]:
    """Whether there is a key, and nobody else can read it."""
    if patient.service == "local":
        return
    try:
        access = find_access(patient.service, patient.base_url, patient.environment)
    except UsageError as error:
        found, _, fix = str(error).partition("; ")
        yield Check(name="key", verdict=WRONG, found=found, fix=fix)
        return
    found = f"in {KEY}"
    if not patient.environment.get(KEY, "").strip():
        path = Path(patient.environment[KEY_FILE])
        found = f"in {path}, mode {path.stat().st_mode & 0o777:04o}"
    yield Check(name="key", found=f"{found}, for {access.base_url}")


async def check_service(access: Access, pace: Pace | None = None) -> list[Check]:
    """Whether the service answers, what the account has left, and what time it is there."""
    client = ServiceClient(access.base_url, access.key, submit_timeout=60, poll_timeout=30)
    async with client:
        balance = await client.balance()
        skew = client.clock_offset
    if isinstance(balance, str):
        fix = "check the network and the key; WaveSpeedAI lists keys at wavespeed.ai/accesskey"
        return [Check(name="balance", verdict=WRONG, found=f"no answer: {balance}", fix=fix)]
    return [_balance(balance, pace), _clock(skew)]


def _balance(balance: float, pace: Pace | None) -> Check:
    fix = "top it up, or rehearse with --service local"
    if not balance:
        return Check(name="balance", verdict=WRONG, found=money(balance), fix=fix)
    budget = (pace.budget_micros or 0) / 1e6 if pace else 0
    if balance < budget:
        found = f"{money(balance)}, less than the budget of {money(budget)}"
        return Check(name="balance", verdict=WARNING, found=found, fix=fix)
    return Check(name="balance", found=money(balance))


def _clock(skew: float) -> Check:
    """What was learned from the Date header of an answer, which is cut to the second."""
    where = "ahead of" if skew > 0 else "behind"
    found = f"the service's is {duration(abs(skew))} {where} this one"
    if abs(skew) > SKEW:
        fix = "set this computer's clock: timedatectl set-ntp true"
        return Check(name="clock", verdict=WARNING, found=found, fix=fix)
    return Check(name="clock", found=found if skew else "the same as the service's")


def check_tier(patient: Patient) -> Check:
    """What the account allows: as the job says, or as past runs of this dataset show."""
    pace = patient.pace
    if pace and pace.tier:
        return Check(name="tier", found=f"{pace.tier}, as the job says")
    if patient.service == "local" or (pace and pace.rate and pace.concurrency):
        return Check(name="tier", found="not needed: the limits are set")
    best = _fastest(patient)
    guess = next((n for n, tier in TIERS.items() if best <= tier.images_per_minute), "ultra")
    tier = TIERS[LOWEST]
    found = f"none is named, so it is taken for {LOWEST}: {tier.images_per_minute} images a minute"
    if guess != LOWEST:
        found += f"; a past run made {best:.0f} a minute, which {guess} allows"
    fix = f"name it with run.tier or --tier: {', '.join(TIERS)}"
    return Check(name="tier", verdict=WARNING, found=found, fix=fix)


def _fastest(patient: Patient) -> float:
    """Images per minute of the fastest past run that says anything."""
    from batchgen.dataset.folder import DatasetFolder

    runs = past_runs(DatasetFolder(patient.root))
    paces = [r.images_made / r.wall_s * 60 for r in runs
             if r.images_made and r.wall_s and r.wall_s >= TELLING_RUN]  # fmt: skip
    return max(paces, default=0.0)


def check_folder(root: Path) -> Check:
    """Whether files can be made where the dataset goes, and locks can be trusted there."""
    there = existing(root)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        fix = "make it yours, or give another folder with --out"
        found = f"cannot write in {there}: {error.strerror}"
        return Check(name="folder", verdict=WRONG, found=found, fix=fix)
    if kind := network_file_system(there):
        fix = "use a local disk; export or copy the dataset afterwards"
        found = f"{root} is on a network file system ({kind}), where locks may fail"
        return Check(name="folder", verdict=WARNING, found=found, fix=fix)
    return Check(name="folder", found=f"{root} can be written")


def check_bucket(root: Path) -> Iterator[Check]:
    """Whether the bucket that the dataset goes to can be read, and is free for a run from here."""
    folder = DatasetFolder(root)
    uploads = uploads_of(folder)
    if uploads is None:
        return
    fix = "docs/storage.md says what a bucket needs, and whose it is when"
    try:
        bucket = Bucket.open(uploads.url)
        claim, _ = look(bucket)
        if claim:
            refuse(claim, uploads, bucket.address)
    except BatchgenError as error:
        yield Check(name="bucket", verdict=WRONG, found=str(error), fix=fix)
        return
    state = f"last used from {claim.host}" if claim else "empty"
    yield Check(name="bucket", found=f"{bucket.address} can be read, {state}")


def check_disk(root: Path, pace: Pace | None, free: Callable[[Path], int] = free_bytes) -> Check:
    """Whether the disk has more room than a run keeps free."""
    least = MIN_FREE if pace is None or pace.min_free is None else pace.min_free
    found = free(root)
    if found >= least:
        return Check(name="disk", found=f"{size(found)} free")
    text = f"{size(found)} free, less than the {size(least)} that a run leaves free"
    fix = "make room, give another disk with --out, or lower run.min_free"
    return Check(name="disk", verdict=WRONG, found=text, fix=fix)


def check_files(pace: Pace | None, limit: int | None = None) -> Check:
    """Whether the process may open as many files as a run may have connections."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    flying = pace.concurrency if pace and pace.concurrency else POLLS
    needed = min(flying, POLLS) + POSTS + DOWNLOADS + OTHER_FILES
    if limit >= needed or limit == resource.RLIM_INFINITY:
        return Check(name="files", found=f"{limit:,} may be open")
    fix = f"ulimit -n {max(1024, needed)} (LimitNOFILE= for systemd)"
    found = f"only {limit:,} may be open, and a run may need {needed:,}"
    return Check(name="files", verdict=WARNING, found=found, fix=fix)


def check_window(pace: Pace | None, now: datetime | None = None) -> Iterator[Check]:
    """What time the window is judged by: a container often has another one."""
    if pace is None or pace.window is None:
        return
    now = now or datetime.now().astimezone()
    left = read_window(pace.window).seconds_left(now.time())
    state = f"open for {duration(left)}" if left else "closed"
    yield Check(name="window", found=f"{pace.window}, {state}: it is {now:%H:%M} ({now:%Z}) here")


def check_notices(environment: Mapping[str, str]) -> Check:
    """Whether anybody is told of a run; nothing is sent."""
    try:
        targets = find_targets(environment)
    except UsageError as error:
        return Check(name="notices", verdict=WRONG, found=str(error), fix="mend or unset it")
    told = [n for n, t in (("a ping", targets.ping), ("a webhook", targets.webhook)) if t]
    return Check(name="notices", found=" and ".join(told) or "none; docs/schedules.md has some")
