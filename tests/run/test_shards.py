"""One dataset made in shards, end to end: as if it were made at once, and nothing bought again."""

import asyncio
import json
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from batchgen.api.wire import format_time
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.reading import open_dataset
from batchgen.errors import ExitCode, LockedError, UsageError
from batchgen.job.load import load_job
from batchgen.ledger.divided import read_ledger
from batchgen.ledger.entry import State
from batchgen.ledger.lock import locked
from batchgen.ledger.parts import Shard, ledger_of, part_of
from batchgen.run.care.merging import merge_dataset
from batchgen.run.care.standing import standing
from batchgen.run.claim.parting import claim_parts, clear_all, clear_parts
from batchgen.run.making import run_job
from batchgen.run.telling.accounts import Outcome
from batchgen.run.terms.options import RunOptions
from batchgen.text import counted
from tests.support import cli
from tests.support.bench import QUICK, Bench

# What differs from one making to the next.
_OF_ITS_TIME = {"prediction_id", "created_at", "submitted_at", "completed_at", "saved_at"}
_OF_ITS_PACE = {"queue_ms", "inference_ms", "total_ms", "polls", "attempts"}


@pytest.fixture(autouse=True)
def here(bench: Bench, monkeypatch):
    """This process asks the service of the bench, too."""
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)
    for name, pause in QUICK.items():
        monkeypatch.setattr(name, pause)
    monkeypatch.setenv("HOME", str(bench.folder))


def make(bench: Bench, *shards: str | None, **options: object) -> list[Outcome]:
    """Run the shards of the job at once, in this process; None stands for the whole."""

    async def all_of_them() -> list[Outcome]:
        job = load_job(bench.folder / "job.yaml")
        runs = (run_job(job, RunOptions(shard=s, **options)) for s in shards)  # type: ignore[arg-type]
        return await asyncio.gather(*runs)

    return asyncio.run(all_of_them())


def content(bench: Bench) -> list[list[tuple[str, object]]]:
    """The rows of the dataset, checked against their files, without what its making left."""
    left_out = _OF_ITS_TIME | _OF_ITS_PACE
    return sorted(
        [(name, value) for name, value in sorted(row.items()) if name not in left_out]
        for row in bench.rows()
    )  # fmt: skip


def test_three_processes_make_what_one_would_and_five_find_nothing_to_do(bench: Bench):
    bench.job(24, matrix={"seed": [1, 2]}, run={"concurrency": 6})
    make(bench, None)
    at_once = content(bench)
    shutil.rmtree(bench.dataset)
    bench.service.reset()

    bench.service.hold(submit=0)  # so that all three are there before the first is done
    with ExitStack() as stack:
        shards = [_start(bench, stack, f"{index}/3") for index in range(3)]
        for shard in shards:
            shard.until(lambda: bench.service.counts()["held_submit"] == 6)
        bench.service.release()
        assert [shard.wait() for shard in shards] == [0, 0, 0], "".join(s.stderr for s in shards)
    # The last one has put everything together.
    assert content(bench) == at_once
    bench.check_billed_once(48)
    bench.check_whole(48)
    found = cli.summary(bench.dataset)
    assert (found["planned"], found["saved"], found["class"]) == (48, 48, "ok")

    before = bench.service.counts().requests
    outcomes = make(bench, *(f"{index}/5" for index in range(5)))
    assert [outcome.exit_code for outcome in outcomes] == [ExitCode.OK] * 5
    assert sum(outcome.counts.saved for outcome in outcomes) == 48
    assert make(bench, None)[0].counts.saved == 48
    assert bench.service.counts().requests == before


def _start(bench: Bench, stack: ExitStack, shard: str) -> cli.Running:
    """A process for the shard; what it says goes to a folder of its own."""
    cwd = bench.folder / shard.replace("/", "of")
    cwd.mkdir()
    job = bench.folder / "job.yaml"
    options = {"cwd": cwd, "env": bench.env, "patch": QUICK}
    return stack.enter_context(cli.start_batchgen("run", job, "--shard", shard, **options))  # type: ignore[arg-type]


