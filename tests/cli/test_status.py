"""The status of a dataset, asked from another terminal while its run goes on."""

import json
import subprocess
import sys

from tests.support.bench import Bench
from tests.support.cli import run_batchgen, start_batchgen


def test_status_names_what_is_on_its_way_and_watches_to_the_end(bench: Bench):
    bench.job(4, run={"concurrency": 4, "rate": 600})
    bench.service.hold(completion=2)
    with bench.start() as running:
        running.until_states(saved=2, submitted=2)
        words = run_batchgen("status", bench.dataset, "--slots", cwd=bench.folder).stdout
        quick = {"batchgen.cli.status.LOOK_EVERY": 0.05}
        watching = ("status", bench.dataset, "--watch", "--json")
        with start_batchgen(*watching, cwd=bench.folder, patch=quick, said_in="w") as watch:
            out = bench.folder / "w" / "stdout"
            watch.until(lambda: out.read_text().count("\n") > 2)
            bench.service.release()
            assert running.process.wait() == 0
            assert watch.wait() == 0
            looks = [json.loads(line) for line in out.read_text().splitlines()]
    assert "running\n" in words
    assert " of 600 images a minute" in words
    assert "$0.160" in words
    assert "in flight 2; the oldest prediction " in words
    assert len([line for line in words.splitlines() if line.startswith("  prediction ")]) == 2
    (one, two), ids = looks[0]["in_flight"], {row["prediction_id"] for row in bench.rows()}
    assert {one["prediction_id"], two["prediction_id"]} < ids
    assert one["seconds"] >= two["seconds"] >= 0
    assert (looks[0]["rate_limit"], looks[0]["projected_usd"]) == (600, 0.16)
    assert looks[0]["running"]
    assert (looks[-1]["running"], looks[-1]["saved"], looks[-1]["in_flight"]) == (False, 4, [])


def test_watching_what_does_not_run_looks_once(bench: Bench):
    bench.job(1)
    assert bench.run().returncode == 0
    done = run_batchgen("status", bench.dataset, "--watch", cwd=bench.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["", "job       job, not running"]


def test_of_a_damaged_ledger_it_is_said_what_to_do(bench: Bench):
    path = bench.job(1)
    state = bench.dataset / ".batchgen"
    state.mkdir(parents=True, mode=0o700)
    (state / "ledger.sqlite3").write_bytes(b"no ledger" * 1000)
    for command in (("status", bench.dataset), ("plan", path)):
        done = run_batchgen(*command, cwd=bench.folder)
        assert (done.returncode, done.stdout) == (7, "")
        assert done.stderr.endswith(f". Rebuild it:  batchgen verify {bench.dataset} --repair\n")


def test_status_starts_without_what_reads_job_files():
    asked = "import sys, batchgen.run.care.standing; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
