"""A ledger that is lost or damaged beside paid work: never started from zero, mended for free."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchgen.dataset.folder import DatasetFolder, json_line
from batchgen.dataset.rows.manifest import columns, in_order
from batchgen.errors import ExitCode, StorageError
from batchgen.job.load import load_job
from batchgen.ledger.entry import Entry, State
from batchgen.ledger.store import DamagedError, Ledger
from batchgen.ledger.writer import Writer
from batchgen.run.care.standing import standing
from batchgen.run.claim.rebuild import rebuild_ledger
from batchgen.run.making import run_job
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.hooks import Hooks
from batchgen.run.telling.rows import manifest_row
from batchgen.run.telling.tally import Tally
from tests.ledger.made import full_disk, image, moves
from tests.run.care.test_verify import check, made, reach, run
from tests.support import cli
from tests.support.bench import Bench

__all__ = ["reach"]


def ledger(bench: Bench) -> Path:
    return bench.dataset / ".batchgen" / "ledger.sqlite3"


def lose(bench: Bench) -> None:
    for suffix in ("", "-wal", "-shm"):
        ledger(bench).with_name(ledger(bench).name + suffix).unlink(missing_ok=True)


def rewrite(bench: Bench, change: Callable[[bytearray], bytes | bytearray]) -> bytes:
    """Change the bytes of the ledger."""
    damaged = bytes(change(bytearray(ledger(bench).read_bytes())))
    ledger(bench).write_bytes(damaged)
    return damaged


def zero_page(number: int) -> Callable[[bytearray], bytearray]:
    def change(data: bytearray) -> bytearray:
        data[4096 * number : 4096 * (number + 1)] = bytes(4096)
        return data

    return change


def flipped_at(part: float) -> Callable[[bytearray], bytearray]:
    def change(data: bytearray) -> bytearray:
        for at in range(int(len(data) * part), int(len(data) * part) + 40):
            data[at] ^= 0x55
        return data

    return change


DAMAGES: dict[str, Callable[[bytearray], bytes | bytearray]] = {
    "cut to nothing": lambda data: b"",
    "cut to half": lambda data: data[: len(data) // 2],
    "cut inside a page": lambda data: data[:-1000],
    "a zero-filled tail": lambda data: data[: len(data) // 2] + bytes(len(data) // 2),
    "zeros throughout": lambda data: bytes(len(data)),
    "no database at all": lambda data: b"what is this? " * 500,
    "a schema that is no text": lambda data: data.replace(b"TABLE variants", b"TABLE\xa0variants"),
    **{f"page {number} zeroed": zero_page(number) for number in range(7)},
    **{f"flipped at {part}": flipped_at(part) for part in (0.0, 0.001)},
}


def interrupted(bench: Bench) -> None:
    """Four variants saved, three paid and still to be collected, none running."""
    bench.job(7)
    bench.service.hold(completion=4)
    stop = Stop()

    def watch(tally: Tally) -> None:
        if (tally.submits, tally.images, tally.in_flight) == (7, 4, 3):
            stop.leave(ExitCode.INCOMPLETE, "the test has what it wants")

    job = load_job(bench.folder / "job.yaml")
    outcome = asyncio.run(run_job(job, stop=stop, hooks=Hooks(progress=watch)))
    assert outcome.exit_code == 4
    assert bench.states() == {"saved": 4, "submitted": 3}
    bench.service.release()


def test_without_its_ledger_a_run_sends_nothing_and_names_the_repair(bench: Bench):
    made(bench)
    requests = bench.service.counts().requests
    lose(bench)
    commands: list[list[str | Path]] = [["run", "job.yaml"], ["plan", "job.yaml"]]
    commands += [[name, bench.dataset] for name in ("verify", "status", "reconcile", "merge")]
    for command in commands:
        done = cli.run_batchgen(*command, cwd=bench.folder, env=bench.env)
        assert (done.returncode, done.stdout) == (7, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("batchgen: storage: the ledger of ")
        assert "batchgen verify " in line
        assert line.endswith("/job --repair")
        assert not ledger(bench).exists()
    assert bench.service.counts().requests == requests


def test_images_alone_are_enough_to_stop_a_run_without_a_ledger(bench: Bench):
    made(bench)
    lose(bench)
    for name in ("manifest.jsonl", "manifest.csv"):
        (bench.dataset / name).unlink()
    with pytest.raises(StorageError, match=r"is missing, but .*images.* is there"):
        run(bench)
    bench.check_billed_once(3)


@pytest.mark.parametrize("images", [1, 3])
def test_a_lost_ledger_comes_back_from_the_manifest(bench: Bench, images):
    made(bench, 5, params={"num_images": images}, matrix={"seed": [7]})
    received = bench.service.counts()["received"]
    before = (bench.dataset / "manifest.jsonl").read_bytes()
    name = standing(bench.dataset).job
    lose(bench)
    found = check(bench, repair=True)
    assert (found["sound"], found["rebuilt"], found["checked"]) == (True, 5, 5 * images)
    assert check(bench)["sound"]
    assert standing(bench.dataset).job == name
    assert f"\n# {name}\n" in (bench.dataset / "README.md").read_text("utf-8")
    assert run(bench) == 0
    assert (bench.dataset / "manifest.jsonl").read_bytes() == before
    bench.check_whole(5 * images)
    assert bench.service.counts()["received"] == received
    assert cli.summary(bench.dataset)["spent_usd"] == pytest.approx(5 * images * 0.04)


async def test_many_records_come_back_by_few_commits_and_a_wrong_one_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = DatasetFolder(tmp_path)
    entries = [saved(number) for number in range(1_201)]
    entries[700] = replace(entries[700], prediction_id="p0")  # two cannot have the same prediction
    rows_of(folder, [*entries, *entries[:9]])
    commits = []
    commit = Writer._commit

    def counted(writer: Writer, *batch: Any) -> None:
        commits.append(len(batch[-1]))
        commit(writer, *batch)

    monkeypatch.setattr(Writer, "_commit", counted)
    assert await rebuild_ledger(folder) == 1_200
    assert len(commits) < 10
    with Ledger(folder.ledger, read_only=True) as ledger:
        assert {entry.key for entry, _ in ledger.images()} == {
            entry.key for entry in entries if entry is not entries[700]
        }


def test_what_the_manifest_does_not_show_is_held_and_never_silently_bought(bench: Bench):
    interrupted(bench)
    billed = bench.service.counts()["billed"]
    lose(bench)
    assert check(bench, repair=True)["rebuilt"] == 4
    for _ in range(2):
        assert run(bench) == 5
        assert bench.service.counts()["billed"] == billed == 7
        assert [row["paid"] for row in cli.failures(bench.dataset)] == [None] * 3
        assert cli.summary(bench.dataset)["uncertain"] == 3
    assert run(bench, on_uncertain="resubmit") == 0
    bench.check_whole(7)
    assert bench.service.counts()["billed"] == 10


def root_page(bench: Bench, table: str) -> int:
    with closing(sqlite3.connect(ledger(bench))) as db:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        return int(db.execute(sql, (table,)).fetchone()[0])


@pytest.mark.parametrize("damage", ["one", "all"])
def test_images_whose_records_are_damaged_are_those_of_the_manifest(bench: Bench, damage):
    made(bench, 6, params={"num_images": 2})
    requests = bench.service.counts().requests
    before = (bench.dataset / "manifest.jsonl").read_bytes()
    if damage == "all":
        rewrite(bench, zero_page(root_page(bench, "images") - 1))
    else:
        with closing(sqlite3.connect(ledger(bench))) as db, db:
            db.execute("UPDATE images SET media_type = CAST(x'ff' AS TEXT) WHERE seq = 3")
    found = check(bench, repair=True)
    assert (found["sound"], found["rebuilt"], found["checked"]) == (True, 6, 12)
    assert run(bench) == 0
    assert sorted((bench.dataset / "manifest.jsonl").read_bytes().splitlines()) == sorted(
        before.splitlines()
    )
    assert bench.service.counts().requests == requests


@pytest.mark.parametrize("main", [b"", None])
def test_a_log_that_is_all_that_is_left_is_read_by_a_repair_and_deleted_by_nobody(
    bench: Bench, main: bytes | None
):
    interrupted(bench)
    log = ledger(bench).with_name("ledger.sqlite3-wal")
    with closing(sqlite3.connect(ledger(bench), isolation_level=None)) as db:
        for table in ("variants", "images", "meta"):  # all of it goes through the log
            db.execute(f"CREATE TABLE copy AS SELECT * FROM {table}")
            db.execute("DROP TABLE copy")
        db.execute("VACUUM")
        written = log.read_bytes()
    ledger(bench).unlink()
    if main is not None:
        ledger(bench).write_bytes(main)
    log.write_bytes(written)
    for command in (["run", "job.yaml"], ["status", bench.dataset], ["verify", bench.dataset]):
        done = cli.run_batchgen(*command, cwd=bench.folder, env=bench.env)
        assert (done.returncode, "--repair" in done.stderr) == (7, True), done.stderr
        assert log.read_bytes() == written
    assert check(bench, repair=True)["rebuilt"] == 7
    kept = (bench.dataset / ".batchgen" / "quarantine").glob("*-wal")
    assert written in [path.read_bytes() for path in kept]
    assert run(bench) == 0
    bench.check_whole(7)
    bench.check_billed_once(7)


def test_a_row_that_names_the_file_of_another_image_costs_no_record(bench: Bench):
    made(bench, 2, params={"num_images": 2})
    with closing(sqlite3.connect(ledger(bench))) as db, db:
        db.execute("UPDATE images SET media_type = CAST(x'ff' AS TEXT) WHERE seq = 2")
    path = bench.dataset / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    rows[1]["file_name"] = rows[2]["file_name"]
    path.write_text("".join(map(json_line, rows)), "utf-8")
    found = check(bench, repair=True)
    assert (found["rebuilt"], found["left"], found["damaged"]) == (2, [], [])
    assert run(bench) == 0
    bench.check_whole(4)
    bench.check_billed_once(2)


async def test_of_two_images_with_one_name_the_second_is_fetched_again(tmp_path: Path):
    folder = DatasetFolder(tmp_path)
    entries = [saved(1), saved(2)]
    rows_of(folder, entries)
    path = folder.manifest_jsonl
    path.write_text(path.read_text("utf-8").replace("00000002_0.png", "00000001_0.png"), "utf-8")
    assert await rebuild_ledger(folder) == 2
    with Ledger(folder.ledger, read_only=True) as rebuilt:
        known = rebuilt.known([entry.key for entry in entries])
    assert [entry.state for entry in known.values()] == [State.SAVED, State.COMPLETED]
    assert known["00000002"].prediction_id == "p2"


def test_images_that_no_record_knows_any_more_are_fetched_again_and_all_that_was_known_kept(
    bench: Bench,
):
    made(bench, 4)
    rewrite(bench, zero_page(root_page(bench, "images") - 1))
    manifest = bench.dataset / "manifest.jsonl"
    first, *lost = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(first + b"nonsense\n")
    found = check(bench, repair=True)
    assert (found["rebuilt"], found["fetched"], found["left"]) == (4, 3, [])
    assert manifest.read_bytes().startswith(first)
    assert len(manifest.read_bytes().splitlines()) == 1 + len(lost)
    kept = (bench.dataset / ".batchgen" / "quarantine").glob("*_manifest.jsonl")
    assert [path.read_bytes() for path in kept] == [first + b"nonsense\n"]
    assert run(bench) == 0
    bench.check_billed_once(4)


def test_files_that_a_rebuilt_ledger_has_no_record_of_are_not_called_well(bench: Bench):
    names = made(bench)
    lose(bench)
    manifest = bench.dataset / "manifest.jsonl"
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[1:]))
    done = cli.run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env)
    assert (done.returncode, names[0] in done.stdout) == (3, True)
    assert "no record of the unknown files" in done.stderr
    assert check(bench)["sound"]


def rows_of(folder: DatasetFolder, entries: list[Entry]) -> None:
    """A manifest of *entries* with an image each, which are there."""
    folder.prepare()
    folder.images.mkdir()
    rows = []
    for entry in entries:
        rows.append(in_order(columns(), manifest_row(entry, image(entry.key, size=1))))
        (folder.images / f"{entry.key}_0.png").write_bytes(b"x")
    folder.manifest_jsonl.write_text("".join(map(json_line, rows)), "utf-8")


def saved(number: int, prompt: str = "a pear") -> Entry:
    entry = moves(f"{number:08x}", State.SAVED, prediction_id=f"p{number}")[-1]
    return replace(entry, request={"prompt": prompt})


async def test_a_row_that_is_too_large_for_a_ledger_costs_only_itself(tmp_path: Path):
    folder = DatasetFolder(tmp_path)
    rows_of(folder, [saved(1), saved(2, "x" * 17 * 1024 * 1024), saved(3)])
    assert await rebuild_ledger(folder) == 2


async def test_half_a_ledger_never_takes_the_place_of_one(tmp_path: Path):
    """The disk is full in the last moment, when the log of the new ledger goes into its file."""
    folder = DatasetFolder(tmp_path)
    rows_of(folder, [saved(number, f"{number} " * 2_000) for number in range(600)])
    assert await rebuild_ledger(folder) == 600
    whole = folder.ledger.stat().st_size
    folder.ledger.write_bytes(b"damaged")
    with full_disk(whole - 8192), pytest.raises(StorageError, match="make room on its disk"):
        await rebuild_ledger(folder)
    assert folder.ledger.read_bytes() == b"damaged"
    assert await rebuild_ledger(folder) == 600


def test_a_row_without_its_file_is_known_to_be_paid(bench: Bench):
    names = made(bench, params={"num_images": 2})
    lose(bench)
    (bench.dataset / names[0]).unlink()
    found = check(bench, repair=True)
    assert (found["sound"], found["rebuilt"], len(found["left"])) == (False, 3, 1)
    # Where the images were made is known again as soon as the job was run.
    run(bench)
    assert check(bench, repair=True)["sound"]
    assert run(bench) == 0
    bench.check_whole(6)
    bench.check_billed_once(3)


@pytest.mark.parametrize("line", [b"\x00" * 300, b"{}", b"[1]", b'{"file_name": 7}', b"nonsense"])
def test_a_line_of_the_manifest_that_cannot_be_read_costs_only_its_own_row(bench: Bench, line):
    made(bench)
    lose(bench)
    path = bench.dataset / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], line + b"\n", lines[2]]))
    assert check(bench, repair=True)["rebuilt"] == 2
    assert run(bench) == 5
    bench.check_billed_once(3)


@pytest.mark.parametrize("value", [None, "x", -1, 1e300, [1], {}, True], ids=str)
def test_rows_of_nonsense_never_break_a_repair_and_buy_nothing(bench: Bench, value):
    columns = ("bytes", "image_index", "cost_usd", "variant_key", "polls", "sha256", "seed")
    made(bench, len(columns))
    lose(bench)
    path = bench.dataset / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    for row, column in zip(rows, columns, strict=True):
        row[column] = value
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    check(bench, repair=True)
    assert run(bench) in (0, 4, 5)
    bench.check_billed_once(len(columns))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_stops_the_run_before_it_asks_for_anything(bench: Bench, damage):
    made(bench, 24)
    requests = bench.service.counts().requests
    damaged = rewrite(bench, DAMAGES[damage])
    with pytest.raises(StorageError, match="--repair"):
        run(bench)
    assert bench.service.counts().requests == requests
    found = check(bench, repair=True)
    assert (found["sound"], found["rebuilt"]) == (True, 24)
    kept = [p.read_bytes() for p in (bench.dataset / ".batchgen" / "quarantine").iterdir()]
    # What was cut off stands there as zeros.
    assert any(p.rstrip(b"\0") == damaged.rstrip(b"\0") for p in kept) or not damaged
    assert run(bench) == 0
    bench.check_whole(24)
    bench.check_billed_once(24)


@pytest.mark.parametrize("part", range(1, 20, 2))
def test_a_flipped_bit_is_found_or_buys_nothing(bench: Bench, part):
    made(bench, 6)

    def flip(data: bytearray) -> bytearray:
        data[len(data) * part // 20 + 7 * part] ^= 1 << part % 8
        return data

    rewrite(bench, flip)
    with suppress(DamagedError):
        assert run(bench) in (0, 3)
    assert check(bench, repair=True)["sound"]
    assert run(bench) in (0, 5)
    bench.check_whole(cli.summary(bench.dataset)["saved"])
    bench.check_billed_once(6)


def test_paid_ids_of_a_damaged_ledger_are_collected_and_not_bought_again(bench: Bench):
    interrupted(bench)
    rewrite(bench, zero_page(root_page(bench, "predictions") - 1))
    with pytest.raises(StorageError, match="--repair"):
        run(bench)
    assert check(bench, repair=True)["rebuilt"] == 7
    assert run(bench) == 0
    bench.check_whole(7)
    bench.check_billed_once(7)


@pytest.mark.parametrize("damage", ["cut to half", "cut inside a page", "page 2 zeroed"])
def test_what_cannot_be_read_of_a_damaged_ledger_is_held(bench: Bench, damage):
    interrupted(bench)
    rewrite(bench, DAMAGES[damage])
    with pytest.raises(StorageError, match="--repair"):
        run(bench)
    check(bench, repair=True)
    assert run(bench) in (0, 5)
    counts = cli.summary(bench.dataset)
    assert (counts["saved"] + counts["uncertain"], counts["pending"]) == (7, 0)
    bench.check_whole(counts["saved"])
    bench.check_billed_once(7)


def test_a_ledger_that_cannot_be_used_now_is_not_taken_for_a_damaged_one(bench: Bench):
    made(bench)
    with closing(sqlite3.connect(ledger(bench))) as db, db:
        db.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    with pytest.raises(StorageError, match="use the batchgen that made it"):
        check(bench, repair=True)
    assert ledger(bench).exists()
    assert not (bench.dataset / ".batchgen" / "quarantine").exists()
