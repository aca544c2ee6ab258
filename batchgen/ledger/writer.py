"""The one writer of a ledger: a thread that commits together what waits together."""

import asyncio
import math
import os
import queue
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from batchgen.errors import StorageError
from batchgen.ledger.rows import MAX_VALUE
from batchgen.threads import stand_back

_MAX_BATCH = 1_000
# Seconds between two commits, at the least; a move that comes alone does not wait.
_APART = 0.002

T = TypeVar("T")
_Work = Callable[[sqlite3.Connection], object]
_Told = Future[object] | asyncio.Future[object]
_Job = tuple[_Work, _Told]
_Outcome = tuple[_Told, object, Exception | None]


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode; a writing one fsyncs the log at every commit.

    Raises sqlite3.Error, and StorageError when something else than a file has one of its names.
    """
    _refuse_odd_files(path)
    if is_headless(path):
        raise sqlite3.DatabaseError("the log beside it is all that is left")
    # Without a log nobody is writing, and reading must not leave one behind.
    quiet = read_only and not path.with_name(f"{path.name}-wal").exists()
    mode = "ro&immutable=1" if quiet else "ro" if read_only else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    # Reads happen on whichever thread asks; the writer's connection stays on its own.
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        db.execute("PRAGMA trusted_schema = OFF")
        if not read_only:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        db.close()
        raise
    return db


class Writer:
    """Runs jobs on the ledger's connection, many of them in each transaction."""

    def __init__(self, path: Path) -> None:
        """Start the thread for the ledger at *path*. Raises sqlite3.Error."""
        self.path = path
        self._db = connect(path, read_only=False)
        self._jobs: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._gathered: list[_Job] = []
        self._handed = -math.inf
        self._broken: StorageError | None = None
        self._thread = threading.Thread(target=self._write_all, name="ledger", daemon=True)
        self._thread.start()

    def enqueue(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Queue *job*; its future is done when what it wrote is on disk.

        The future raises StorageError when it could not be written, and from then on for ever. A
        job may be run again from the start after its writes were taken back.
        """
        future: Future[T] = Future()
        self._jobs.put([(job, future)])  # type: ignore[list-item]  # the queue holds jobs of any T
        return future

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Queue *job* and wait until what it wrote is on disk; raises what it raised.

        A caller that is cancelled meanwhile does not take the job back.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._gathered:
            # What else comes up meanwhile goes with it: a commit costs more than most jobs do.
            loop.call_later(max(0.0, self._handed + _APART - loop.time()), self._hand_over)
        self._gathered.append((job, future))  # type: ignore[arg-type]  # as above
        return await future

    def _hand_over(self) -> None:
        self._handed = time.monotonic()  # the clock of the loop
        jobs, self._gathered = self._gathered, []
        self._jobs.put(jobs)

    def close(self) -> None:
        """Commit what waits and end the thread."""
        self._hand_over()
        self._jobs.put(None)
        self._thread.join()

    @property
    def failed(self) -> bool:
        """Whether something could not be written."""
        return self._broken is not None

    def _write_all(self) -> None:
        """The writer thread: commit whatever has queued up, again and again."""
        stand_back()
        while (first := self._jobs.get()) is not None:
            batch, last = first, False
            while len(batch) < _MAX_BATCH and not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    last = True
                    break
                batch += more
            self._commit(self._db, batch)
            if last:
                break
        self._db.close()

    def _commit(self, db: sqlite3.Connection, batch: list[_Job]) -> None:
        outcomes: list[_Outcome] = []
        # A failed fsync may have lost pages that look written, so nothing is tried again.
        if not self._broken:
            try:
                outcomes = _all_at_once(db, batch) or _one_by_one(db, batch)
            except (sqlite3.Error, StorageError) as error:
                self._broken = StorageError(f"cannot write the ledger {self.path}: {error}")
        _tell_all(outcomes or [(told, None, self._broken) for _, told in batch])


def _all_at_once(db: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
    """Commit the whole *batch*, or nothing of it, and then nothing comes: a job was refused.

    Refusals are rare, and a savepoint around every job would cost more than the jobs.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        outcomes: list[_Outcome] = [(told, job(db), None) for job, told in batch]
    except Exception as error:
        if _about_the_disk(error):
            raise
        db.execute("ROLLBACK")
        return []
    db.execute("COMMIT")
    return outcomes


def _one_by_one(db: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
    """Commit what can be of *batch*; a job that is refused takes back its own writes only."""
    outcomes: list[_Outcome] = []
    db.execute("BEGIN IMMEDIATE")
    for job, told in batch:
        db.execute("SAVEPOINT job")
        try:
            outcomes.append((told, job(db), None))
        except Exception as error:
            if _about_the_disk(error):
                raise
            db.execute("ROLLBACK TO job")
            outcomes.append((told, None, error))
        db.execute("RELEASE job")
    db.execute("COMMIT")
    return outcomes


def _about_the_disk(error: Exception) -> bool:
    about_the_row = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
    return isinstance(error, sqlite3.Error) and not about_the_row


def _tell_all(outcomes: Iterable[_Outcome]) -> None:
    """Tell who waits what came of it; an event loop is woken once for all of them."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        told = outcome[0]
        if isinstance(told, Future):
            _tell([outcome])
        else:
            by_loop.setdefault(told.get_loop(), []).append(outcome)
    for loop, its_own in by_loop.items():
        with suppress(RuntimeError):  # it was closed meanwhile, and nobody waits there
            loop.call_soon_threadsafe(_tell, its_own)


def _tell(outcomes: Iterable[_Outcome]) -> None:
    for told, result, error in outcomes:
        if told.done():
            continue  # cancelled: nobody waits for it any more
        if error:
            told.set_exception(error)
        else:
            told.set_result(result)


def is_headless(path: Path) -> bool:
    """Whether nothing is left of the file but its log, which SQLite would delete."""
    with suppress(OSError):
        log = path.with_name(f"{path.name}-wal").stat().st_size
        return bool(log) and not (path.exists() and path.stat().st_size)
    return False


def _refuse_odd_files(path: Path) -> None:
    """SQLite would follow a link, and wait for ever at a pipe."""
    for ending in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + ending)
        if os.path.lexists(file) and not stat.S_ISREG(file.lstat().st_mode):
            raise StorageError(f"cannot use the ledger {file}: it is no file of its own")
