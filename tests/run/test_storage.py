"""A disk that is full or cannot be written: the run stops, says so, and loses no paid id."""

import re
import shutil
import stat
import subprocess
import sys

import pytest

from tests.support import cli
from tests.support.bench import Bench

# For the length of the command, no file of its process can grow beyond the size given. As on a
# full disk, writes fail; what is smaller can be written still.
LIMITED = """
import resource, sys
sys.dont_write_bytecode = True
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), hard))
import batchgen.api.retry, batchgen.cli
batchgen.api.retry.BACKOFF_BASE = 0.001
try:
    batchgen.cli.main()
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
"""


def run_on_full_disk(bench: Bench, size: int) -> cli.Done:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), "run", "job.yaml"],
        cwd=bench.folder,
        env=cli.environment(bench.folder, **bench.env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("size", [0, 1_000, 20_000, 120_000])
def test_a_full_disk_ends_the_run_and_the_next_one_buys_nothing_again(bench: Bench, size):
    bench.job(30, run={"concurrency": 8})
    done = run_on_full_disk(bench, size)
    assert done.returncode == 7, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("batchgen: storage: cannot ")
    again = bench.run()
    assert again.returncode in (0, 5), again.stderr
    found = cli.summary(bench.dataset)
    assert (found["saved"] + found["uncertain"], found["pending"]) == (30, 0)
    bench.check_billed_once(30)
    bench.check_whole(found["saved"])


def test_paid_ids_that_could_not_be_stored_are_printed_with_their_variants(bench: Bench):
    bench.job(30, run={"concurrency": 8})
    printed: dict[str, str] = {}
    # Whether a full disk meets an accepted submit, or only an intent, depends on its very size.
    for size in range(90_000, 250_000, 8_000):
        done = run_on_full_disk(bench, size)
        printed = dict(re.findall(r"variant (\w+) is prediction (\w+)", done.stderr))
        assert set(printed.values()) <= bench.service.counts().ids
        assert bench.run().returncode == (5 if printed else 0)
        assert {r["variant_key"] for r in cli.failures(bench.dataset)} <= printed.keys()
        if printed:
            break
        shutil.rmtree(bench.dataset)
    assert printed


def test_what_was_saved_before_the_disk_was_full_is_whole(bench: Bench):
    bench.job(3)
    assert bench.run().returncode == 0
    bench.job(30, run={"concurrency": 4})
    assert run_on_full_disk(bench, 50_000).returncode == 7
    bench.check_files()
    assert bench.run().returncode in (0, 5)
    bench.check_billed_once(30)


@pytest.mark.parametrize("name", ["manifest.jsonl", "manifest.csv", ".batchgen/ledger.sqlite3"])
def test_a_folder_in_the_place_of_a_file_stops_the_run_before_it_submits(bench: Bench, name):
    bench.job(2)
    (bench.dataset / name).mkdir(parents=True)
    done = bench.run()
    assert done.returncode == 7
    (line,) = done.stderr.splitlines()
    assert line.startswith("batchgen: storage: cannot ")
    assert bench.service.counts().requests == 0
    (bench.dataset / name).rmdir()
    assert bench.run().returncode == 0
    bench.check_whole(2)


@pytest.mark.parametrize("name", ["", ".batchgen", ".batchgen/parts", ".."])
def test_a_file_in_the_place_of_a_folder_is_a_mistake_of_usage(bench: Bench, name):
    bench.job(2)
    path = bench.dataset.parent if name == ".." else bench.dataset / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"mine")
    done = bench.run()
    assert done.returncode == 2
    assert "expected a folder at" in done.stderr
    assert path.read_bytes() == b"mine"
    assert bench.service.counts().requests == 0


def test_a_file_in_the_place_of_the_image_folder_stops_the_run_before_it_submits(bench: Bench):
    bench.job(2)
    bench.dataset.mkdir(parents=True)
    (bench.dataset / "images").write_bytes(b"mine")
    assert bench.run().returncode == 7
    assert bench.service.counts().requests == 0
    assert (bench.dataset / "images").read_bytes() == b"mine"
    (bench.dataset / "images").unlink()
    assert bench.run().returncode == 0
    bench.check_whole(2)


def test_only_the_owner_may_look_into_the_state_of_a_dataset(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    state = bench.dataset / ".batchgen"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "lock").stat().st_mode) == 0o600
    for path in bench.dataset.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o022, path
