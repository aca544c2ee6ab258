"""Parts: who belongs where, dividing a ledger, and several ledgers that act as one."""

import asyncio
import inspect
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batchgen.errors import StorageError
from batchgen.ledger import parts
from batchgen.ledger.divided import DividedLedger, read_ledger
from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.parts import PARTS, Shard, divide, ledger_of, lock_of, part_of, rows_of
from batchgen.ledger.seal import is_sealed
from batchgen.ledger.store import DamagedError, Ledger
from tests.ledger.made import bring, image

# One of them is where a part begins.
KEYS = [*(f"{number * 7 % 256:02x}{number:06x}" for number in range(90)), "1c"]


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> Path:
    """A folder with a ledger and its division, which tests copy: making them takes longer."""
    folder: Path = tmp_path_factory.mktemp("once")
    asyncio.run(_fill(folder / "ledger.sqlite3"))
    divide(folder / "ledger.sqlite3", folder / "ledgers")
    return folder


async def _fill(path: Path) -> None:
    """Make a ledger with variants in every state, several images, and facts."""
    with Ledger(path) as ledger:
        for number, key in enumerate(KEYS):
            state = list(State)[number % len(State)]
            made = [_image(key, i) for i in range(2)] if state is State.SAVED else []
            name = None if state is State.PLANNED else f"p{number}"
            await bring(ledger, key, state, made, spent_micros=38_000, prediction_id=name)
        ledger.set_meta(salt="5a17", plan="one", axes=["seed"], submit_timeout=60.0)


@pytest.fixture
def whole(once: Path, path: Path) -> Path:
    """The ledger before it was divided."""
    return Path(shutil.copy(once / path.name, path))


def _image(key: str, index: int) -> Image:
    made = image(key, index, nsfw=index == 1)
    return replace(made, saved_at=f"2026-01-31T01:00:{KEYS.index(key) * 2 // 3:02d}.{index}00Z")


@pytest.fixture
def folder(once: Path, path: Path) -> Path:
    return Path(shutil.copytree(once / "ledgers", path.parent / "ledgers"))


@pytest.fixture
def divided(folder: Path) -> Iterator[DividedLedger]:
    with DividedLedger(folder) as ledger:
        yield ledger


def _everything(ledger: Ledger) -> dict[str, object]:
    return {
        "entries": list(ledger.entries(*State)),
        "wanted": list(ledger.entries(*State, wanted_only=True)),
        "short": list(ledger.short()),
        "images": list(ledger.images()),
        "files": sorted(ledger.files()),
        "known": ledger.known(KEYS),
        "states": ledger.states(KEYS),
        "predictions": ledger.known_predictions(["p2", "p80", "nobody's"]),
        "since": ledger.images_since("2026-01-31T01:00:30.000Z"),
        "sums": [ledger.size(), ledger.counts(), ledger.totals(), ledger.asked()],
    }


@pytest.mark.parametrize("count", [1, 2, 3, 5, 20, 64])
def test_every_part_is_in_exactly_one_shard(count):
    parts_of_all = [part for index in range(count) for part in Shard(index, count).parts]
    assert sorted(parts_of_all) == list(range(PARTS))


@pytest.mark.parametrize(
    ("key", "part"),
    [("", 0), ("00ff", 0), ("03f", 0), ("04", 1), ("07", 1), ("fbff", 62), ("fc", 63), ("zz", 63)],
)
def test_a_variant_belongs_to_the_part_that_its_key_begins_like(key, part):
    assert part_of(key) == part


async def test_a_divided_ledger_knows_what_the_whole_one_knew(whole, divided):
    with Ledger(whole) as ledger:
        assert _everything(divided) == _everything(ledger)
        facts = divided.meta()
        assert {name: facts[name] for name in ledger.meta()} == ledger.meta()
        assert divided.holds_all


async def test_both_go_on_alike(whole, divided):
    with Ledger(whole) as ledger:
        for one in (ledger, divided):
            one.want(KEYS[::2])
            assert one.hold_unanswered() > 0
            await one.amend(replace(one.known(KEYS[4:5])[KEYS[4]], images_asked=3))
            await bring(one, "abcdef", State.SAVED, [image("abcdef")])
            one.set_meta(manifest={"rows": 3})
            one.check()
        assert _everything(divided) == _everything(ledger)
        assert divided.meta()["manifest"] == {"rows": 3}


