"""What can be asked of a ledger: entries in order, images in order, counts and sums."""

import sqlite3
from collections import Counter
from dataclasses import replace

import pytest

from batchgen.ledger import store
from batchgen.ledger.entry import State, TakenIdError, Totals
from batchgen.ledger.rows import move
from tests.ledger.made import bring, bring_all, image

MANY = [f"k{n:04}" for n in range(1_201)]


async def test_more_entries_than_one_read_brings_come_by_state_and_key(ledger):
    await bring_all(ledger, MANY[1::2], State.SUBMITTING)
    await bring_all(ledger, reversed(MANY[::2]), State.FAILED)
    found = [(e.state, e.key) for e in ledger.entries(State.FAILED, State.SUBMITTING)]
    assert found == [(State.FAILED, key) for key in MANY[::2]] + [
        (State.SUBMITTING, key) for key in MANY[1::2]
    ]
    assert list(ledger.entries(State.SAVED)) == []
    assert list(ledger.entries()) == []


@pytest.mark.parametrize("chunk", [1, 3, 500])
async def test_entries_that_move_on_meanwhile_are_not_met_twice(ledger, monkeypatch, chunk):
    monkeypatch.setattr(store, "_CHUNK", chunk)
    await bring_all(ledger, MANY[:7], State.SUBMITTED)
    await bring_all(ledger, MANY[7:10], State.COMPLETED)
    met = []
    for entry in ledger.entries(State.COMPLETED, State.SUBMITTED):
        met.append(entry.key)
        follows = {State.SUBMITTED: State.COMPLETED, State.COMPLETED: State.SAVED}
        await ledger.write(entry.move(follows[entry.state]))
    assert met == MANY[7:10] + MANY[:7]


async def test_many_images_come_in_the_order_they_were_saved(ledger):
    keys = [*reversed(MANY[:600])]
    await bring_all(ledger, keys, State.COMPLETED)
    known = {**ledger.known(keys[:300]), **ledger.known(keys[300:])}
    for key in keys[:3]:
        await ledger.write(known[key].move(State.SAVED), [image(key, 0), image(key, 1)])
    rest = [image(key, 0) for key in keys[3:]]
    for made, key in zip(rest, keys[3:], strict=True):
        ledger._writer.enqueue(
            lambda db, made=made, key=key: move(db, known[key].move(State.SAVED), [made])
        )
    ledger.set_meta(done=True)  # queued behind them
    found = list(ledger.images())
    assert [made.file_name for _, made in found] == [
        *(f"images/{key}_{index}.png" for key in keys[:3] for index in (0, 1)),
        *(made.file_name for made in rest),
    ]
    assert all(made.file_name.startswith(f"images/{entry.key}_") for entry, made in found)
    assert found[0][0] == known[keys[0]].move(State.SAVED)


async def test_known_finds_those_that_have_an_entry(ledger):
    entry = await bring(ledger, "a", State.SUBMITTED)
    await bring(ledger, "b", State.SUBMITTED)
    assert ledger.known(["a", "z", "a'); DROP TABLE variants; --"]) == {"a": entry}
    assert ledger.known([]) == {}


async def test_states_are_those_of_the_keys_that_have_an_entry(ledger):
    await bring(ledger, "a", State.SUBMITTED)
    await bring_all(ledger, MANY, State.FAILED)
    assert ledger.states(["a", "z", MANY[3]]) == {"a": State.SUBMITTED, MANY[3]: State.FAILED}
    assert ledger.states([]) == {}
    assert len(ledger.states([*MANY, "a", *(f"z{n}" for n in range(2_000))])) == 1_202


async def test_wanted_variants_and_their_images_are_counted_by_state_and_model(ledger):
    assert ledger.asked() == {}
    for state in State:
        await bring(ledger, state, state)
    await bring(ledger, "old", State.SAVED)
    ledger.want(State)
    assert ledger.asked() == {(state, "wavespeed-ai/imagen4"): (1, 1) for state in State}


async def test_want_marks_what_the_job_asks_for_and_nothing_else(ledger):
    await bring_all(ledger, MANY, State.SUBMITTING)
    ledger.want(iter([*MANY[:1_100], "never-touched"]))
    assert ledger.counts() == Counter({State.SUBMITTING: 1_100})
    assert ledger.size() == 1_201
    ledger.want(MANY[1_190:])
    found = [e.key for e in ledger.entries(State.SUBMITTING, wanted_only=True)]
    assert found == MANY[1_190:]
    assert len(list(ledger.entries(State.SUBMITTING))) == 1_201
    ledger.want([])
    assert ledger.counts() == {}


async def test_a_variant_touched_later_is_wanted_and_stays_as_marked(ledger):
    unwanted = await bring(ledger, "a", State.SUBMITTED)
    ledger.want(["b"])
    await bring(ledger, "b", State.SUBMITTED)
    await ledger.write(unwanted.move(State.COMPLETED))
    assert ledger.counts() == {State.SUBMITTED: 1}


async def test_counts_are_by_state(ledger):
    for state in State:
        await bring(ledger, state, state)
    await bring(ledger, "more", State.SAVED)
    assert ledger.counts() == Counter([*State, State.SAVED])


