"""The writer thread: shared commits, refusals that concern one job only, and broken disks."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from batchgen.errors import StorageError
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from batchgen.ledger.writer import Writer, connect
from tests.ledger.made import commits, full_disk, untouched


@pytest.fixture
def writer(path) -> Iterator[Writer]:
    """A writer on a file with one table of numbers."""
    with closing(connect(path, read_only=False)) as db:
        db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT")
        opened = Writer(path)
        yield opened
        if opened._thread.is_alive():
            opened.close()


def add(writer: Writer, number: object) -> "Future[object]":
    return writer.enqueue(lambda db: db.execute("INSERT INTO numbers VALUES (?)", (number,)))


def numbers(path: Path) -> list[int]:
    with closing(connect(path, read_only=True)) as db:
        return [n for (n,) in db.execute("SELECT n FROM numbers ORDER BY n")]


@contextmanager
def held_up(writer: Writer) -> Iterator[None]:
    """The writer is busy for the block, so that what is queued meanwhile waits together."""
    busy, gate = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> bool:
        busy.set()
        return gate.wait(60)

    held = writer.enqueue(hold)
    assert busy.wait(60)
    try:
        yield
    finally:
        gate.set()
        assert held.result(60)


def test_the_connection_syncs_a_write_ahead_log(path):
    with closing(connect(path, read_only=False)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_of_somebody_else_can_neither_run_code_nor_fill_the_memory(path, read_only):
    Writer(path).close()
    with closing(connect(path, read_only=read_only)) as db:
        assert db.execute("PRAGMA trusted_schema").fetchone() == (0,)
        with pytest.raises(sqlite3.DataError, match="too big"):
            db.execute("SELECT zeroblob(16 * 1024 * 1024 + 1)").fetchone()


def test_its_thread_stands_back_for_the_event_loop(writer):
    assert writer.enqueue(lambda _: os.sched_getscheduler(0)).result() == os.SCHED_BATCH


def test_a_result_is_given_once_it_is_in_the_file(writer, path):
    assert writer.enqueue(lambda db: db.execute("INSERT INTO numbers VALUES (7)").rowcount).result(
        60
    )
    assert numbers(path) == [7]


def test_what_waits_together_is_committed_together(writer, path):
    before = commits(path)
    with held_up(writer):
        futures = [add(writer, n) for n in range(100)]
    wait(futures, 60)
    assert numbers(path) == list(range(100))
    assert commits(path) == before + 1


async def test_a_hundred_concurrent_writes_share_commits(path):
    with Ledger(path) as ledger:
        assert ledger._writer
        before = commits(path)
        with held_up(ledger._writer):
            entries = [untouched(f"k{n}").move(State.SUBMITTING) for n in range(100)]
            writes = [asyncio.create_task(ledger.write(entry)) for entry in entries]
            await asyncio.sleep(0)  # every task has queued its write
        await asyncio.gather(*writes)
        assert ledger.counts() == {State.SUBMITTING: 100}
        assert commits(path) == before + 1


def test_a_batch_has_a_limit(writer, path):
    before = commits(path)
    with held_up(writer):
        futures = [add(writer, n) for n in range(2_500)]
    wait(futures, 60)
    assert commits(path) == before + 3


@pytest.mark.parametrize("value", [7, "text", 2**70, object(), "\ud800"])
def test_a_refused_row_fails_alone(writer, path, value):
    add(writer, 7).result(60)
    with held_up(writer):
        good, bad, better = add(writer, 1), add(writer, value), add(writer, 2)
    wait([good, bad, better], 60)
    error = bad.exception()
    assert error
    assert not isinstance(error, StorageError)
    assert (good.exception(), better.exception()) == (None, None)
    assert numbers(path) == [1, 2, 7]


def test_a_job_that_meets_a_bug_takes_its_own_writes_back_and_no_others(writer, path):
    def buggy(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO numbers VALUES (13)")
        raise ZeroDivisionError

    with held_up(writer):
        first, bug, last = add(writer, 1), writer.enqueue(buggy), add(writer, 2)
    wait([first, bug, last], 60)
    assert isinstance(bug.exception(), ZeroDivisionError)
    add(writer, 3).result(60)
    assert numbers(path) == [1, 2, 3]


def test_a_batch_without_its_refused_row_is_one_commit(writer, path):
    add(writer, 7).result(60)
    before = commits(path)
    with held_up(writer):
        futures = [add(writer, n) for n in (1, 7, 2, 7, 3)]
    wait(futures, 60)
    assert [type(future.exception()) for future in futures[1::2]] == [sqlite3.IntegrityError] * 2
    assert numbers(path) == [1, 2, 3, 7]
    assert commits(path) == before + 1


def test_what_a_later_row_of_its_batch_rests_on_is_there_when_the_batch_is_run_again(writer, path):
    def double(db: sqlite3.Connection) -> int:
        return db.execute("UPDATE numbers SET n = n * 2").rowcount

    with held_up(writer):
        futures = [add(writer, 3), writer.enqueue(double), add(writer, 6), writer.enqueue(double)]
    wait(futures, 60)
    assert isinstance(futures[2].exception(), sqlite3.IntegrityError)
    assert [future.result() for future in (futures[1], futures[3])] == [1, 1]
    assert numbers(path) == [12]


async def test_a_loop_is_woken_once_for_all_it_waits_for_and_in_their_order(writer, monkeypatch):
    loop, order = asyncio.get_running_loop(), list[int]()
    woken, wake = list[object](), loop.call_soon_threadsafe

    def counted(callback: Callable[..., object], *args: object) -> asyncio.Handle:
        woken.append(callback)
        return wake(callback, *args)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)

    async def one(number: int) -> None:
        try:
            await writer.run(lambda db: db.execute("INSERT INTO numbers VALUES (?)", (number,)))
        except sqlite3.IntegrityError:
            number = -number
        order.append(number)

    with held_up(writer):
        tasks = [asyncio.create_task(one(number)) for number in (5, 3, 5, 4)]
        await asyncio.sleep(0)  # every task has queued its job
    await asyncio.gather(*tasks)
    assert order == [5, 3, -5, 4]
    assert len(woken) == 1


async def test_a_cancelled_caller_leaves_its_job_and_the_others_of_its_batch(writer, path):
    async def one(number: int) -> None:
        await writer.run(lambda db: db.execute("INSERT INTO numbers VALUES (?)", (number,)))

    add(writer, 7).result(60)
    with held_up(writer):
        tasks = [asyncio.create_task(one(number)) for number in (1, 7, 2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[1].cancel()  # nobody hears of its refusal either
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2] is None
    assert numbers(path) == [1, 2, 7]


def test_a_loop_that_was_closed_meanwhile_does_not_stop_the_writer(writer, path):
    async def leave() -> None:
        task = asyncio.create_task(
            writer.run(lambda db: db.execute("INSERT INTO numbers VALUES (1)"))
        )
        await asyncio.sleep(0)
        task.cancel()

    with held_up(writer):
        asyncio.run(leave())
    add(writer, 2).result(60)
    assert numbers(path) == [1, 2]


def test_close_commits_what_waits(writer, path):
    with held_up(writer):
        futures = [add(writer, n) for n in range(1_500)]
        closer = threading.Thread(target=writer.close)
        closer.start()
    closer.join(60)
    assert not writer._thread.is_alive()
    assert all(future.done() and future.exception() is None for future in futures)
    assert len(numbers(path)) == 1_500


def test_a_full_disk_fails_this_and_all_later_writes(writer, path):
    add(writer, 1).result(60)
    with full_disk():
        with held_up(writer):
            lost = [add(writer, n) for n in range(2, 5)]
        wait(lost, 60)
    later = add(writer, 9)
    for future in [*lost, later]:
        with pytest.raises(StorageError, match=r"^cannot write the ledger .*ledger\.sqlite3: "):
            future.result(60)
    writer.close()
    assert numbers(path) == [1]


def test_a_file_that_another_program_keeps_locked_is_a_storage_error(writer, path):
    writer._db.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked"):
            add(writer, 1).result(60)
        other.execute("ROLLBACK")
    with pytest.raises(StorageError, match="locked"):
        add(writer, 2).result(60)


def test_a_file_that_cannot_be_opened_is_said_at_once(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        Writer(tmp_path / "no" / "ledger.sqlite3")
