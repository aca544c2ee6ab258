"""kill -9 straight before and after every durable step: running again loses and doubles nothing."""

import json
import signal

import pytest

from tests.support import cli
from tests.support.bench import Bench
from tests.support.judging import LONG_AGO, Essence, check_after_kill, check_like, essence, finish
from tests.support.service import Service

PROMPTS = ["a pear", {"text": "a plum", "num_images": 2}, "a fig", "a quince"]
# Of about 70 moments: in the preparations, around the first submits and their answers, on the way.
SOME = (5, 7, 12, 13, 14, 16, 18, 22, 29, 36, 50, 66)
STRIPES = 10


def _job(bench: Bench) -> None:
    bench.job(PROMPTS, run={"concurrency": 2})


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, running_service: Service) -> Essence:
    bench = Bench(tmp_path_factory.mktemp("undisturbed"), running_service)
    _job(bench)
    assert bench.run().returncode == 0
    return essence(bench.dataset)


def _crash(bench: Bench, point: int, *command: str) -> bool:
    """Run and die at that moment; False when the run ends before it comes."""
    command = command or ("run", "job.yaml")
    crashing = "import tests.support.crashing as m; m.main()"
    words = (point, "--", *command)
    done = cli.run_forked(crashing, *words, cwd=bench.folder, env=bench.env)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def _judge(bench: Bench, undisturbed: Essence) -> None:
    check_after_kill(bench)
    finish(bench, len(PROMPTS))
    check_like(bench, undisturbed)


@pytest.mark.parametrize("point", SOME)
def test_a_run_killed_at_a_durable_step_ends_as_if_undisturbed(
    undisturbed: Essence, bench: Bench, point: int
):
    _job(bench)
    _crash(bench, point)
    _judge(bench, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, STRIPES + 1))
def test_a_run_killed_at_any_durable_step_ends_as_if_undisturbed(
    undisturbed: Essence, bench: Bench, first: int
):
    point, crashed = first, True
    root = bench.folder
    while crashed:
        bench = Bench(root / str(point), bench.service)
        bench.folder.mkdir()
        bench.service.reset()
        _job(bench)
        crashed = _crash(bench, point)
        _judge(bench, undisturbed)
        point += STRIPES
    assert point > 60


@pytest.mark.parametrize(
    "point", [6, *(pytest.param(n, marks=pytest.mark.slow) for n in (*range(1, 6), *range(7, 11)))]
)
def test_reconciling_killed_at_a_durable_step_is_finished_by_the_next(bench: Bench, point: int):
    bench.job(["a pear [submit=500x1]", "a plum [submit=502x1]"])
    assert bench.run().returncode == 5
    bench.age(LONG_AGO)
    bench.service.account(inputs=True, ago=LONG_AGO)
    # Two submits: their evidence is written, and then the entry of each is changed.
    assert _crash(bench, point, "reconcile", str(bench.dataset), "--grace", "0")
    assert bench.reconcile("--grace", 0).returncode == 0
    assert bench.states() == {"submitted": 2}
    finish(bench, 2)
    evidence = (bench.dataset / ".batchgen" / "reconcile.jsonl").read_text("utf-8")
    assert {json.loads(line)["decision"] for line in evidence.splitlines()} == {"adopted"}