async def test_totals_of_an_empty_ledger_are_zero(ledger):
    assert ledger.totals() == Totals(
        images=0,
        bytes=0,
        nsfw=0,
        spent_micros=0,
        reserved_micros=0,
        refund_micros=0,
        images_unwanted=0,
        short=0,
    )


async def test_totals_sum_over_everything_ever_made(ledger):
    flags = [True, False, None, True]
    made = [image("a", n, nsfw=flag, size=1_000 + n) for n, flag in enumerate(flags)]
    await bring(ledger, "a", State.SAVED, made, spent_micros=160_000)
    await bring(ledger, "b", State.SAVED, [image("b")], spent_micros=40_000, error_class="short")
    await bring(ledger, "c", State.FAILED, spent_micros=None, error_class="rejected")
    await bring(ledger, "d", State.SAVED, spent_micros=1, error_class="short")
    ledger.want(["b", "c"])
    assert ledger.totals() == Totals(
        images=5,
        bytes=4_106,
        nsfw=2,
        spent_micros=200_001,
        reserved_micros=0,
        refund_micros=0,
        images_unwanted=2,  # of "a" and "d", one each was asked for
        short=1,
    )


async def test_short_are_wanted_and_saved_with_a_reason(ledger):
    first = await bring(ledger, "b", State.SAVED, error_class="short")
    await bring(ledger, "c", State.SAVED)
    await bring(ledger, "d", State.FAILED, error_class="rejected")
    await bring(ledger, "e", State.SAVED, error_class="short")
    second = await bring(ledger, "a", State.SAVED, error_class="short")
    ledger.want("abcd")
    assert list(ledger.short()) == [second, first]


async def test_images_since_a_time_include_that_very_time(ledger):
    times = ["2026-01-31T23:59:59.122Z", "2026-01-31T23:59:59.123Z", "2026-02-01T00:00:00.000Z"]
    made = [replace(image("a", n), saved_at=time) for n, time in enumerate(times)]
    await bring(ledger, "a", State.SAVED, made)
    assert [ledger.images_since(time) for time in (*times, "2026-02-02")] == [3, 2, 1, 0]


async def test_money_is_told_apart_by_what_is_known_of_it(ledger):
    await bring(ledger, "a", State.SAVED, [image("a", 0)], spent_micros=1)
    await bring(ledger, "b", State.UNCERTAIN, spent_micros=10)
    await bring(ledger, "c", State.SUBMITTING, spent_micros=100)
    await bring(ledger, "d", State.FAILED, spent_micros=1_000, prediction_id="id-d")
    await bring(ledger, "e", State.FAILED, spent_micros=10_000, prediction_id=None)
    totals = ledger.totals()
    assert totals.spent_micros == 11_111
    assert totals.reserved_micros == 110
    assert totals.refund_micros == 1_000


async def test_files_and_predictions_can_be_asked_for_without_entries(ledger):
    await bring(ledger, "a", State.SAVED, [image("a", 0), image("a", 1)], prediction_id="id-a")
    assert [key for key, _, _ in ledger.files()] == ["a", "a"]
    assert ledger.known_predictions(["id-a", "id-b"]) == {"id-a"}


async def test_the_prediction_of_another_variant_is_not_attached(ledger):
    await bring(ledger, "a", State.SUBMITTED, prediction_id="id")
    entry = await bring(ledger, "b", State.SUBMITTING)
    with pytest.raises(TakenIdError, match="another variant has the prediction id"):
        await ledger.write(entry.move(State.SUBMITTED, prediction_id="id"))
    assert ledger.known(["b"])["b"].state is State.SUBMITTING


async def test_lost_files_take_their_images_out_of_the_ledger(ledger):
    entry = await bring(ledger, "a", State.SAVED, [image("a", 0, nsfw=True)])
    await bring(ledger, "b", State.SAVED, [image("b", 0, nsfw=True), image("b", 1)])
    await ledger.write(entry.move(State.COMPLETED))
    assert [key for key, _, _ in ledger.files()] == ["b", "b"]
    totals = ledger.totals()
    assert (totals.images, totals.bytes, totals.nsfw) == (2, 200, 1)


@pytest.mark.parametrize("chunk", [1, 3, 500])
async def test_more_files_than_one_read_brings_come_in_order(ledger, monkeypatch, chunk):
    monkeypatch.setattr(store, "_CHUNK", chunk)
    made = [image("b", index) for index in range(4)] + [image("a", index) for index in range(3)]
    await bring(ledger, "b", State.SAVED, made[:4])
    await bring(ledger, "a", State.SAVED, made[4:])
    assert [image for _, image in ledger.images()] == made
    assert list(ledger.files()) == [
        (key, i.file_name, 100) for key, i in zip("bbbbaaa", made, strict=True)
    ]


async def test_a_file_name_that_somebody_edited_is_not_followed(ledger):
    await bring(ledger, "a", State.SAVED, [image("a", 0)])
    ledger.do(lambda db: db.execute("UPDATE images SET file_name = '/etc/passwd'"))
    for read in (ledger.files, ledger.images):
        with pytest.raises(sqlite3.DataError, match="/etc/passwd"):
            list(read())
