"""The mark by which a run knows the manifest of the last one: never there for a row without it."""

import json
import os
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.cli import run_batchgen

FILES = ("manifest.jsonl", "manifest.csv")


def _mark(bench: Bench) -> object:
    found = bench.ask_ledger("SELECT value FROM meta WHERE name = 'manifest'")
    return json.loads(found[0][0]) if found else None


def _contents(bench: Bench) -> list[bytes]:
    return [(bench.dataset / name).read_bytes() for name in FILES]


def _edit(path: Path) -> None:
    """Another content of the same size, with the old time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-30, os.SEEK_END)
        file.write(b"edited")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_manifest_that_nobody_touched_is_not_made_again(bench: Bench):
    bench.job(3)
    assert bench.run().returncode == 0
    mark, right = _mark(bench), _contents(bench)
    assert mark
    # What the ledger says now would be another row; only a run that reads it all could know.
    bench.edit_ledger("UPDATE variants SET polls = 99")
    assert bench.run().returncode == 0
    assert (_mark(bench), _contents(bench)) == (mark, right)
    bench.job(4)
    assert bench.run().returncode == 0
    assert all(m.startswith(old) for m, old in zip(_contents(bench), right, strict=True))
    assert len(_contents(bench)[0].splitlines()) == 4


@pytest.mark.parametrize("name", FILES)
def test_an_edit_after_a_clean_end_is_mended(bench: Bench, name: str):
    bench.job(2)
    assert bench.run().returncode == 0
    right = _contents(bench)
    _edit(bench.dataset / name)
    assert _contents(bench) != right
    assert bench.run().returncode == 0
    assert _contents(bench) == right


def test_a_run_that_is_killed_leaves_no_mark(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    assert _mark(bench)
    bench.job(3)
    bench.service.hold(completion=0)
    with bench.start() as running:
        running.until_states(saved=2, submitted=1)
        assert _mark(bench) is None
        running.process.kill()
    bench.service.release()
    assert _mark(bench) is None
    _edit(bench.dataset / FILES[0])
    assert bench.run().returncode == 0
    bench.check_whole(3)
    assert _mark(bench)


def test_a_lost_file_is_no_row_of_a_manifest_that_was_marked(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    (bench.dataset / bench.image_files()[0]).unlink()
    bench.service.reset()
    bench.age_submits(seconds=61)
    assert bench.run().returncode == 3
    assert len(bench.image_files()) == len(_contents(bench)[0].splitlines()) == 1


def test_a_repair_leaves_no_mark(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    done = run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env)
    assert done.returncode == 0, done.stderr
    assert _mark(bench) is None
