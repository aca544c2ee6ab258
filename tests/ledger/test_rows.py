"""Entries and images come back from their rows as they went in."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import MISSING, fields, replace

import pytest

from batchgen.ledger.entry import Entry, IllegalMoveError, Image, State
from batchgen.ledger.rows import (
    check,
    check_tables,
    create,
    is_image_name,
    move,
    select,
    to_entry,
    to_image,
)
from tests.ledger.made import image, untouched

FULL = Entry(
    key="k1",
    state=State.SUBMITTING,
    revision=1,
    prompt_id="café",
    model="wavespeed-ai/imagen4",
    request={"prompt": 'a\nb "c" \u2028 日本 🫖', "seed": -1, "x": None, "n": [1, 2.5, True]},
    images_asked=4,
    attempts=2,
    prediction_id="p-1",
    spent_micros=160_000,
    account="1f3a9c2e",
    intent_at="2025-12-31T23:59:59.000Z",
    created_at="2026-01-01T00:00:00.000Z",
    submitted_at="2026-01-01T00:00:01.000Z",
    completed_at="2026-01-01T00:00:09.000Z",
    queue_ms=1,
    inference_ms=2,
    total_ms=3,
    polls=5,
    error_class="short",
    error="one image is missing",
    labels={"look": "encre é", "n": 2},
)
BARE = untouched("k2").move(State.SUBMITTING)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create(connection)
        yield connection


def read(db: sqlite3.Connection, key: str) -> Entry:
    return to_entry(
        db.execute(f"SELECT {select(db)} FROM variants v WHERE key = ?", (key,)).fetchone()
    )


def read_images(db: sqlite3.Connection) -> list[Image]:
    names = ", ".join(f.name if f.name != "index" else "image_index" for f in fields(Image))
    return [to_image(row) for row in db.execute(f"SELECT {names} FROM images ORDER BY seq")]


@pytest.mark.parametrize("entry", [FULL, BARE], ids=["full", "bare"])
def test_an_entry_comes_back_as_it_was(db, entry):
    move(db, entry, ())
    assert read(db, entry.key) == entry


def test_the_full_entry_of_this_test_leaves_no_field_at_its_default():
    bare = Entry(**{f.name: getattr(BARE, f.name) for f in fields(Entry) if f.default is MISSING})
    named = {"state", "model", "revision"}
    same = {f.name for f in fields(Entry) if getattr(FULL, f.name) == getattr(bare, f.name)}
    assert same <= named


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_row(db, state):
    move(db, replace(BARE, state=state), ())
    assert read(db, "k2").state is state


@pytest.mark.parametrize("nsfw", [True, False, None])
def test_an_image_comes_back_as_it_was(db, nsfw):
    made = image(nsfw=nsfw)
    move(db, FULL, [made])
    (found,) = read_images(db)
    assert found == made
    assert found.nsfw is nsfw


def test_a_move_replaces_every_field_but_what_was_asked_for(db):
    move(db, BARE, ())
    move(db, replace(FULL, key="k2", revision=2), ())
    asked = {
        name: getattr(BARE, name)
        for name in ("prompt_id", "model", "request", "images_asked", "labels")
    }
    assert read(db, "k2") == replace(FULL, key="k2", revision=2, **asked)


@pytest.mark.parametrize("revision", [2, 3, 5, 9])
def test_a_move_that_does_not_follow_is_refused_and_changes_nothing(db, revision):
    for known in (1, 2, 3):
        move(db, replace(BARE, revision=known), ())
    before = read(db, "k2")
    with pytest.raises(IllegalMoveError, match=f"^k2: revision {revision} does not follow"):
        move(db, replace(FULL, key="k2", revision=revision), [image("k2")])
    assert read(db, "k2") == before
    assert read_images(db) == []


def test_a_variant_enters_the_ledger_once(db):
    move(db, BARE, ())
    with pytest.raises(IllegalMoveError, match=r"^k2: .*UNIQUE"):
        move(db, replace(FULL, key="k2"), ())
    assert read(db, "k2") == BARE


def test_a_move_of_an_unknown_variant_is_refused(db):
    with pytest.raises(IllegalMoveError):
        move(db, replace(BARE, revision=2), ())


def test_the_tables_are_made_once(db):
    move(db, FULL, ())
    create(db)
    assert read(db, "k1") == FULL


@pytest.mark.parametrize(
    "name",
    [
        *("", "images", "images/", "/images/a.png", "images//a.png", "images/../a.png"),
        *("images/./a.png", "images/.git/a.png", "../images/a.png", "images/a\0.png"),
        *("images/a\n.png", "images/a\\b.png", "images/é.png", "manifest.jsonl"),
        *("images/" + "x" * 251, "images" + f"/{'x' * 247}" * 4 + "/xx", 7, None),
    ],
)
def test_what_batchgen_never_calls_an_image_is_no_name_of_one(name):
    assert not is_image_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("images/a.png", "images/espresso/7_16x9_1f3a9c2e_0.png", "images/a b/c-d.jpg"),
        *("nsfw/a.png", "dropped/a.png", "images/" + "x" * 250),
        "images" + f"/{'x' * 247}" * 4 + "/x",
    ],
)
def test_the_names_that_batchgen_gives_are_names_of_images(name):
    assert is_image_name(name)


@pytest.mark.parametrize(
    "change",
    [
        *({"key": "../x"}, {"key": ""}, {"prediction_id": "a/b"}, {"prediction_id": ".."}),
        *({"model": "../balance"}, {"model": "a/../b"}, {"model": "a/b?webhook=x"}),
        *(
            {"request": [1]},
            {"labels": [1]},
            {"attempts": "many"},
            {"prompt_id": 7},
            {"images_asked": None},
        ),
        *({"images_asked": 0}, {"attempts": -1}, {"polls": -1}, {"spent_micros": -1}),
        *({"revision": 0}, {"submitted_at": "yesterday"}, {"intent_at": ""}),
        *({"created_at": "2026-01-01"}, {"completed_at": "2026-01-01T00:00:00"}),
        *({"created_at": "0001-01-01T00:00:00Z"}, {"intent_at": "9999-12-31T23:59:59Z"}),
    ],
    ids=str,
)
def test_what_no_sound_ledger_holds_is_refused(change):
    with pytest.raises(ValueError, match=r" is "):
        check(replace(FULL, **change))


@pytest.mark.parametrize(
    "change",
    [
        *("state = 'nonsense'", "request = '{'", "request = '[1]'", "labels = '[1]'"),
        *("model = '../balance'", "intent_at = 'yesterday'", "polls = -1"),
    ],
)
def test_a_record_that_somebody_edited_is_refused_when_it_is_read(db, change):
    move(db, FULL, ())
    db.execute(f"UPDATE variants SET {change}")
    with pytest.raises(sqlite3.DataError, match=r"^the record of 'k1' is damaged: "):
        read(db, "k1")


def test_an_image_that_somebody_renamed_is_refused_when_it_is_read(db):
    move(db, FULL, [image()])
    db.execute("UPDATE images SET file_name = '../../.ssh/id'")
    with pytest.raises(sqlite3.DataError, match=r"^'../../.ssh/id' is no name of an image$"):
        read_images(db)


def test_what_a_sound_ledger_holds_passes():
    check(FULL, BARE, image())
    with pytest.raises(ValueError, match="no name of an image"):
        check(replace(image(), file_name="/etc/passwd"))


def test_a_file_with_one_table_more_or_less_is_no_ledger(db):
    check_tables(db)
    db.execute("CREATE TABLE more (a)")
    with pytest.raises(sqlite3.DataError):
        check_tables(db)
