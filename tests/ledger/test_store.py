"""What the ledger keeps: durable moves, refusals, and files that are no ledger."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batchgen.errors import StorageError
from batchgen.ledger.entry import Entry, IllegalMoveError, State
from batchgen.ledger.salvage import salvage
from batchgen.ledger.seal import is_sealed, seal
from batchgen.ledger.store import DamagedError, Ledger
from tests.ledger.made import bring, bring_all, commits, full_disk, image, moves, untouched

KILLED = """
import asyncio, sys
from pathlib import Path
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from tests.ledger.made import untouched

async def main() -> None:
    ledger = Ledger(Path(sys.argv[1]))
    await ledger.write(untouched().move(State.SUBMITTING))
    print("on disk", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def entry_of(ledger: Ledger, key: str = "k1") -> Entry:
    return ledger.known([key])[key]


@pytest.mark.parametrize("state", [s for s in State if s is not State.PLANNED])
async def test_every_move_is_there_after_opening_again(path, state):
    with Ledger(path) as ledger:
        final = await bring(ledger, "k1", state, prediction_id="p1", polls=3)
    with Ledger(path) as ledger:
        assert entry_of(ledger) == final
        assert final.revision == len(moves("k1", state))


async def test_images_and_their_move_come_together(ledger, path):
    entry = await bring(ledger, "k1", State.COMPLETED)
    before = commits(path)
    await ledger.write(entry.move(State.SAVED), [image(index=0), image(index=1)])
    assert commits(path) == before + 1
    assert [made for _, made in ledger.images()] == [image(index=0), image(index=1)]


async def test_an_image_that_cannot_be_kept_takes_its_move_back(ledger):
    entry = await bring(ledger, "k1", State.COMPLETED)
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.write(entry.move(State.SAVED), [image(index=0), image(index=0)])
    assert entry_of(ledger) == entry
    assert list(ledger.images()) == []
    await ledger.write(entry.move(State.SAVED), [image()])


async def test_images_that_were_lost_and_fetched_again_are_listed_once(ledger):
    saved = await bring(ledger, "k1", State.SAVED, [image(index=0), image(index=1)])
    again = saved.move(State.COMPLETED)
    await ledger.write(again)
    assert list(ledger.images()) == []
    await ledger.write(again.move(State.SAVED), [image(index=0, size=7)])
    assert [made.bytes for _, made in ledger.images()] == [7]


async def test_images_whose_files_come_back_are_listed_again(ledger):
    saved = await bring(ledger, "k1", State.SAVED, [image()])
    lost = saved.move(State.COMPLETED)
    gone = lost.move(State.EXPIRED)
    for entry in (lost, gone):
        await ledger.write(entry)
        assert list(ledger.images()) == []
    await ledger.write(gone.move(State.SAVED))
    assert [made for _, made in ledger.images()] == [image()]


async def test_what_a_rebuilt_ledger_could_not_know_is_written_and_the_state_stays(ledger):
    entry = await bring(ledger, "k1", State.SAVED, [image()])
    amended = replace(
        entry,
        request={"prompt": "un café"},
        labels={"look": "ink"},
        images_asked=2,
        error_class="missing_output",
        error="1 of 2 images came",
    )
    await ledger.amend(replace(amended, revision=entry.revision - 1))
    assert entry_of(ledger) == entry
    await ledger.amend(replace(amended, state=State.FAILED))
    assert entry_of(ledger) == amended


async def test_a_move_from_an_old_revision_is_refused_and_changes_nothing(ledger):
    old = await bring(ledger, "k1", State.SUBMITTING)
    new = old.move(State.SUBMITTED, prediction_id="p1")
    await ledger.write(new)
    with pytest.raises(IllegalMoveError):
        await ledger.write(old.move(State.UNCERTAIN))
    assert entry_of(ledger) == new


async def test_a_variant_is_inserted_once(ledger):
    first = untouched().move(State.SUBMITTING)
    await ledger.write(first)
    with pytest.raises(IllegalMoveError):
        await ledger.write(replace(first, prompt_id="other"))
    assert entry_of(ledger) == first


async def test_of_two_moves_at_once_one_is_refused(ledger):
    entry = await bring(ledger, "k1", State.SUBMITTING)
    rivals = [entry.move(State.SUBMITTED), entry.move(State.UNCERTAIN)]
    results = await asyncio.gather(*map(ledger.write, rivals), return_exceptions=True)
    refused = [result for result in results if result is not None]
    assert [type(error) for error in refused] == [IllegalMoveError]
    assert entry_of(ledger) == rivals[results.index(None)]


async def test_a_cancelled_caller_does_not_take_its_move_back(path):
    with Ledger(path) as ledger:
        task = asyncio.create_task(ledger.write(untouched().move(State.SUBMITTING)))
        await asyncio.sleep(0)  # the write is queued
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with Ledger(path) as ledger:
        assert ledger.counts() == {State.SUBMITTING: 1}


async def test_submits_without_an_answer_are_held(ledger):
    await bring_all(ledger, ["a", "b"], State.SUBMITTING)
    others = [s for s in State if s is not State.SUBMITTING]
    for state in others:
        await bring(ledger, state, state)
    before = ledger.known([*others])
    assert ledger.hold_unanswered() == 2
    assert ledger.known([*others]) == before
    for key in ("a", "b"):
        held = entry_of(ledger, key)
        assert (held.state, held.revision) == (State.UNCERTAIN, 2)
        assert held.error_class == "unanswered"
        assert held.paid is None
        await ledger.write(held.move(State.SUBMITTING))  # it follows the ledger's revision
    assert ledger.hold_unanswered() == 2
    assert ledger.hold_unanswered() == 0


async def test_a_full_disk_ends_all_writing_and_no_reading(ledger):
    kept = await bring(ledger, "k1", State.SUBMITTING)
    with full_disk():
        with pytest.raises(StorageError) as caught:
            await ledger.write(kept.move(State.SUBMITTED, prediction_id="p1"))
        assert caught.value.exit_code == 7
    writes = [ledger.write(untouched(f"n{n}").move(State.SUBMITTING)) for n in range(20)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(result) for result in results} == {StorageError}
    for late in (
        ledger.hold_unanswered,
        lambda: ledger.want(["k1"]),
        lambda: ledger.set_meta(a=1),
    ):
        with pytest.raises(StorageError):
            late()
    assert entry_of(ledger) == kept
    ledger.close()
    with Ledger(ledger.path) as again:
        assert entry_of(again) == kept


def test_a_killed_process_keeps_what_it_was_told_is_written(path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "on disk\n"
        process.send_signal(signal.SIGKILL)
    with Ledger(path) as ledger:
        assert entry_of(ledger) == untouched().move(State.SUBMITTING)
        assert ledger.hold_unanswered() == 1


async def test_a_reader_beside_the_writer_sees_each_move(ledger, path):
    with Ledger(path, read_only=True) as reader:
        assert reader.counts() == {}
        entry = await bring(ledger, "k1", State.COMPLETED)
        assert entry_of(reader) == entry
        await ledger.write(entry.move(State.SAVED), [image()])
        assert reader.totals().images == 1
        with pytest.raises(AssertionError):
            await reader.write(entry)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._reader.execute("DELETE FROM variants")


def test_a_ledger_opened_again_is_not_made_again(path):
    with Ledger(path) as ledger:
        ledger.set_meta(job="abc", axes=["seed"], none=None)
    with Ledger(path) as ledger:
        ledger.set_meta(job="def")
        assert ledger.meta() == {"schema_version": 2, "job": "def", "axes": ["seed"], "none": None}


def test_a_ledger_that_is_not_divided_is_for_every_variant(ledger):
    assert ledger.parts == {0: ledger}
    assert ledger.part("k1") is ledger
    assert ledger.holds_all


def test_what_cannot_be_read_is_said_at_the_end_and_looked_for_at_the_next_opening(path):
    with Ledger(path) as ledger:
        asyncio.run(bring(ledger, "k1", State.SAVED))
        ledger.check()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE variants SET state = 'nonsense'")
    for job, read in enumerate((Ledger.counts, Ledger.asked, lambda own: own.states(["k1"]))):
        seal(path)
        with pytest.raises(DamagedError, match=r"(nonsense|state ).*verify --repair rebuilds it$"):
            _read(path, job, read)
        assert not is_sealed(path)


def _read(path: Path, job: int, read: Callable[[Ledger], object]) -> None:
    with Ledger(path) as ledger:
        ledger.check()  # the seal says that all is well
        ledger.set_meta(job=job)
        read(ledger)


def foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


META = "CREATE TABLE meta (name TEXT, value TEXT)"


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("statements", "damaged", "message"),
    [
        (["CREATE TABLE pears (n)"], True, "cannot use the ledger .*no such table: meta"),
        ([META], False, "expected a ledger of version 2 at .*, got None; use the batchgen that m"),
        ([META, "INSERT INTO meta VALUES ('schema_version', '3')"], False, "2 at .*, got 3;"),
        ([META, "INSERT INTO meta VALUES ('schema_version', 'x')"], True, "ledger .* is damaged "),
        (["CREATE TABLE meta (a)"], True, "cannot use the ledger .*no such column"),
    ],
)
def test_another_database_is_no_ledger(path, statements, damaged, message, read_only):
    foreign(path, *statements)
    with pytest.raises(StorageError, match=message) as caught:
        Ledger(path, read_only=read_only)
    assert isinstance(caught.value, DamagedError) is damaged


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_no_ledger_and_is_left_alone(path, read_only):
    content = b"SQLite, they said\n" * 100
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"^the ledger .* is damaged .*not a database.$"):
        Ledger(path, read_only=read_only)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_is_no_ledger(path, read_only):
    path.mkdir()
    with pytest.raises(StorageError, match=r"^cannot use the ledger .* is no file of its own$"):
        Ledger(path, read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_a_link_or_a_pipe_under_one_of_its_names_is_not_opened(path, ending, read_only):
    Ledger(path).close()
    odd = path.with_name(path.name + ending)
    target = path.with_name("target")
    odd.rename(target) if odd.exists() else target.touch()
    content = target.read_bytes()
    for make in (lambda: odd.symlink_to(target), lambda: os.mkfifo(odd)):
        make()
        with pytest.raises(StorageError, match=r"^cannot use the ledger .* is no file of its own$"):
            Ledger(path, read_only=read_only)
        odd.unlink()
    assert target.read_bytes() == content


def test_a_reader_makes_no_ledger(path):
    with pytest.raises(StorageError, match=r"^cannot use the ledger ") as caught:
        Ledger(path, read_only=True)
    assert not isinstance(caught.value, DamagedError)
    assert not path.exists()


def test_a_full_disk_at_the_start_is_a_storage_error(path):
    with full_disk(), pytest.raises(StorageError, match=r"^cannot use the ledger "):
        Ledger(path)
    with Ledger(path) as ledger:
        assert ledger.counts() == {}


def earlier(path: Path) -> None:
    """Leave the ledger at *path* as version 1 would have written it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("ALTER TABLE variants DROP COLUMN labels")
        db.execute("UPDATE meta SET value = '1' WHERE name = 'schema_version'")


def test_a_ledger_without_labels_is_read_as_it_is_and_brought_up_to_date_by_a_run(path):
    with Ledger(path) as ledger:
        asyncio.run(bring(ledger, "k1", State.SAVED, [image()]))
    earlier(path)
    with Ledger(path, read_only=True) as ledger:
        assert [entry.labels for entry in ledger.entries(State.SAVED)] == [{}]
        assert ledger.meta()["schema_version"] == 1
    with Ledger(path) as ledger:
        entry = replace(untouched("k2").move(State.SUBMITTING), labels={"look": "ink"})
        asyncio.run(ledger.write(entry))
        assert ledger.meta()["schema_version"] == 2
    with Ledger(path, read_only=True) as ledger:
        found = {entry.key: entry.labels for entry in ledger.known(["k1", "k2"]).values()}
        assert found == {"k1": {}, "k2": {"look": "ink"}}


def test_a_damaged_ledger_without_labels_gives_what_it_has(path):
    with Ledger(path) as ledger:
        asyncio.run(bring(ledger, "k1", State.SAVED, [image()]))
    earlier(path)
    ((entry, _),) = salvage(path)
    assert (entry.key, entry.state, entry.labels) == ("k1", State.SAVED, {})
