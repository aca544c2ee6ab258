"""Harm that no single mishap may do: to money, to files, to the truth of an exit code."""

import json
import re
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from batchgen.api.wire import format_time
from tests.support import cli
from tests.support.bench import Bench
from tests.support.cli import failures

GOOD, BAD = "a pear", "a plum [poll=failed]"


def test_one_gateway_page_does_not_lose_a_paid_prediction(bench: Bench):
    bench.job(["a pear [poll=page404x2]"])
    bench.service.hold(poll=0)
    with bench.start() as running:
        running.until_states(submitted=1)
        running.process.kill()
    bench.age_submits(600)
    bench.service.release()
    assert bench.run().returncode == 0
    bench.check_billed_once(1)


def test_one_answer_that_a_prediction_is_unknown_does_not_lose_it_either(bench: Bench):
    bench.job(["a pear [poll=404x2]"])
    bench.service.hold(poll=0)
    with bench.start() as running:
        running.until_states(submitted=1)
        running.process.kill()
    bench.age_submits(600)
    bench.service.release()
    assert bench.run().returncode == 0
    bench.check_billed_once(1)


def test_an_image_host_that_is_down_does_not_let_everything_be_bought(bench: Bench):
    bench.job([f"a pear {n} [image=500]" for n in range(60)], run={"concurrency": 2})
    done = bench.run()
    assert done.returncode == 4, done.stderr
    assert "could not be downloaded" in done.stderr
    assert bench.service.counts()["billed"] < 40


def test_a_withheld_image_does_not_cost_its_siblings(bench: Bench):
    bench.job(["a pear [outputs=gap]"], params={"num_images": 4})
    assert bench.run().returncode == 3
    assert [row["image_index"] for row in bench.rows()] == [0, 2, 3]
    (row,) = failures(bench.dataset)
    assert (row["state"], row["error_class"]) == ("saved", "missing_output")


def test_files_that_come_back_are_welcome_after_the_service_has_forgotten_them(bench: Bench):
    bench.job(4)
    assert bench.run().returncode == 0
    before = (bench.dataset / "manifest.jsonl").read_bytes()
    shutil.move(bench.dataset / "images", bench.folder / "elsewhere")
    bench.age_submits(8 * 86_400)
    long_ago = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    bench.edit_ledger("UPDATE variants SET created_at = ?", long_ago)
    bench.service.reset()  # it knows nothing of them any more
    assert bench.run().returncode == 3
    assert bench.states() == {"expired": 4}
    shutil.move(bench.folder / "elsewhere", bench.dataset / "images")
    assert bench.run().returncode == 0
    after = (bench.dataset / "manifest.jsonl").read_bytes()
    names = [json.loads(line)["file_name"] for line in before.splitlines()]
    assert [json.loads(line)["file_name"] for line in after.splitlines()] == names
    assert bench.service.counts()["billed"] == 0


def test_what_is_bought_again_and_turned_away_for_a_moment_is_on_its_way_once(bench: Bench):
    prompts = [f"a plum {n} [submit=400x1][submit=429x2]" for n in range(8)]
    bench.job(prompts, run={"concurrency": 4})
    assert bench.run().returncode == 3
    done = bench.run("--retry-failed")
    assert done.returncode == 0, done.stderr
    bench.check_billed_once(8)


def test_a_limit_ends_a_slow_run_at_once(bench: Bench):
    bench.job(20, run={"concurrency": 10, "rate": 1})
    began = time.monotonic()
    assert bench.run("--limit", 1, "--rate", 1).returncode == 4
    # Nine others had booked their minutes; waiting for them would take nine of these.
    assert time.monotonic() - began < 40
    assert bench.service.counts()["billed"] == 1


def test_a_reader_that_is_gone_does_not_change_the_exit_code(bench: Bench):
    bench.job([GOOD, BAD])
    environment = cli.environment(bench.folder, **bench.env)
    for command in (["run", "job.yaml"], ["verify", "out/job"]):
        with subprocess.Popen(
            [*cli.command(), *command],
            cwd=bench.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            process.stderr.close()
            code = process.wait(30)
        assert code == (3 if command[0] == "run" else 0)
    (bench.dataset / bench.image_files()[0]).unlink()
    with subprocess.Popen(
        [*cli.command(), "verify", "out/job"],
        cwd=bench.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(30) == 3


def test_a_stop_lets_no_submit_out_that_was_only_waiting(bench: Bench):
    """However many wait for their turn, those on their way are the only ones that still come."""
    bench.job(200, run={"concurrency": 100})
    bench.service.hold(submit=0)
    with bench.start() as running:
        running.until_counts(lambda c: c["held_submit"] == 12)
        running.process.signal(signal.SIGINT)
        running.process.until(lambda: "INT" in running.process.stderr)
        bench.service.release()
        assert running.process.wait(20) == 130
    assert bench.service.counts()["received"] == 12
    assert bench.states() == {"submitted": 12}


def test_a_service_that_never_finishes_is_not_paid_for_everything(bench: Bench):
    prompts = [f"a pear {n} [poll=processing]" for n in range(40)]
    bench.job(prompts, run={"concurrency": 4, "timeouts": {"prediction": 0.05}})
    done = bench.run()
    assert done.returncode == 4
    assert "it has not ended in time" in done.stderr.splitlines()[-1]
    assert bench.service.counts()["billed"] < 20


def test_a_limit_waits_for_submits_that_may_be_turned_away(bench: Bench):
    prompts = ["a pear [submit=429x1]", "a plum [submit=429x1]", *(f"a fig {n}" for n in range(6))]
    bench.job(prompts, run={"concurrency": 4})
    assert bench.run("--limit", 3).returncode == 4
    assert bench.service.counts()["billed"] == 3
    assert bench.run("--budget", 0.2).returncode == 4
    assert bench.service.counts()["billed"] == 5


@pytest.mark.parametrize("column", ["intent_at", "submitted_at"])
def test_a_clock_that_was_wrong_at_the_submit_does_not_call_it_absent(bench: Bench, column):
    bench.job(["a pear [submit=500x1]"])
    assert bench.run().returncode == 5
    bench.age(3_600)
    # One of the two clocks was ten minutes behind.
    (at,) = bench.ask_ledger(f"SELECT {column} FROM variants")[0]
    wrong = datetime.fromisoformat(at) - timedelta(minutes=10)
    bench.edit_ledger(f"UPDATE variants SET {column} = ?", format_time(wrong))
    bench.service.account(ago=3_600)
    assert bench.run().returncode == 0
    bench.check_billed_once(1)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a pear [submit=notjsn]", "[submit=notjsn]; did you mean notjson?"),
        ("a pear [pol=500x2]", "[pol=500]; did you mean poll?"),
    ],
)
def test_a_misspelt_word_ends_its_test_at_once(bench: Bench, text: str, hint: str):
    with pytest.raises(ValueError, match=re.escape(f"the service does not know {hint}")):
        bench.job(["a plum [image2=cutx1][storm=20]", {"text": text}])
