"""What is left of a damaged ledger: everything that can be read, and nothing made up."""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from batchgen.errors import StorageError
from batchgen.ledger import salvage as salvaging
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.salvage import salvage, salvaged_facts
from batchgen.ledger.store import DamagedError, Ledger
from tests.ledger.made import bring, image

STATES = (State.SAVED, State.SUBMITTED, State.COMPLETED, State.UNCERTAIN, State.FAILED)
PAID = frozenset({State.SAVED, State.SUBMITTED, State.COMPLETED, State.UNCERTAIN})


async def fill(path, variants: int) -> dict[str, Entry]:
    """A ledger with variants in many states."""
    with Ledger(path) as ledger:
        ledger.set_meta(job="pears", axes=["seed"])
        entries = {}
        for number in range(variants):
            key, state = f"{number * 7919:08x}", STATES[number % len(STATES)]
            images = [image(key)] if state is State.SAVED else []
            entries[key] = await bring(ledger, key, state, images, prediction_id=f"p{number}")
    return entries


async def test_everything_of_a_sound_ledger_comes_back(path):
    entries = await fill(path, 50)
    found = [*salvage(path)]
    assert {entry.key: replace(entry, revision=0) for entry, _ in found} == {
        key: replace(entry, revision=0) for key, entry in entries.items()
    }
    assert {entry.revision for entry, _ in found} == {1}
    assert all(images == [image(e.key)] for e, images in found if e.state is State.SAVED)
    assert salvaged_facts(path) == {"schema_version": 2, "job": "pears", "axes": ["seed"]}


@pytest.mark.parametrize("state", [State.SUBMITTING, State.PLANNED])
async def test_a_submit_whose_later_record_may_be_lost_may_have_been_paid(path, state):
    with Ledger(path) as ledger:
        await bring(ledger, "k1", state)
    ((entry, images),) = salvage(path)
    assert (entry.state, images) == (State.UNCERTAIN, [])


@pytest.mark.parametrize(
    ("kept", "error_class", "state"),
    [
        (0, None, State.COMPLETED),
        (1, None, State.COMPLETED),
        (2, None, State.SAVED),
        (1, "missing_output", State.SAVED),
        (0, "missing_output", State.COMPLETED),
    ],
)
async def test_saved_variants_that_lost_the_records_of_images_are_fetched_again(
    path, kept, error_class, state
):
    images = [image(index=index) for index in range(2)]
    with Ledger(path) as ledger:
        await bring(ledger, "k1", State.SAVED, images, error_class=error_class)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE variants SET images_asked = 2")
        db.execute("DELETE FROM images WHERE image_index >= ?", (kept,))
    ((entry, found),) = salvage(path)
    assert (entry.state, found) == (state, images[:kept] if state is State.SAVED else [])


async def test_without_room_for_the_records_of_images_nothing_is_taken_for_lost(path, monkeypatch):
    await fill(path, 200)
    small = salvaging._ASIDE.replace("BEGIN;", "PRAGMA max_page_count = 2; BEGIN;")
    monkeypatch.setattr(salvaging, "_ASIDE", small)
    with pytest.raises(StorageError, match="temporary file: database or disk is full"):
        next(salvage(path))


@pytest.mark.parametrize("column", ["state", "request"])
async def test_a_record_that_makes_no_sense_costs_only_itself(path, column):
    entries = await fill(path, 10)
    key = sorted(entries)[4]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE variants SET {column} = 'nonsense' WHERE key = ?", (key,))
    found = [*salvage(path)]
    assert {entry.key for entry, _ in found} == entries.keys() - {key}


async def test_texts_that_are_none_cost_only_their_records(path):
    keys = sorted(await fill(path, 10))
    with closing(sqlite3.connect(path)) as db, db:
        for key in (keys[0], keys[-1]):
            db.execute("UPDATE variants SET error = CAST(x'ff' AS TEXT) WHERE key = ?", (key,))
    found = [*salvage(path)]
    assert sorted(entry.key for entry, _ in found) == keys[1:-1]


async def test_values_of_a_wrong_type_cost_only_their_records(path):
    """Only strict tables keep the types, and who damages a file can replace its tables."""
    keys = sorted(await fill(path, 10))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        for table in ("variants", "images"):
            db.execute(f"CREATE TABLE copy AS SELECT * FROM {table}")
            db.execute(f"DROP TABLE {table}")
            db.execute(f"ALTER TABLE copy RENAME TO {table}")
        db.execute("UPDATE variants SET polls = 'many' WHERE key = ?", (keys[0],))
        db.execute("UPDATE images SET bytes = 'x' WHERE key = ?", (keys[5],))
        db.execute("INSERT INTO images SELECT * FROM images WHERE key = ?", (keys[5],))
        db.execute("UPDATE images SET key = NULL WHERE rowid = (SELECT max(rowid) FROM images)")
    found = [*salvage(path)]
    assert sorted(entry.key for entry, _ in found) == keys[1:]
    assert [(e.state, images) for e, images in found if e.key == keys[5]] == [(State.COMPLETED, [])]


