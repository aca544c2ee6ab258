"""A ledger that is rebuilt more than once, beside an edited job, or from a manifest that lies."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchgen.errors import ExitCode
from batchgen.ledger.store import Ledger
from tests.run.care.test_verify import check, made, reach, run
from tests.run.claim.test_rebuild import lose, rewrite
from tests.support.bench import Bench
from tests.support.cli import failures, summary

__all__ = ["reach"]


def test_a_ledger_can_be_rebuilt_twice(bench: Bench):
    made(bench, 3)
    for _ in range(2):
        rewrite(bench, lambda data: data[: len(data) // 2])
        assert check(bench, repair=True)["rebuilt"] is not None
    assert run(bench) is ExitCode.OK
    bench.check_billed_once(3)


def test_a_rebuild_that_was_stopped_in_its_last_step_is_finished(bench: Bench):
    made(bench, 3)
    ledger = bench.dataset / ".batchgen" / "ledger.sqlite3"
    ledger.rename(ledger.with_name("rebuilt.sqlite3"))
    assert check(bench, repair=True)["rebuilt"] == 3
    assert run(bench) is ExitCode.OK
    bench.check_billed_once(3)


def test_a_rebuild_that_was_stopped_halfway_begins_anew(bench: Bench, monkeypatch):
    made(bench, 3)
    lose(bench)
    write, written = Ledger.write, 0

    async def write_one(ledger: Ledger, *record: Any) -> None:
        nonlocal written
        written += 1
        if written > 1:
            raise KeyboardInterrupt
        await write(ledger, *record)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", write_one)
        with pytest.raises(KeyboardInterrupt):
            check(bench, repair=True)
    assert check(bench, repair=True)["rebuilt"] == 3
    assert run(bench) is ExitCode.OK
    bench.check_billed_once(3)
    bench.check_whole(3)


def test_what_an_edited_job_no_longer_wants_is_not_counted_after_a_rebuild(bench: Bench):
    made(bench, 3)
    bench.job(2)
    assert run(bench) is ExitCode.OK
    lose(bench)
    assert check(bench, repair=True)["rebuilt"] == 3
    assert run(bench) is ExitCode.OK
    found = summary(bench.dataset)
    assert (found["planned"], found["saved"], found["pending"]) == (2, 2, 0)


def test_a_variant_that_came_short_is_still_short_after_a_rebuild(bench: Bench):
    bench.job(["a pear [outputs=fewer]"], params={"num_images": 3})
    assert run(bench) is ExitCode.PARTIAL
    lose(bench)
    check(bench, repair=True)
    assert run(bench) is ExitCode.PARTIAL
    (row,) = failures(bench.dataset)
    assert (row["error_class"], row["error"]) == ("missing_output", "2 of 3 images came")


def test_a_manifest_cannot_make_a_repair_touch_files_elsewhere(bench: Bench, tmp_path: Path):
    made(bench, 1)
    victim = tmp_path / "victim.png"
    victim.write_bytes(b"mine")
    manifest = bench.dataset / "manifest.jsonl"
    row = json.loads(manifest.read_text("utf-8"))
    lies = [str(victim), "../../victim.png", "images/../../../victim.png"]
    rows = [
        {**row, "file_name": name, "bytes": 4, "variant_key": f"k{n}"}
        for n, name in enumerate(lies)
    ]
    manifest.write_text("".join(json.dumps(r) + "\n" for r in [row, *rows]), "utf-8")
    lose(bench)
    check(bench, repair=True)
    assert victim.read_bytes() == b"mine"


def test_records_that_were_lost_are_held_also_for_a_later_form_of_the_job(bench: Bench):
    made(bench, 3)
    lose(bench)
    (bench.dataset / "manifest.jsonl").write_text("", "utf-8")
    check(bench, repair=True)
    bench.job(1)
    assert run(bench) is ExitCode.UNCERTAIN
    bench.job(3)
    assert run(bench) is ExitCode.UNCERTAIN
    bench.check_billed_once(3)
