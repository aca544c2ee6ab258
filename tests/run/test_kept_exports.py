"""Exports that a job keeps: made when a run ends, whole whenever it is killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dataset.exports.test_export import FORMS, contents
from tests.dataset.made import make_dataset, row
from tests.support import cli
from tests.support.bench import Bench


def kept(bench: Bench) -> Path:
    return bench.dataset.with_name("job-webdataset")


def test_an_export_is_brought_up_to_date_when_a_run_ends(bench: Bench):
    bench.job(2, output={"exports": ["webdataset"]})
    assert bench.run().returncode == 0
    before = contents(kept(bench))
    assert len(before["png-000000.jsonl"].splitlines()) == 2
    for name in before:
        (kept(bench) / name).touch()
    times = {path: path.stat().st_mtime_ns for path in kept(bench).iterdir()}
    assert bench.run().returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept(bench).iterdir()} == times
    bench.job(3, output={"exports": ["webdataset"]})
    assert bench.run().returncode == 0
    assert len(contents(kept(bench))["png-000000.jsonl"].splitlines()) == 3


def test_kept_exports_say_how_their_pictures_were_made_when_asked(bench: Bench):
    bench.job(1, output={"exports": ["huggingface"]})
    assert bench.run().returncode == 0
    (image,) = (bench.dataset.with_name("job-huggingface") / "images").rglob("*.png")
    assert b"trainedAlgorithmicMedia" not in image.read_bytes()
    bench.job(1, output={"exports": ["huggingface"], "embed": True})
    assert bench.run().returncode == 0
    assert b"trainedAlgorithmicMedia" in image.read_bytes()
    bench.check_whole(1)  # its own image is as it was served


def test_what_is_in_its_place_is_said_before_anything_is_sent(bench: Bench):
    bench.job(1, output={"exports": ["webdataset"]})
    kept(bench).mkdir(parents=True)
    (kept(bench) / "mine.txt").touch()
    done = bench.run()
    assert done.returncode == 2
    assert "holds files that no export has made" in done.stderr
    assert bench.service.counts()["received"] == 0


def test_an_export_that_fails_is_in_the_exit_code_and_the_images_are_safe(bench: Bench):
    bench.job(1, output={"exports": ["webdataset"]})
    assert bench.run().returncode == 0
    bench.job(2, output={"exports": ["webdataset"]})
    # A folder in the place of the new list is in the way also of root.
    (kept(bench) / ".export.json.new").mkdir()
    done = bench.run()
    assert done.returncode == 7, done.stderr
    assert cli.summary(bench.dataset)["class"] == "storage"
    (kept(bench) / ".export.json.new").rmdir()
    bench.check_whole(2)
    assert bench.run().returncode == 0
    assert len(contents(kept(bench))["png-000000.jsonl"].splitlines()) == 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("point", [2, 5, 9, 14])
def test_an_export_killed_at_a_durable_step_goes_on_where_it_was(tmp_path, form, point):
    folder = make_dataset(tmp_path / "kit", [row(n) for n in range(9)])
    command = ["export", str(folder.root), "--to", form, "--shard-images", "3"]
    assert cli.run_batchgen(*command, "--out", tmp_path / "whole", cwd=tmp_path).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.crashing", str(point), "--", *command],
        cwd=tmp_path,
        env=cli.environment(tmp_path),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    out = folder.root.with_name(f"kit-{form}")
    whole = contents(tmp_path / "whole")
    if (out / "export.json").exists():
        for shard in json.loads((out / "export.json").read_bytes())["shards"]:
            assert (out / shard["file"]).read_bytes() == whole[shard["file"]]
    assert cli.run_batchgen(*command, cwd=tmp_path).returncode == 0
    assert contents(out) == whole
