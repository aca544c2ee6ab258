"""Ray itself: on this machine, and as a cluster of three nodes of which one is lost.

Skipped where Ray is not installed. What the service counted is what decides.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest

from batchgen.cluster.engine import LostError, RemoteLeases, _RemoteWorker
from batchgen.errors import ExitCode
from batchgen.run.sharing.leases import NoGrantError
from tests.support import cli

# On this machine alone, whatever its network.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

STORE = 80_000_000
# Ray's own warnings are none of ours.
QUIET = {
    "PYTHONWARNINGS": "ignore",
    **{k: os.environ[k] for k in os.environ if k.startswith("RAY")},
}
OF_ITS_MAKING = {
    "prediction_id", "created_at", "submitted_at", "completed_at", "saved_at", "sha256",
    "queue_ms", "inference_ms", "total_ms", "polls", "attempts",
}  # fmt: skip


class StandIn:
    """The quick service of the benchmarks, in a process of its own."""

    def __init__(self, base: str) -> None:
        self.base = base

    def stats(self) -> dict[str, Any]:
        """What it has counted."""
        with urllib.request.urlopen(f"{self.base}/__stats", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def stand_in(**settings: object) -> Iterator[StandIn]:
    """Serve while the block lasts."""
    words = [f"--{name}={value}" for name, value in settings.items()]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", *words],
        cwd=cli.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield StandIn(process.stdout.readline().decode().strip())
        finally:
            process.stdin.close()
            process.wait(20)


class Failing:
    """An actor whose every call ends in *error*."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> "Failing":
        return self

    def remote(self, *args: object) -> "asyncio.Future[None]":
        answer = asyncio.get_running_loop().create_future()
        answer.set_exception(self._error)
        return answer


async def test_whatever_keeps_an_answer_away_is_a_loss_and_a_bug_is_a_bug():
    from ray import exceptions

    gone = [
        exceptions.ActorDiedError(),
        exceptions.ActorUnavailableError("no route", None),
        exceptions.WorkerCrashedError(),
        exceptions.LocalRayletDiedError(),
        exceptions.NodeDiedError("it does not answer"),
        exceptions.ObjectLostError("00", None, "here"),
        exceptions.OwnerDiedError("00", None, "here"),
        exceptions.GetTimeoutError("too late"),
        exceptions.RaySystemError("a daemon is gone"),
        exceptions.OutOfMemoryError("the node is full"),
        exceptions.TaskCancelledError(),
        exceptions.RayError(),
    ]
    for error in gone:
        with pytest.raises(LostError, match=r"^[^\n]+$"):
            await _RemoteWorker(Failing(error)).trouble()
        with pytest.raises(NoGrantError, match=r"^[^\n]+$"):
            await RemoteLeases(Failing(error)).progress()
    bug = exceptions.RayTaskError("make", "a bug", ValueError()).as_instanceof_cause()
    with pytest.raises(ValueError, match="a bug"):
        await _RemoteWorker(Failing(bug)).trouble()


def rows(dataset: Path) -> list[list[tuple[str, object]]]:
    """Those of the manifest, without what its making has left."""
    found = cli.rows(dataset)
    return sorted(sorted((k, v) for k, v in row.items() if k not in OF_ITS_MAKING) for row in found)


def env_of(service: StandIn) -> dict[str, str]:
    return {**QUIET, "WAVESPEED_BASE_URL": service.base, "WAVESPEED_API_KEY": cli.KEY}


def test_on_this_machine_and_the_key_is_in_none_of_its_logs(tmp_path: Path):
    place = Path(mkdtemp(prefix="ray"))  # paths of its sockets have to be short
    cli.write_job(tmp_path / "job.yaml", [f"a pear {n}" for n in range(40)])
    with stand_in(size=2_000) as service:
        done = cli.run_batchgen(
            "run", "job.yaml", "--on", "ray", cwd=tmp_path, timeout=90,
            env={**env_of(service), "RAY_TMPDIR": str(place)},
        )  # fmt: skip
        assert done.returncode == ExitCode.OK, done.stderr
        stats = service.stats()
    assert (stats["submits"], stats["duplicate_submits"]) == (40, 0)
    assert len(cli.rows(tmp_path / "out" / "job")) == 40
    logs = [path for path in place.rglob("*") if path.is_file()]
    assert any("worker" in path.name and path.suffix == ".log" for path in logs)
    assert not [path for path in logs if cli.KEY.encode() in path.read_bytes()]
    rmtree(place)


