"""kill -9 several times at random moments of runs of any length: the same judgement each time."""

import signal
import time
from collections.abc import Callable
from random import Random

import pytest

from tests.support.bench import Bench
from tests.support.judging import Essence, check_after_kill, check_like, essence, finish
from tests.support.service import Service

LONGEST = 40
# What happens on the way, besides; each keeps a variant busy for a while longer.
WORDS = ("", "", "[poll=processingx3]", "[submit=429x1]", "[image=cutx1]", "[poll=500x1]")


def _prompts(variants: int) -> list[dict[str, object]]:
    return [
        {"text": f"prompt {n} {WORDS[n % len(WORDS)]}".strip(), "num_images": 1 + n % 7 // 5}
        for n in range(variants)
    ]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, running_service: Service) -> Essence:
    bench = Bench(tmp_path_factory.mktemp("undisturbed"), running_service)
    bench.job(_prompts(LONGEST), run={"concurrency": 16})
    assert bench.run().returncode == 0
    return essence(bench.dataset)


def _lines(bench: Bench) -> int:
    manifest = bench.dataset / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def _kill_after(bench: Bench, done: Callable[[], int], more: int) -> None:
    """Run until *done* has grown by so much, and kill it there, unless it has ended before."""
    until = done() + more
    deadline = time.monotonic() + 30
    with bench.start() as running:
        while running.process.alive and done() < until:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        running.process.signal(signal.SIGKILL)
        assert running.process.wait() in {-signal.SIGKILL, 0, 5}


def _torture(bench: Bench, undisturbed: Essence, seed: int) -> None:
    chance = Random(seed)
    variants = chance.randint(1, LONGEST)
    prompts = _prompts(variants)
    bench.job(prompts, run={"concurrency": chance.choice((1, 2, 4, 8, 16))})
    for _ in range(chance.randint(1, 4)):
        if chance.random() < 0.6:
            most = 3 * variants
            _kill_after(bench, lambda: bench.service.counts().requests, chance.randint(1, most))
        else:
            _kill_after(bench, lambda: _lines(bench), chance.randint(1, variants))
        check_after_kill(bench)
    finish(bench, variants)
    texts = {prompt["text"] for prompt in prompts}
    check_like(bench, {k: row for k, row in undisturbed.items() if row["prompt"] in texts})


@pytest.mark.parametrize("seed", range(5))
def test_a_run_killed_at_random_moments_ends_as_if_undisturbed(
    undisturbed: Essence, bench: Bench, seed: int
):
    _torture(bench, undisturbed, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 205))
def test_a_run_killed_at_many_random_moments_ends_as_if_undisturbed(
    undisturbed: Essence, bench: Bench, seed: int
):
    _torture(bench, undisturbed, seed)
