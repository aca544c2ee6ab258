"""Dataset folders that others have prepared or edited: nothing is written or moved outside."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from batchgen.errors import StorageError, UsageError
from tests.run.care.test_verify import reach, run
from tests.support import cli
from tests.support.bench import Bench

__all__ = ["reach"]

FILES = (
    *("manifest.jsonl", "manifest.csv", "failures.jsonl", "summary.json", ".batchgen/run.log"),
    *(".batchgen/lock", ".batchgen/job.yaml", ".batchgen/reconcile.jsonl"),
    *(".batchgen/ledger.sqlite3", ".batchgen/ledger.sqlite3-wal", ".batchgen/local-service.jsonl"),
)
FOLDERS = ("images", "images/a", ".batchgen", ".batchgen/parts", ".batchgen/quarantine")
SECRET = b"not yours"
ODD: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda path, target: path.symlink_to(target),
    "a pipe": lambda path, _: os.mkfifo(path),
}


@pytest.fixture
def outside(bench: Bench) -> Path:
    """A folder of somebody else with one file in it."""
    folder = bench.folder / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(SECRET)
    return folder


def unharmed(outside: Path) -> bool:
    return [path.read_bytes() for path in outside.iterdir()] == [SECRET]


@pytest.mark.parametrize("odd", ODD)
def test_a_link_or_a_pipe_stops_the_run_before_it_sends(bench: Bench, outside: Path, odd: str):
    for number, name in enumerate((*FILES, *FOLDERS)):
        if (odd, name) == ("a pipe", "images/a"):
            continue  # in nobody's way
        bench.dataset = bench.folder / "out" / f"job{number}"
        path = bench.dataset / name
        path.parent.mkdir(parents=True)
        ODD[odd](path, outside if name in FOLDERS else outside / "file")
        cli.write_job(bench.folder / "job.yaml", ["a"], output={"dir": f"out/job{number}"})
        # In this process: the start of the command takes longer than what is tested here.
        with pytest.raises((StorageError, UsageError), match=f"job{number}/{name}"):
            run(bench)
        assert bench.service.counts().requests == 0
        assert unharmed(outside)


@pytest.mark.parametrize("name", ["manifest.csv", "images"])
def test_the_command_says_in_one_line_what_is_in_the_way(bench: Bench, outside: Path, name: str):
    bench.job(1)
    bench.dataset.mkdir(parents=True)
    (bench.dataset / name).symlink_to(outside)
    done = bench.run()
    assert done.returncode == 7
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"batchgen: storage: cannot use out/job/{name}: expected a f")
    assert line.endswith("got a link; move it away")
    assert unharmed(outside)


@pytest.mark.parametrize("odd", ODD)
def test_reconcile_writes_and_waits_for_nothing_that_is_not_its_own(
    bench: Bench, outside: Path, odd: str
):
    bench.job(["a pear [submit=reset]"])
    assert run(bench) == 5
    log = bench.dataset / ".batchgen" / "run.log"
    ODD[odd](log, outside / "file")
    done = bench.reconcile("--grace", "0", timeout=20)
    assert done.returncode == 7
    assert done.stderr.startswith(f"batchgen: storage: cannot use {log}: expected a file of its")
    assert unharmed(outside)


@pytest.mark.parametrize("odd", ODD)
def test_verify_neither_follows_nor_waits_for_a_manifest_that_is_no_file(
    bench: Bench, outside: Path, odd: str
):
    bench.job(1)
    assert run(bench) == 0
    path = bench.dataset / "manifest.csv"
    copy = path.rename(outside.with_name("copy.csv"))
    ODD[odd](path, copy)
    done = cli.run_batchgen("verify", bench.dataset, cwd=bench.folder, timeout=20)
    assert done.returncode == 3
    assert "manifest  differs from the ledger" in done.stdout


def test_a_new_file_that_is_a_link_already_is_replaced_and_not_followed(
    bench: Bench, outside: Path
):
    bench.job(1)
    (bench.dataset / ".batchgen").mkdir(parents=True)
    for name in (".summary.json.new", ".failures.jsonl.new", ".batchgen/.job.yaml.new"):
        (bench.dataset / name).symlink_to(outside / "file")
    assert bench.run().returncode == 0
    assert unharmed(outside)
    bench.check_whole(1)


def test_the_dataset_folder_itself_may_be_a_link(bench: Bench):
    bench.job(1)
    real = bench.folder / "real"
    real.mkdir()
    bench.dataset.parent.mkdir()
    bench.dataset.symlink_to(real)
    assert bench.run().returncode == 0
    bench.check_whole(1)
    assert (real / "manifest.jsonl").exists()


def test_nothing_is_writable_by_everybody_whatever_the_umask(bench: Bench):
    bench.job(1)
    before = os.umask(0)
    try:
        assert bench.run().returncode == 0
    finally:
        os.umask(before)
    for path in (bench.dataset, *bench.dataset.rglob("*")):
        assert not path.stat().st_mode & 0o002, path
    assert stat.S_IMODE((bench.dataset / ".batchgen").stat().st_mode) == 0o700


def test_a_folder_that_everybody_may_write_to_is_refused(bench: Bench):
    bench.job(1)
    bench.dataset.mkdir(parents=True)
    bench.dataset.chmod(0o777)
    done = bench.run()
    assert done.returncode == 2
    assert "run chmod o-w out/job, or give a new folder inside it" in done.stderr
    assert bench.service.counts().requests == 0
    assert list(bench.dataset.iterdir()) == []
    bench.dataset.chmod(0o775)
    assert bench.run().returncode == 0


EDITS: dict[str, tuple[str, object]] = {
    "a path upwards": ("UPDATE images SET file_name = ?", "images/../../../outside/file"),
    "an absolute path": ("UPDATE images SET file_name = ?", "{outside}/file"),
    "a path beside the images": ("UPDATE images SET file_name = ?", "manifest.jsonl"),
    "a path with a zero byte": ("UPDATE images SET file_name = ?", "images/a\0b"),
    "an unknown state": ("UPDATE variants SET state = ?", "paid"),
    "an empty part": ("UPDATE images SET file_name = ?", "images//x"),
    "an id with slashes": ("UPDATE variants SET prediction_id = ?", "../../balance"),
    "a model with dots": ("UPDATE variants SET model = ?", "a/../balance"),
    "a request that is a list": ("UPDATE variants SET request = ?", "[1]"),
    "a request of nests": ("UPDATE variants SET request = ?", "[" * 100_000),
    "a time that is a word": ("UPDATE variants SET submitted_at = ?", "yesterday"),
    "a time without a zone": ("UPDATE variants SET completed_at = ?", "2026-01-01T00:00:00"),
    "no images": ("UPDATE variants SET images_asked = ?", "0"),
    "fewer polls than none": ("UPDATE variants SET polls = ?", "-1"),
    "a huge text": ("UPDATE variants SET error = ?", "x" * (17 * 2**20)),
    "facts of nests": ("UPDATE meta SET value = ?", "[" * 100_000),
    "facts that are no JSON": ("UPDATE meta SET value = ?", "{"),
    "a trigger": (
        "CREATE TRIGGER t AFTER UPDATE ON variants BEGIN DELETE FROM images; END",
        None,
    ),
    "a view": ("CREATE VIEW v AS SELECT 1", None),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_ledger_that_others_edited_is_damaged_and_never_followed(
    bench: Bench, outside: Path, case: str
):
    bench.job(1)
    assert bench.run().returncode == 0
    sent = bench.service.counts().requests
    sql, value = EDITS[case]
    values = [] if value is None else [str(value).replace("{outside}", str(outside))]
    bench.edit_ledger(sql, *values)
    (bench.dataset / "manifest.csv").unlink()  # a run that knows its manifest reads no record
    done = bench.run()
    assert done.returncode == 7, done.stderr
    assert done.stderr.startswith("batchgen: storage: the ledger ")
    assert "verify" in done.stderr
    assert "--repair" in done.stderr
    cli.run_batchgen("status", bench.dataset, cwd=bench.folder)
    assert bench.service.counts().requests == sent
    repaired = cli.run_batchgen(
        "verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env
    )
    assert repaired.returncode in (0, 3, 4, 7), repaired.stderr
    assert unharmed(outside)
    assert bench.run().returncode in (0, 4, 5)
    bench.check_billed_once(1)


@pytest.mark.parametrize("kind", ["a link", "another database", "a pipe"])
def test_a_ledger_that_is_something_else_stops_every_command(
    bench: Bench, outside: Path, kind: str
):
    bench.job(1)
    path = bench.dataset / ".batchgen" / "ledger.sqlite3"
    path.parent.mkdir(parents=True)
    if kind == "another database":
        bench.edit_ledger("CREATE TABLE moz_places (id INTEGER)")
    else:
        ODD[kind](path, outside / "file")
    for command in (["run", "job.yaml"], ["plan", "job.yaml"], ["status", bench.dataset]):
        done = cli.run_batchgen(*command, cwd=bench.folder, env=bench.env, timeout=20)
        assert done.returncode == 7, (command, done.stderr)
        assert "the ledger" in done.stderr or "cannot use" in done.stderr
    assert bench.service.counts().requests == 0
    assert unharmed(outside)


NAMES = ("../../outside/file", "/etc/passwd", "images/../../outside/file", "images/" + "x" * 5_000)
ROWS: dict[str, dict[str, object]] = {
    **{f"file_name {name[:30]}": {"file_name": name} for name in NAMES},
    "file_name of a number": {"file_name": 7},
    "a key with slashes": {"variant_key": "../../outside/file"},
    "an id with slashes": {"prediction_id": "../../balance"},
    "a model with dots": {"model": "../balance"},
    "a time that is a word": {"submitted_at": "yesterday"},
    "half a surrogate pair": {"prompt": "\ud800", "prompt_id": "\ud800"},
}


@pytest.mark.parametrize("case", ROWS)
def test_a_manifest_that_others_edited_is_not_followed_by_a_rebuild(
    bench: Bench, outside: Path, case: str
):
    bench.job(2)
    assert bench.run().returncode == 0
    manifest = bench.dataset / "manifest.jsonl"
    first, second = manifest.read_text("utf-8").splitlines()
    edited = json.dumps({**json.loads(first), **ROWS[case]})
    manifest.write_text(f"{edited}\n{second}\n{'[' * 100_000}\n", "utf-8")
    for path in (bench.dataset / ".batchgen").glob("ledger*"):
        path.unlink()
    done = cli.run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env)
    assert done.returncode in (0, 3), done.stderr
    assert unharmed(outside)
    assert bench.run().returncode == 5
    bench.check_billed_once(2)
