"""What runs leave for those who look later: their history, the last success, metrics."""

import json
import re
from datetime import UTC, datetime

import pytest

from batchgen.dataset.folder import DatasetFolder
from batchgen.run.telling.history import past_runs
from tests.support.bench import Bench
from tests.support.cli import run_batchgen, summary


def metrics(bench: Bench) -> dict[str, float]:
    text = (bench.folder / "batchgen.prom").read_text("ascii")
    sample = r'batchgen_\w+\{([a-z]+="[^"]*",?)+\} \S+'
    assert re.fullmatch(rf"(# (HELP|TYPE) .*\n|{sample}\n)+", text)
    found = re.findall(
        r'^batchgen_(\w+)\{job="job",dataset="/[^"]*/out/job"(.*)\} (\S+)$', text, re.MULTILINE
    )
    return {name + more: float(value) for name, more, value in found}


def test_each_run_leaves_its_beginning_and_its_end(bench: Bench):
    bench.job(["a pear", "a plum", "a fig"])
    bench.service.hold(completion=1)
    with bench.start("--metrics", "batchgen.prom") as running:
        running.until_states(saved=1, submitted=2)
        (first,) = past_runs(DatasetFolder(bench.dataset))
        assert metrics(bench)["running"] == 1
        running.process.kill()
    assert not (bench.dataset / "last-success").exists()
    assert (first.exit_code, first.ended_at) == (None, None)
    bench.service.release()
    assert bench.run("--metrics", "batchgen.prom").returncode == 0
    _, second = past_runs(DatasetFolder(bench.dataset))
    assert (second.run, second.word, second.images_made) == (summary(bench.dataset)["run"], "ok", 2)
    assert second.spent_usd == 0, "all of it was spent by the run that was killed"
    assert (bench.dataset / "last-success").read_text() == f"{second.ended_at}\n"
    found = metrics(bench)
    assert (found["running"], found["exit_code"], found["images"], found["spent_usd"]) == (
        0, 0, 3, 0.12,
    )  # fmt: skip
    assert (found['variants,state="saved"'], found['variants,state="pending"']) == (3, 0)
    ended = datetime.fromisoformat(str(second.ended_at)).timestamp()
    assert found["last_success_timestamp_seconds"] == pytest.approx(ended, abs=0.01)
    listed = run_batchgen("status", bench.dataset, "--runs", cwd=bench.folder)
    one, two = listed.stdout.splitlines()
    assert one.endswith(f"{first.run}  no end: it runs, or was killed")
    assert re.fullmatch(rf"20[-0-9]+ [:0-9]+  {second.run}  ok \(0\), 2 images, \d+ s", two)
    told = run_batchgen("status", bench.dataset, "--runs", "--json", cwd=bench.folder).stdout
    assert [json.loads(line)["exit_code"] for line in told.splitlines()] == [None, 0]


def test_a_run_that_did_not_finish_leaves_the_last_success_as_it_was(bench: Bench):
    bench.job(1)
    assert bench.run().returncode == 0
    before = (bench.dataset / "last-success").read_text()
    bench.job(["plain prompt 0", "a plum [submit=400]"])
    assert bench.run().returncode == 3
    assert (bench.dataset / "last-success").read_text() == before
    assert datetime.fromisoformat(before.strip()) <= datetime.now(UTC)


def test_lines_that_are_none_of_ours_are_left_out(tmp_path):
    folder = DatasetFolder(tmp_path)
    folder.state.mkdir()
    assert list(past_runs(folder)) == []
    begun = '{"run": "a", "started_at": "2026-01-01T00:00:00Z"}\n'
    odd = '{"run": "a", "images_made": "many", "exit_code": 3}\n{"run": ["a"]}\n'
    folder.runs.write_text(f'{{\n7\n[]\n{{"run": "b", "exit_code": 0}}\n{begun}{odd}{begun[:20]}')
    (run,) = past_runs(folder)
    assert (run.run, run.images_made, run.exit_code) == ("a", None, 3)


def test_metrics_that_cannot_be_written_end_nothing(bench: Bench):
    bench.job(1)
    done = bench.run("--metrics", "no/folder/batchgen.prom")
    assert done.returncode == 0
    assert done.stderr.count("warning: no metrics: cannot write no/folder/batchgen.prom") == 1