def test_a_dataset_begun_at_once_goes_on_in_shards_and_back(bench: Bench):
    bench.job(30)
    assert make(bench, None, limit=10)[0].exit_code == ExitCode.INCOMPLETE
    assert make(bench, "1/2", limit=8)[0].submits == 4  # a half of what is allowed to all
    assert standing(bench.dataset).counts.saved == 14
    # The manifest has what was put together, and is brought up to date when all is owned at once.
    assert len(bench.rows()) == 10
    assert merge_dataset(bench.dataset).exit_code == ExitCode.INCOMPLETE
    assert len(bench.rows()) == 14
    merged = cli.summary(bench.dataset)
    assert [merged[name] for name in ("saved", "submits", "polls", "retries")] == [14, *[None] * 3]
    assert make(bench, None)[0].exit_code == ExitCode.OK
    bench.check_billed_once(30)
    bench.check_whole(30)


def test_before_they_are_put_together_the_rows_are_with_their_parts(bench: Bench):
    bench.job(20)
    made = make(bench, "0/2")[0].images
    rows = list(open_dataset(bench.dataset))
    assert len(rows) == made > 0
    assert all((bench.dataset / str(row["file_name"])).is_file() for row in rows)
    files = (bench.dataset / ".batchgen" / "ledgers").glob("*.jsonl")
    for file in files:
        parts = {part_of(json.loads(line)["variant_key"]) for line in file.read_text().splitlines()}
        assert parts <= {int(file.stem)}
    assert not (bench.dataset / "summary.json").exists()


def test_a_shard_that_was_killed_is_taken_up_by_another_choice_of_parts(bench: Bench):
    bench.job(40, run={"concurrency": 8})
    bench.service.hold(submit=3, completion=0)
    with ExitStack() as stack:
        shard = _start(bench, stack, "0/2")
        shard.until(lambda: bench.service.counts()["held_submit"] == 1)
        shard.until(lambda: states(bench)[State.SUBMITTED] == 3)
        shard.kill()
    bench.service.release()
    outcomes = make(bench, "0/3", "1/3", "2/3")
    # What was not answered was paid, and is held: no choice of parts buys it again.
    held = sum(outcome.counts.uncertain for outcome in outcomes)
    assert held == 1
    assert sum(outcome.counts.saved for outcome in outcomes) == 39
    bench.check_billed_once(40)
    _age_uncertain(bench, 600)
    bench.service.account(ago=600)
    assert make(bench, None)[0].exit_code == ExitCode.OK
    bench.check_billed_once(40)
    bench.check_whole(40)


def states(bench: Bench) -> Counter[State]:
    """How many variants are in each state, in all parts."""
    folder = DatasetFolder(bench.dataset)
    with read_ledger(folder.ledger, folder.ledgers) as ledger:
        return ledger.counts()


def _age_uncertain(bench: Bench, seconds: float) -> None:
    """Let the uncertain submit have been so much longer ago."""
    folder = DatasetFolder(bench.dataset)
    with read_ledger(folder.ledger, folder.ledgers) as ledger:
        (entry,) = ledger.entries(State.UNCERTAIN)
    for column in ("intent_at", "submitted_at"):
        past = datetime.fromisoformat(getattr(entry, column)) - timedelta(seconds=seconds)
        with closing(sqlite3.connect(ledger_of(folder.ledgers, part_of(entry.key)))) as db, db:
            sql = f"UPDATE variants SET {column} = ? WHERE key = ?"
            db.execute(sql, (format_time(past), entry.key))


def test_uncertain_submits_are_settled_only_when_all_parts_are_owned(bench: Bench):
    bench.job(["plain", "[submit=reset]", *(f"more {n}" for n in range(6))])
    outcomes = make(bench, "0/2", "1/2")
    assert sum(outcome.counts.uncertain for outcome in outcomes) == 1
    histories = bench.service.counts()["histories"]
    make(bench, "0/2", "1/2")
    assert bench.service.counts()["histories"] == histories
    assert cli.failures(bench.dataset)[0]["state"] == "uncertain"
    assert cli.summary(bench.dataset)["class"] == "uncertain"