def test_every_record_is_in_the_ledger_of_its_part(folder):
    for part in range(PARTS):
        with Ledger(ledger_of(folder, part), read_only=True) as ledger:
            assert {part_of(entry.key) for entry in ledger.entries(*State)} <= {part}


def test_some_parts_know_only_their_own(folder):
    with DividedLedger(folder, Shard(1, 3).parts) as ledger:
        own = [key for key in KEYS if part_of(key) % 3 == 1]
        assert [e.key for e in sorted(ledger.known(KEYS).values(), key=_key)] == sorted(own)
        assert not ledger.holds_all
        assert ledger.part(own[0]) is ledger.parts[part_of(own[0])]
        assert [ledger.part(key) is not None for key in KEYS] == [key in own for key in KEYS]
        ledger.want(KEYS)
        assert ledger.totals().images_unwanted == 0


def _key(entry: Entry) -> str:
    return entry.key


def test_no_reading_or_writing_is_left_to_a_file_that_a_divided_ledger_does_not_have():
    own = {name for name, _ in inspect.getmembers(Ledger) if not name.startswith("_")} - {"do"}
    assert own <= vars(DividedLedger).keys()


def test_a_division_that_is_stopped_changes_nothing_and_can_be_made_again(whole, monkeypatch):
    fill = parts._fill

    def stop(path: Path, whole: Path, part: int, facts: Mapping[str, object]) -> None:
        if part == 40:
            raise OSError(28, "No space left on device")
        fill(path, whole, part, facts)

    folder = whole.parent / "ledgers"
    before = whole.read_bytes()
    monkeypatch.setattr(parts, "_fill", stop)
    with pytest.raises(StorageError, match="No space left"):
        divide(whole, folder)
    assert not folder.exists()
    assert whole.read_bytes() == before
    monkeypatch.setattr(parts, "_fill", fill)
    divide(whole, folder)
    with read_ledger(whole, folder) as ledger:
        assert ledger.size() == len(KEYS)


def test_a_dataset_without_a_ledger_becomes_empty_parts(path):
    divide(path, path.parent / "ledgers", salt="5a17")
    with DividedLedger(path.parent / "ledgers") as ledger:
        ledger.check()
        assert (ledger.size(), ledger.meta()["salt"]) == (0, "5a17")
    assert not path.exists()


def test_a_damaged_ledger_is_not_divided(whole):
    with closing(sqlite3.connect(whole)) as db, db:
        db.execute("UPDATE variants SET state = 'nonsense'")
    with pytest.raises(DamagedError):
        divide(whole, whole.parent / "ledgers")
    assert not (whole.parent / "ledgers").exists()


def test_parts_are_on_disk_before_they_take_their_place(path, monkeypatch):
    """Nobody can cut the power in a test: what is told to the disk, and when, is all there is."""
    done: list[Path] = []
    folder, rename = path.parent / "ledgers", Path.rename

    def renamed(old: Path, new: Path) -> Path:
        done.append(new)
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(os, "fsync", lambda fd: done.append(Path(f"/proc/self/fd/{fd}").readlink()))
    before = len(list(Path("/proc/self/fd").iterdir()))
    divide(path, folder)
    new = folder.with_name("ledgers.new")
    assert done[-3:] == [new, folder, folder.parent]
    assert {ledger_of(new, part) for part in range(PARTS)} <= set(done[:-3])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_files_of_a_part_lie_together_and_a_shard_is_called_as_on_the_command_line(tmp_path):
    files = [ledger_of(tmp_path, 7), lock_of(tmp_path, 7), rows_of(tmp_path, 7)]
    assert [file.relative_to(tmp_path) for file in files] == [
        *(Path("07.sqlite3"), Path("07.lock"), Path("07.jsonl"))
    ]
    assert str(Shard(0, 3)) == "0/3"


def test_a_part_that_is_missing_or_cut_to_nothing_is_no_new_one(folder):
    file = ledger_of(folder, 7)
    shutil.copy(file, file.with_name("kept"))
    file.write_bytes(b"")
    with (
        DividedLedger(folder) as ledger,
        pytest.raises(DamagedError, match=r"07\.sqlite3 is empty"),
    ):
        ledger.check()
    file.unlink()
    with pytest.raises(DamagedError, match=r"07\.sqlite3 is missing"):
        DividedLedger(folder)