def workers_of(node: Any) -> list[int]:
    """The processes in which *node* runs workers of ours."""
    return children(node.all_processes["raylet"][0].process.pid, b"ray::Worker")


def children(of: int, called: bytes) -> list[int]:
    """Those processes that the process *of* has started whose command line has *called* in it."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            name = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == of and called in name:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
def test_a_worker_whose_process_is_stopped_is_ended_and_its_shards_go_on(tmp_path: Path):
    place = Path(mkdtemp(prefix="ray"))
    cli.write_job(tmp_path / "job.yaml", [f"a pear {n}" for n in range(60)], run={"concurrency": 6})
    patch = {"batchgen.cluster.driver.SILENT": 3.0, "batchgen.cluster.hands.LISTEN": 1.0}
    with stand_in(latency="lognormal:0.9,1.6", size=2_000) as service:
        env = {**env_of(service), "RAY_TMPDIR": str(place)}
        command = ("run", "job.yaml", "--on", "ray")
        with cli.start_batchgen(*command, cwd=tmp_path, env=env, patch=patch) as run:
            _until(run, service, 10)
            (raylet,) = children(run.pid, b"/raylet/raylet")
            os.kill(children(raylet, b"ray::Worker")[0], signal.SIGSTOP)
            code = run.wait(60)
        stats, said = service.stats(), run.stderr
    found = cli.summary(tmp_path / "out" / "job")
    assert code in {ExitCode.OK, ExitCode.UNCERTAIN}, said
    assert "a worker was lost" in said
    assert "it has not answered for" in said
    assert found["saved"] + found["uncertain"] == 60
    assert stats["duplicate_submits"] == 0
    rmtree(place)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_and_a_node_are_lost_and_the_dataset_is_what_one_process_makes(
    tmp_path: Path, monkeypatch
):
    from ray.cluster_utils import Cluster

    variants, places, rate = 2_000, 24, 1_200
    job = cli.write_job(
        tmp_path / "job.yaml",
        ["a pear {n}"],
        matrix={"n": f"1..{variants}"},
        run={"concurrency": places, "rate": rate, "budget": 90, "poll": {"min_interval": 0.1}},
    )
    with ExitStack() as stack:
        service = stack.enter_context(stand_in(latency="lognormal:0.9,1.6", size=2_000))
        for name, value in env_of(service).items():
            monkeypatch.setenv(name, value)  # which the nodes have from this process
        node = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        stack.callback(cluster.shutdown)
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
        options = ("--on", f"ray://{cluster.address}")
        with cli.start_batchgen("run", job, *options, cwd=tmp_path, env=env_of(service)) as run:
            _until(run, service, 500)
            os.kill(workers_of(nodes[0])[0], 9)
            _until(run, service, 1_000)
            cluster.remove_node(nodes[1], allow_graceful=False)
            code = run.wait(240)
        stats, said = service.stats(), run.stderr
    found = cli.summary(tmp_path / "out" / "job")
    assert code in {ExitCode.OK, ExitCode.UNCERTAIN}, said
    assert "a worker was lost" in said
    # What was being submitted when a worker was killed is held, and all the rest is there.
    assert found["saved"] + found["uncertain"] == variants
    assert found["images_made"] == found["saved"]
    assert found["saved"] <= stats["submits"] <= variants
    assert stats["duplicate_submits"] == 0
    assert stats["refused"] == 0
    assert stats["most_in_the_making"] <= places
    assert 0.9 * rate < stats["most_in_a_window"] <= rate
    held = {row["variant_key"] for row in cli.failures(tmp_path / "out" / "job")}
    with stand_in(size=2_000) as service:
        alone = (job, "--out", tmp_path / "alone", "--concurrency", 64, "--rate", 1_000_000)
        done = cli.run_batchgen("run", *alone, cwd=tmp_path, env=env_of(service), timeout=120)
    assert done.returncode == ExitCode.OK, done.stderr
    expected = [row for row in rows(tmp_path / "alone") if dict(row)["variant_key"] not in held]
    assert rows(tmp_path / "out" / "job") == expected


def _until(run: cli.Running, service: StandIn, submits: int) -> None:
    """Wait until so many were sent."""
    ends = time.monotonic() + 120
    while service.stats()["submits"] < submits:
        assert run.alive, run.stderr
        assert time.monotonic() < ends, run.stderr
        time.sleep(0.2)