def test_a_run_of_the_whole_and_runs_of_shards_keep_each_other_away(bench: Bench, monkeypatch):
    monkeypatch.setattr("batchgen.run.claim.parting.SHORTLY", 0.05)
    monkeypatch.setattr("batchgen.run.claim.parting._LOOK", 0.05)
    bench.job(3)
    folder = DatasetFolder(bench.dataset)
    folder.prepare()
    with ExitStack() as owned:
        owned.enter_context(locked(folder.lock))
        with pytest.raises(LockedError, match=r"the dataset .*out/job is in use by process"):
            make(bench, "0/2")
    with ExitStack() as owned:
        asyncio.run(_claim(folder, owned))
        with pytest.raises(LockedError):
            make(bench, None)
        with pytest.raises(LockedError):
            merge_dataset(bench.dataset)
        with pytest.raises(LockedError, match=r"the dataset .*out/job is in use by process"):
            make(bench, "2/3")  # which has parts of 0/2
        assert standing(bench.dataset).running
    assert bench.service.counts().requests == 0


async def _claim(folder: DatasetFolder, stack: ExitStack) -> None:
    await claim_parts(folder, Shard(0, 2), stack)


def test_unfinished_downloads_are_thrown_away_and_nothing_else(tmp_path: Path):
    folder = DatasetFolder(tmp_path / "out")
    folder.prepare()
    half = folder.state / ".latency.json.new"
    for path in (folder.parts / "a_0", folder.parts / "a_1", folder.lock, half):
        path.write_text("x")
    clear_parts(folder)
    assert list(folder.parts.iterdir()) == []
    assert half.exists()  # of another shard, perhaps
    clear_all(folder)
    assert not half.exists()
    assert folder.lock.exists()


def test_downloads_that_another_shard_has_not_finished_are_left_alone(bench: Bench):
    bench.job(2)
    make(bench, "0/2")
    parts = bench.dataset / ".batchgen" / "parts"
    own, other = parts / "00aa_0", parts / "04aa_0"
    own.touch()
    other.touch()
    make(bench, "0/2")
    assert list(parts.iterdir()) == [other]


def test_the_budget_is_one_for_all_shards(bench: Bench):
    bench.job(20)
    outcomes = make(bench, "0/2", "1/2", budget=0.2)  # five images at $0.038
    assert {outcome.exit_code for outcome in outcomes} == {ExitCode.INCOMPLETE}
    assert bench.service.counts()["billed"] == 4  # two with each half of it
    make(bench, None, budget=0.2)
    assert bench.service.counts()["billed"] == 5


def test_an_edited_job_is_told_to_every_part_once_a_run_has_it(bench: Bench):
    bench.job(12)
    make(bench, "0/2", "1/2")
    bench.job(6)
    outcome = make(bench, "0/2")[0]
    assert outcome.counts.planned == outcome.counts.saved < 6
    assert make(bench, None)[0].counts.planned == 6
    assert bench.service.counts()["billed"] == 12


@pytest.mark.parametrize("merged", [False, True])
def test_a_damaged_part_is_made_anew_and_only_what_it_may_have_lost_is_held(bench: Bench, merged):
    bench.job(20)
    make(bench, *(["0/2", "1/2"] if merged else ["0/2"]))
    files = (ledger_of(bench.dataset / ".batchgen" / "ledgers", part) for part in range(0, 64, 2))
    damaged = next(f for f in files if f.with_suffix(".jsonl").read_bytes())
    lost = len(damaged.with_suffix(".jsonl").read_bytes().splitlines())
    damaged.write_bytes(b"no ledger")
    assert bench.run("--shard", "0/2").returncode == ExitCode.STORAGE
    done = cli.run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env)
    assert f"rebuilt   a ledger of {counted(lost, 'variant')}\n" in done.stdout, done.stderr
    anew = "the ledger was made anew and knows only what there is; a run tells it of its job"
    status = cli.run_batchgen("status", bench.dataset, "--json", cwd=bench.folder)
    assert json.loads(status.stdout)["caveat"] == anew
    merging = cli.run_batchgen("merge", bench.dataset, cwd=bench.folder)
    assert (merging.returncode, "was made anew" in merging.stderr) == (ExitCode.USAGE, True)
    outcome = make(bench, None)[0]
    assert outcome.exit_code == ExitCode.OK, outcome.why
    bench.check_billed_once(20)
    bench.check_whole(20)


def test_a_shard_says_what_it_made_and_merge_what_there_is(bench: Bench):
    bench.job(10)
    shard = bench.run("--shard", "0/2")
    made = shard.stdout.count
    assert made("shard     0/2") == 1, shard.stdout
    merged = cli.run_batchgen("merge", bench.dataset, cwd=bench.folder)
    assert merged.returncode == ExitCode.INCOMPLETE
    assert "of 10 saved" in merged.stdout
    assert "this run" not in merged.stdout
    nothing = cli.run_batchgen("merge", bench.folder, cwd=bench.folder)
    assert (nothing.returncode, "no ledger" in nothing.stderr) == (ExitCode.USAGE, True)