def test_a_damaged_part_is_found_and_the_others_are_not_blamed(folder):
    file = ledger_of(folder, 7)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE variants SET state = 'nonsense'")
    with DividedLedger(folder, [6, 7]) as ledger:
        with pytest.raises(DamagedError, match=r"07\.sqlite3"):
            ledger.check()
        ledger.parts[6].check()


def test_parts_are_closed_and_sealed_unless_one_could_not_be_read(folder):
    files = [ledger_of(folder, part) for part in (3, 4)]
    with DividedLedger(folder, [3, 4]) as ledger:
        ledger.check()
        ledger.set_meta(job="k")
    assert not list(folder.glob("*-wal"))
    assert all(map(is_sealed, files))
    with pytest.raises(DamagedError, match=r"a b\?c#d%é/ledgers is damaged \(odd"):
        _read_what_cannot_be_read(folder)
    assert not any(map(is_sealed, files))


def _read_what_cannot_be_read(folder: Path) -> None:
    with DividedLedger(folder, [3, 4]) as ledger:
        ledger.check()
        ledger.set_meta(job="l")
        raise sqlite3.DataError("odd")


async def test_parts_can_be_put_down_for_somebody_else_and_taken_up_again(folder):
    with DividedLedger(folder, [3, 7]) as ledger:
        ledger.put_down()
        assert not list(folder.glob("*-wal"))  # closed
        assert not ledger.parts
        with DividedLedger(folder, [7]) as other:
            await bring(other, "1d", State.SAVED, [image("1d")])
        ledger.take_up()
        assert list(ledger.parts) == [3, 7]
        assert ledger.states(["1d"]) == {"1d": State.SAVED}
        ledger.set_meta(job="k")


@pytest.mark.parametrize("with_parts", [True, False])
def test_who_only_reads_changes_no_file_and_reads_the_parts_if_there_are(folder, whole, with_parts):
    chosen, nowhere = (folder, whole.parent) if with_parts else (whole.parent, folder)
    before = {file: file.stat().st_mtime_ns for file in chosen.iterdir()}
    with read_ledger(whole, folder if with_parts else nowhere / "none") as ledger:
        assert isinstance(ledger, DividedLedger) == with_parts
        assert ledger.size() == len(KEYS)
        with pytest.raises(AssertionError):
            ledger.set_meta(job="k")
        assert {file: file.stat().st_mtime_ns for file in chosen.iterdir()} == before


def test_a_fact_that_changes_is_known_from_then_on(folder):
    for job in ("old", "new"):
        with DividedLedger(folder, [3, 4]) as ledger:
            ledger.set_meta(job=job)
    with DividedLedger(folder, [3, 4], read_only=True) as ledger:
        assert [part.meta()["job"] for part in ledger.parts.values()] == ["new", "new"]


def test_facts_that_differ_are_the_latest_and_never_a_plan_that_only_some_know(divided):
    first, second = divided.parts[0], divided.parts[1]
    first.set_meta(started_at="2026-01-02", plan="two", axes=["seed", "style"], submit_timeout=9.0)
    second.set_meta(started_at="2026-01-01", job="old", axes=["size"], lost_records=True)
    first.set_meta(job="new", lost_records=False)
    divided.parts[2].set_meta(job="of a run that never began")
    facts = divided.meta()
    assert (facts["job"], facts["plan"], facts["axes"]) == (
        *("new", "several", ["seed", "size", "style"]),
    )
    assert (facts["submit_timeout"], facts["lost_records"]) == (60.0, True)


@pytest.mark.parametrize("mark", ["manifest", "view", "exports"])
def test_a_file_of_the_whole_dataset_is_as_far_as_all_parts_say(folder, mark):
    with DividedLedger(folder, [3, 4, 5]) as ledger:
        ledger.parts[3].set_meta(**{mark: 1})
        assert ledger.meta()[mark] is None
        ledger.set_meta(**{mark: 1})
        assert ledger.meta()[mark] == 1
        ledger.parts[5].set_meta(**{mark: 2})
        assert ledger.meta()[mark] is None
