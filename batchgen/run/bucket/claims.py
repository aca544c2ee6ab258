"""The claim on a bucket: one object that says which run owns the dataset there, or did last.

It is made and changed by conditional writes, so that of two runs that want it one gets it. It
stays when a run has ended, and tells then that all was put there that the next run has to know:
the ledger with this hash.
"""

import json
import os
import secrets
import socket
import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.bucket import Bucket, Content, TakenError
from batchgen.dataset.stores.uploads import Uploads
from batchgen.errors import LockedError, StorageError, UsageError

OBJECT = ".batchgen/claim.json"
BEAT = 60.0
"""Seconds between two signs of life of a run that owns the bucket."""
SILENT = 600.0
"""Seconds without one after which a run is taken to have ended without a word."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the object says."""

    run: str
    """Different for every claim."""
    host: str
    pid: int
    folder: str
    """Where the ledger of that run is."""
    since: str
    beat: str
    """When it was last heard of; RFC 3339 in UTC, as the one before."""
    ended: bool = False
    """Whether the run ended in order, with everything in the bucket."""
    ledger: str = ""
    """SHA-256 of the ledger in the bucket, then."""

    def encoded(self) -> bytes:
        """As the object has it."""
        return json.dumps(asdict(self), indent=2).encode()

    @property
    def silent(self) -> bool:
        """Whether nothing was heard of it for long."""
        heard = datetime.fromisoformat(self.beat)
        return (datetime.now(UTC) - heard).total_seconds() > SILENT

    @property
    def owner(self) -> str:
        """For people."""
        return f"process {self.pid} on {self.host}, since {self.since}"


@dataclass(kw_only=True)
class Hold:
    """A bucket that is ours, as long as nobody else writes the claim."""

    bucket: Bucket
    claim: Claim
    _there: Content
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Signs of life and what is published come from different threads."""

    def beat(self) -> None:
        """Give a sign of life. Raises TakenError when the bucket is not ours any more."""
        self._write()

    def end(self, ledger: str) -> None:
        """Let go of the bucket, which has all that is needed: the *ledger* with this hash."""
        self._write(ended=True, ledger=ledger)

    def _write(self, **news: Any) -> None:  # noqa: ANN401  # fields of a claim
        with self._lock:
            # Made here: a sign of life that had to wait takes nothing back that was told meanwhile.
            claim = replace(self.claim, beat=_now(), **news)
            try:
                there = self.bucket.write(OBJECT, claim.encoded(), over=self._there)
            except TakenError:
                there_now = self.bucket.look(OBJECT)
                if there_now is None or claim.run.encode() not in there_now.data:
                    raise
                # It is ours: the answer to the write before was lost.
                there = self.bucket.write(OBJECT, claim.encoded(), over=there_now)
            self.claim, self._there = claim, there


def look(bucket: Bucket) -> tuple[Claim | None, Content | None]:
    """What the claim on *bucket* says; None for a bucket with nothing in it.

    Raises UsageError when something else is there, StorageError when it cannot be read.
    """
    there = bucket.look(OBJECT)
    if there is not None:
        return _parse(there.data, bucket), there
    other = next(iter(bucket.list()), None)
    if other is not None:
        raise UsageError(
            f"{bucket.address} holds no dataset of batchgen, but {other.name!r:.200}; "
            "give a prefix of its own"
        )
    return None, None


def is_ours(claim: Claim, uploads: Uploads) -> bool:
    """Whether the last run on the bucket worked in the folder of *uploads*."""
    ours = uploads.fact("claims")
    return isinstance(ours, list) and claim.run in ours


def is_dead(claim: Claim, uploads: Uploads) -> bool:
    """Whether the run of *claim* cannot be at work any more."""
    # What is ours and of this computer cannot be alive: the lock of the folder is ours, too.
    return claim.silent or (is_ours(claim, uploads) and claim.host == socket.gethostname())


def refuse(claim: Claim, uploads: Uploads, address: object) -> None:
    """Raise LockedError when the owner by *claim* may be alive, StorageError when it is dead and
    has kept what we need.
    """
    dead = is_dead(claim, uploads)
    if claim.ended or (dead and is_ours(claim, uploads)):
        return
    if not dead:
        raise LockedError(
            f"{address} is in use by {claim.owner}; wait for it, or stop it: if it was killed, "
            f"run its job again there, where its ledger is ({claim.host}:{claim.folder})"
        )
    raise StorageError(
        f"the last run on {address} was killed ({claim.owner}, last heard of at {claim.beat}); its "
        f"ledger is in {claim.host}:{claim.folder}. Run it again there: without its last records "
        "something may be paid twice. If that folder is lost for good, batchgen verify "
        f"{address} --repair goes on with what is in the bucket and holds what may be lost"
    )


def take(bucket: Bucket, over: Content | None, uploads: Uploads, folder: DatasetFolder) -> Hold:
    """Claim *bucket* for this process, over the claim that was found. Raises LockedError."""
    claim = Claim(
        run=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        folder=str(folder.root),
        since=_now(),
        beat=_now(),
    )
    before = uploads.fact("claims")
    # Before it is sent: a claim whose answer is lost is ours, too.
    uploads.tell(claims=[*(before if isinstance(before, list) else ()), claim.run][-100:])
    try:
        there = bucket.write(OBJECT, claim.encoded(), over=over)
    except TakenError:
        raise LockedError(f"another run has just begun on {bucket.address}; wait for it") from None
    return Hold(bucket=bucket, claim=claim, _there=there)


def _parse(data: bytes, bucket: Bucket) -> Claim:
    kinds = {"pid": int, "ended": bool}
    try:
        told = json.loads(data)
        claim = Claim(**told)
        sound = all(isinstance(told[name], kinds.get(name, str)) for name in told)
        sound = sound and all(str(value).isprintable() for value in told.values())
        if sound and all(datetime.fromisoformat(time).tzinfo for time in (claim.since, claim.beat)):
            return claim
    except (ValueError, TypeError, RecursionError):
        pass
    raise StorageError(f"{bucket.address}/{OBJECT} is no claim of batchgen; look who wrote it")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
