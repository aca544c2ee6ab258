"""Judging a run that was killed: nothing broken, nothing bought twice, the same dataset in the end.

A dataset is compared with that of a run that nobody disturbed. The two differ only in what the
service and the clock decide.
"""

import csv
import json
from pathlib import Path
from typing import Any

from tests.support import cli
from tests.support.bench import Bench

# Ids and times, and how often something had to be asked.
ACCIDENTAL = {
    *("prediction_id", "created_at", "submitted_at", "completed_at", "saved_at"),
    *("queue_ms", "total_ms", "polls", "attempts"),
}
Essence = dict[tuple[str, int], dict[str, Any]]
# Older than the seven and a half minutes that any default keeps the history waiting.
LONG_AGO = 600


def essence(dataset: Path) -> Essence:
    """The rows that matter, by variant and image; the table says the same as the lines."""
    found = {}
    for row in cli.rows(dataset):
        kept = {name: value for name, value in row.items() if name not in ACCIDENTAL}
        found[row["variant_key"], row["image_index"]] = kept
    with (dataset / "manifest.csv").open(newline="", encoding="utf-8") as file:
        table = [(r["variant_key"], int(r["image_index"])) for r in csv.DictReader(file)]
    assert table == list(found)
    return found


def check_after_kill(bench: Bench) -> None:
    """Everything under a final name is whole, whatever moment the run was killed in."""
    bench.check_files()
    if (bench.dataset / "summary.json").exists():
        cli.summary(bench.dataset)
    if (bench.dataset / "failures.jsonl").exists():
        cli.failures(bench.dataset)
    manifest = bench.dataset / "manifest.jsonl"
    whole = manifest.read_text("utf-8").split("\n")[:-1] if manifest.exists() else []
    for line in whole:
        assert (bench.dataset / json.loads(line)["file_name"]).is_file()
    if (bench.dataset / "metadata.jsonl").exists():
        for view in _view(bench.dataset):
            assert (bench.dataset / view["file_name"]).is_file()


def _view(dataset: Path) -> cli.Rows:
    text = (dataset / "metadata.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def finish(bench: Bench, variants: int) -> None:
    """Run on until everything is there; each variant was paid exactly once in the end."""
    unanswered = bench.states()["submitting"] + bench.states()["uncertain"]
    done = bench.run()
    found = cli.summary(bench.dataset)
    assert found["uncertain"] == unanswered, done.stderr
    assert (found["saved"], found["pending"]) == (variants - unanswered, 0), done.stderr
    assert done.returncode == (5 if unanswered else 0), done.stderr
    check_uncertain(bench)
    if unanswered:
        bench.age(LONG_AGO)
        bench.service.account(inputs=True, ago=LONG_AGO)
        done = bench.reconcile("--grace", 0)
        assert done.returncode == 0, done.stdout + done.stderr
        done = bench.run()
        assert done.returncode == 0, done.stderr
    assert cli.summary(bench.dataset)["saved"] == variants
    assert cli.failures(bench.dataset) == []
    bench.check_billed_once(variants)


def check_uncertain(bench: Bench) -> None:
    """Every paid prediction is in the ledger, or its variant is held as uncertain."""
    rows = bench.ask_ledger("SELECT prediction_id, state, request FROM variants")
    known = {prediction_id for prediction_id, _, _ in rows}
    held = [json.loads(request) for _, state, request in rows if state == "uncertain"]
    for order in bench.service.counts().orders:
        assert known.issuperset(order["ids"]) or order["request"] in held, (order, rows)


def check_like(bench: Bench, undisturbed: Essence) -> None:
    """The dataset is the one that an undisturbed run makes, with nothing beside it."""
    assert essence(bench.dataset) == undisturbed
    view = _view(bench.dataset)
    assert [(row["variant_key"], row["image_index"]) for row in view] == sorted(undisturbed)
    assert [row["sha256"] for row in view] == [
        undisturbed[at]["sha256"] for at in sorted(undisturbed)
    ]
    bench.check_whole(len(undisturbed))
    assert [path.name for path in bench.dataset.rglob(".*")] == [".batchgen"]
