"""Uncertain submits on the local service: its history lags, and proves what became of them."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.support.cli import KEY, run_batchgen, start_batchgen, summary, write_job

LAG = 1.5
# What the ledger says of submits whose answers were lost with the process.
_UNANSWERED = (
    "UPDATE variants SET state = 'submitting', prediction_id = NULL, submitted_at = NULL, "
    "created_at = NULL"
)


def _submitted(ledger: Path) -> Callable[[], bool]:
    def count() -> bool:
        if not ledger.exists():
            return False
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
            try:
                found = db.execute("SELECT count(*) FROM variants WHERE state = 'submitted'")
            except sqlite3.OperationalError:
                return False
            return bool(found.fetchone()[0] == 3)

    return count


def test_reconciling_waits_for_the_history_and_finds_every_submit_by_its_request(tmp_path: Path):
    dataset = tmp_path / "out" / "job"
    ledger = dataset / ".batchgen" / "ledger.sqlite3"
    home = tmp_path / "service"
    home.mkdir()
    options = ("--port", 0, "--latency", 2, "--history-lag", LAG, "--history-inputs")
    with start_batchgen("serve", *options, cwd=home) as service:
        said = home / "said" / "stdout"
        service.until(lambda: "local service on" in said.read_text())
        base = next(word for word in said.read_text().split() if word.startswith("http"))
        env = {"WAVESPEED_BASE_URL": base, "WAVESPEED_API_KEY": KEY}
        write_job(tmp_path / "job.yaml", ["a", "b", "c"], run={"timeouts": {"submit": 1}})
        with start_batchgen("run", "job.yaml", cwd=tmp_path, env=env) as running:
            running.until(_submitted(ledger))
            running.kill()
        with closing(sqlite3.connect(ledger)) as db, db:
            db.execute(_UNANSWERED)
        assert run_batchgen("run", "job.yaml", cwd=tmp_path, env=env).returncode == 5
        done = run_batchgen("reconcile", dataset, "--grace", 2, "--json", cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert (found["adopted"], found["absent"], found["strangers"]) == (3, 0, 0)
        assert run_batchgen("run", "job.yaml", cwd=tmp_path, env=env).returncode == 0
    assert summary(dataset)["images"] == 3
    assert summary(dataset)["submits"] == 0
