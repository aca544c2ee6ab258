"""A run that costs much needs a yes: on a terminal, as an option, or as a budget."""

import os
import pty

import pytest

from batchgen.job.load import Pace, load_job
from batchgen.run.plan.approval import ASK_OVER, asks
from tests.support import bench as benches
from tests.support.bench import Bench
from tests.support.cli import code, environment, run_batchgen, write_job
from tests.support.forker import fork

# Three images of the default model are over it, two are not.
CHEAP = {**benches.QUICK, "batchgen.run.plan.approval.ASK_OVER": 0.1}


@pytest.fixture
def pace(tmp_path) -> Pace:
    return load_job(write_job(tmp_path / "job.yaml", ["a pear"])).pace


@pytest.mark.parametrize(
    ("images", "micros", "asked"),
    [
        (1_250, 50_000_000, False),
        (1_251, 50_040_000, True),
        (1_000_000, 0, False),
        (50, None, False),
        (51, None, True),
    ],
)
def test_what_is_asked_about(pace: Pace, images: int, micros: int | None, asked: bool):
    assert asks(pace, images, micros) is asked


def test_the_help_names_the_sum(tmp_path):
    assert f"more than ${ASK_OVER} without being asked" in run_batchgen(
        "run", "--help", cwd=tmp_path
    ).stdout.replace("\n", " ")


def test_without_a_terminal_nothing_is_sent_until_somebody_said_yes(bench: Bench):
    bench.job(4)
    done = bench.run(patch=CHEAP)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "batchgen: usage: this run may cost $0.160 for 4 images, more than $0.1; say --yes, or how "
        "much the dataset may cost with run.budget or --budget"
    )
    assert bench.service.counts()["received"] == 0
    # So many may be sent for less; and what is left is looked at, not what there was.
    assert bench.run("--limit", 2, patch=CHEAP).returncode == 4
    assert bench.run(patch=CHEAP).returncode == 0
    bench.check_billed_once(4)


@pytest.mark.parametrize("said", [("--yes",), ("--budget", 1)])
def test_a_yes_and_a_budget_are_both_enough(bench: Bench, said):
    bench.job(3)
    assert bench.run(*said, patch=CHEAP).returncode == 0
    bench.check_billed_once(3)
    assert bench.run(patch=CHEAP).returncode == 0


def test_what_is_bought_again_counts_too(bench: Bench):
    bench.job([f"a pear {number} [submit=400]" for number in range(3)])
    assert bench.run("--yes", patch=CHEAP).returncode == 3
    assert bench.run(patch=CHEAP).returncode == 3
    assert bench.run("--retry-failed", patch=CHEAP).returncode == 2
    assert bench.service.counts()["received"] == 3


def test_what_is_paid_is_collected_before_the_question(bench: Bench):
    bench.job(2)
    bench.service.hold(completion=0)
    with bench.start() as running:
        running.until_states(submitted=2)
        running.process.kill()
    bench.service.release()
    bench.job(6)
    done = bench.run(patch=CHEAP)
    assert done.returncode == 4
    assert "incomplete: this run may cost $0.160 for 4 images" in done.stderr.splitlines()[-1]
    bench.check_billed_once(2)
    bench.check_whole(2)


def test_the_local_service_never_asks(tmp_path):
    write_job(tmp_path / "job.yaml", ["a pear", "a plum", "a fig"], service="local")
    done = run_batchgen("run", "job.yaml", cwd=tmp_path, patch=CHEAP)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("answer", "exit_code", "bought"), [("y", 0, 3), ("n", 2, 0)])
def test_a_terminal_is_asked(bench: Bench, tmp_path, answer: str, exit_code: int, bought: int):
    bench.job(3)
    master, slave = pty.openpty()
    os.write(master, f"{answer}\n".encode())
    out = tmp_path / "said"
    with out.open("wb") as stdout:
        process = fork(
            code(CHEAP),
            ["run", "job.yaml"],
            cwd=bench.folder,
            env=environment(bench.folder, **bench.env),
            streams=(slave, stdout.fileno(), slave),
        )
        assert process.wait(30) == exit_code
    said = os.read(master, 100_000).decode()
    assert "This run may cost $0.120 for 3 images, more than $0.1. Go on? [y/N]: " in said
    assert bench.service.counts()["billed"] == bought
    os.close(master)
    os.close(slave)