async def test_the_log_beside_a_file_that_was_cut_to_nothing_is_read_and_stays(path):
    log = path.with_name(f"{path.name}-wal")
    with Ledger(path) as ledger:
        await bring(ledger, "k1", State.SUBMITTED, prediction_id="p1")
        written = log.read_bytes()
    path.write_bytes(b"")
    log.write_bytes(written)
    assert [entry.prediction_id for entry, _ in salvage(path)] == ["p1"]
    assert salvaged_facts(path) == {"schema_version": 2}
    assert log.read_bytes() == written


async def test_an_image_whose_record_is_gone_is_the_one_that_is_listed_of_its_prediction(path):
    own = [image("k1", index) for index in range(2)]
    listed = image("k1", 1, nsfw=True)
    with Ledger(path) as ledger:
        await bring(ledger, "k1", State.SAVED, own, prediction_id="p1", error_class=None)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE variants SET images_asked = 2")
        db.execute("DELETE FROM images WHERE image_index = 1")
    others = [("k1", "p0", listed), ("k2", "p1", image("k2", 1))]
    ((entry, images),) = salvage(path, others)
    assert (entry.state, entry.error_class, images) == (State.COMPLETED, "missing_file", [])
    ((entry, images),) = salvage(path, [*others[1:], ("k1", "p1", image()), ("k1", "p1", listed)])
    assert (entry.state, entry.error_class, images) == (State.SAVED, None, [own[0], listed])


async def test_what_is_listed_never_takes_the_file_of_an_image_that_the_ledger_knows(path):
    with Ledger(path) as ledger:
        for key in ("k1", "k2"):
            await bring(ledger, key, State.SAVED, [image(key)], prediction_id=f"p-{key}")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM images WHERE key = 'k1'")
    found = {e.key: (e.state, images) for e, images in salvage(path, [("k1", "p-k1", image("k2"))])}
    assert found == {"k1": (State.COMPLETED, []), "k2": (State.SAVED, [image("k2")])}


@pytest.mark.parametrize("state", [State.COMPLETED, State.EXPIRED])
async def test_the_records_of_images_whose_files_are_away_stay(path, state):
    with Ledger(path) as ledger:
        await bring(ledger, "k1", State.SAVED, [image()])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE variants SET state = ?, error_class = 'missing_file'", (str(state),))
    ((entry, images),) = salvage(path)
    assert (entry.state, images) == (state, [image()])


@pytest.mark.parametrize("content", [b"", b"no database", bytes(8192), b"SQLite format 3\0"])
def test_nothing_comes_from_a_file_that_is_no_ledger(path, content):
    path.write_bytes(content)
    assert ([*salvage(path)], salvaged_facts(path)) == ([], {})


async def test_a_flipped_bit_is_noticed_or_changes_no_state_of_any_variant(path):
    entries = await fill(path, 40)
    data, dice = path.read_bytes(), random.Random(7)
    noticed = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        try:
            with closing(Ledger(path, read_only=True)) as ledger:
                ledger.check()
                states = {e.key: e.state for e in ledger.entries(*State)}
        except (DamagedError, sqlite3.DatabaseError):
            noticed += 1
        else:
            assert states == {key: entry.state for key, entry in entries.items()}
    assert noticed > 30


@pytest.mark.parametrize("damage", ["zeroed", "cut", "flipped"])
async def test_what_can_be_read_of_a_damaged_ledger_is_true(path, damage):
    entries = await fill(path, 200)
    data = path.read_bytes()
    read = 0
    for page in range(1, len(data) // 4096):
        at = page * 4096
        wrong = {
            "zeroed": data[:at] + bytes(4096) + data[at + 4096 :],
            "cut": data[:at],
            "flipped": data[:at] + bytes(b ^ 255 for b in data[at : at + 64]) + data[at + 64 :],
        }[damage]
        path.write_bytes(wrong)
        found = [*salvage(path)]
        for entry, _ in found:
            known = entries[entry.key]
            assert entry.prediction_id == known.prediction_id
            assert (entry.state in PAID) == (known.state in PAID)
        read += len(found)
    assert read > len(entries)  # of most damages, most is left
