"""A storm: a fifth of everything fails at random, and the accounts are right all the same."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.bench import Bench
from tests.support.cli import environment, summary
from tests.support.misdeeds import SUBMITS, misdeed

TIMEOUTS = {"submit": 2, "poll": 2, "download": 2, "prediction": 600}


def soak(bench: Bench, variants: int, concurrency: int, timeout: float) -> dict[str, Any]:
    prompts = "".join(f"a pear {number} [storm=20]\n" for number in range(variants))
    (bench.folder / "prompts.txt").write_text(prompts, "utf-8")
    job = bench.job(
        [{"file": "prompts.txt"}],
        run={
            "concurrency": concurrency,
            "max_variants": variants,
            "timeouts": TIMEOUTS,
            # A storm may strike ten variants in a row.
            "max_failures": "100%",
        },
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.soaking", job],
        cwd=bench.folder,
        env=environment(bench.folder, **bench.env),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(bench: Bench, variants: int, left: dict[str, Any]) -> None:
    found = summary(bench.dataset)
    assert left["exit_code"] == found["exit_code"] == 5
    counts = bench.service.counts()
    assert max(counts.by_request("billed").values()) == 1
    # Every submit whose answer was spoiled is held, and no other one.
    spoiled = sum(
        any(
            SUBMITS[word].bills
            for count in range(order["received"])
            if (word := misdeed(order["request"]["prompt"], "submit", count))
        )
        for order in counts.orders
    )
    assert found["uncertain"] == spoiled > 0
    assert found["saved"] + found["pending"] == variants - spoiled
    assert found["failed"] == found["expired"] == 0
    paid = bench.states()
    assert counts["billed"] == found["saved"] + paid["completed"] + paid["submitted"] + spoiled
    bench.check_whole(found["saved"])
    assert (left["tasks"], left["sockets"], left["threads"]) == (0, 0, [])


def test_a_small_storm(bench: Bench):
    left = soak(bench, 240, concurrency=40, timeout=100)
    check(bench, 240, left)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_storm_over_20_000_variants_leaves_nothing_behind(bench: Bench):
    left = soak(bench, 20_000, concurrency=200, timeout=1500)
    check(bench, 20_000, left)
    assert left["end"] < left["quarter"] * 1.25, left