def test_shards_of_the_embedded_service_are_refused_before_anything_is_written(bench: Bench):
    bench.job(2, service="local")
    with pytest.raises(UsageError, match="one service for all: start batchgen serve"):
        make(bench, "0/2")
    assert not bench.dataset.exists()


def test_a_shard_that_is_stopped_says_so(bench: Bench):
    bench.job(12)
    bench.service.hold(completion=0)
    with ExitStack() as stack:
        shard = _start(bench, stack, "0/2")
        shard.until(lambda: bench.service.counts()["billed"] > 0)
        shard.signal(signal.SIGTERM)
        assert shard.wait() == ExitCode.TERMINATED
    bench.service.release()
    make(bench, "0/2", "1/2")
    bench.check_billed_once(12)
    bench.check_whole(12)


def test_shards_treat_images_as_their_job_says(bench: Bench):
    bench.job(
        ["a pear", "a plum [nsfw=true]"], output={"nsfw": "quarantine", "exports": ["webdataset"]}
    )
    make(bench, "0/2", "1/2")
    tops = {row["prompt"]: str(row["file_name"]).split("/")[0] for row in bench.rows()}
    assert tops == {"a pear": "images", "a plum [nsfw=true]": "nsfw"}
    assert list(bench.dataset.parent.rglob("*.tar")), "the last one kept the export, too"


def test_shards_that_ran_with_different_jobs_are_not_put_together(bench: Bench):
    bench.job([f"a pear {n}" for n in range(8)])
    make(bench, "0/2", "1/2")
    bench.job([f"a plum {n}" for n in range(8)])
    make(bench, "0/2")
    assert cli.summary(bench.dataset)["images"] == 8  # the one of the earlier form
    found = standing(bench.dataset)
    counts = found.counts
    assert (counts.planned, counts.pending) == (counts.saved, 0)  # each by its own form
    assert "different forms of the job" in found.caveat
    with pytest.raises(UsageError, match="last ran with different forms of the job"):
        merge_dataset(bench.dataset)
    make(bench, "1/2")
    assert merge_dataset(bench.dataset).counts.saved == 8


def test_the_parts_of_shards_with_a_smaller_job_are_not_counted_by_it(bench: Bench):
    bench.job(2, matrix={"seed": "0..9"})
    make(bench, "0/2", "1/2")
    bench.job(2, matrix={"seed": "0..1"})
    theirs = make(bench, "0/2")[0].counts.planned
    found = standing(bench.dataset)
    assert found.counts.pending == 0
    assert found.counts.planned == found.counts.saved > 4 > theirs
    assert found.images_planned == found.images - found.images_unwanted


def test_a_merge_after_a_choice_says_that_it_counts_the_choice(bench: Bench):
    path = bench.job(2, matrix={"seed": [1, 2]})
    chosen = load_job(path, only=["seed=1"])
    asyncio.run(run_job(chosen, RunOptions()))
    found = merge_dataset(bench.dataset)
    assert (found.exit_code, found.counts.planned, found.only) == (ExitCode.OK, 2, ("seed=1",))
    assert found.sentence() == "ok: every one of 2 chosen variants has its images"
    assert cli.summary(bench.dataset)["only"] == ["seed=1"]
    assert standing(bench.dataset).only == ("seed=1",)
    make(bench, None)
    assert standing(bench.dataset).only == ()
    assert merge_dataset(bench.dataset).sentence() == "ok: every one of 4 variants has its images"


def test_a_ledger_that_knows_no_job_counts_what_it_has_and_is_not_merged(bench: Bench):
    bench.job(2)
    make(bench, None)
    bench.edit_ledger("DELETE FROM meta WHERE name IN ('planned', 'images_planned')")
    found = standing(bench.dataset)
    assert (found.counts.planned, found.counts.pending, found.images_planned) == (2, 0, 2)
    assert "a run tells it" in found.caveat
    with pytest.raises(UsageError, match="does not know what its job asks for; run the job"):
        merge_dataset(bench.dataset)
