"""Ray itself: starting it or joining a cluster, and the actors of a run."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Protocol

from batchgen.cluster.work import Made, Work
from batchgen.cluster.worker import Worker
from batchgen.errors import ExitCode, UsageError
from batchgen.run.sharing.granting import Limited, LocalLeases
from batchgen.run.sharing.leases import Grant, NoGrantError, Progress, Usage

# Bytes for Ray's store of objects, of which only the job is one; Ray takes no less.
_STORE = 80_000_000
LIBRARY = "ray"
_CONNECT = 5.0  # seconds, as the next one: a cluster took 2 s to answer
_HEALTH = 20.0
# More would only wait for one another: one alone outruns the highest tier.
MAX_WORKERS = 16


class Employed(Protocol):
    """A worker, from afar. What is awaited may raise LostError, and so may starting one."""

    async def trouble(self) -> str:
        """As :meth:`Worker.trouble`."""

    async def answer(self) -> None:
        """As :meth:`Worker.answer`."""

    async def make(self, shard: str, *, again: bool) -> Made:
        """As :meth:`Worker.make`."""

    async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
        """As :meth:`Worker.stop`."""

    def kill(self) -> None:
        """End its process at once; its shards are in their ledgers."""


class LostError(Exception):
    """A worker has died, or cannot be reached."""


def check_ray(address: str) -> None:
    """Raise UsageError unless Ray is installed, and a cluster answers at *address* if there is one.

    Ray itself would try for ever where something else answers.
    """
    if find_spec(LIBRARY) is None:
        raise UsageError("Ray is not installed: pip install 'batchgen[ray]'")
    if not address:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster can be reached at {address}: {error}; expected the address of its "
            "head, as ray start --head --port=6379 has it"
        ) from None
    if not _is_healthy(address):
        raise UsageError(
            f"what answers at {address} is no healthy cluster of this version of Ray; expected the "
            "address of its head, as ray start --head --port=6379 has it"
        )


def _is_healthy(address: str) -> bool:
    """Whether ``ray health-check``, in a process that can be ended, finds a cluster."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", f"--address={address}"]
    try:
        done = subprocess.run(command, timeout=_HEALTH, check=False, capture_output=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@asynccontextmanager
async def cluster(address: str) -> AsyncIterator["Cluster"]:
    """Be connected to the cluster at *address*, or to one that is started on this machine.

    Raises UsageError when there is none.
    """
    # In a thread, where Ray cannot take the place of our handlers of signals.
    mine = await asyncio.to_thread(_join, address)
    try:
        # In a thread, too: a head that hangs is waited for as long as Ray likes, a minute.
        yield await asyncio.to_thread(Cluster)
    finally:
        if mine:
            import ray

            await asyncio.to_thread(ray.shutdown)


def _join(address: str) -> bool:
    """Connect, unless whoever started this process has; says whether."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    here: dict[str, Any] = {}
    if not address:
        # Nobody else is to reach it, and there is nothing to be waited for at its end.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "0")
        here = {"include_dashboard": False, "object_store_memory": _STORE}
    import ray
    from ray.exceptions import RayError

    if ray.is_initialized():
        return False
    try:
        # Never one that happens to run here: only what was asked for.
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **here)
    except (RayError, RuntimeError, ValueError, OSError) as error:
        words = " ".join(str(error).split())
        raise UsageError(f"cannot use Ray at {address or 'this machine'}: {words}") from None
    return True


class Cluster:
    """A Ray that this process is connected to. Everything raises UsageError when Ray fails."""

    def __init__(self) -> None:
        """Count its processors."""
        import ray

        with _failures(_unusable):
            found = ray.cluster_resources()
        self.workers = max(1, min(MAX_WORKERS, int(found.get("CPU", 1))))
        """How many should work."""

    def start_leases(self, limited: Limited) -> "RemoteLeases":
        """The leases, on the driver's machine: everything ends in any case when that is lost."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = ray.get_runtime_context().get_node_id()
        # Softly, an actor that needs no processor may land on any machine, and die with that.
        pinned = NodeAffinitySchedulingStrategy(node_id=here, soft=False)
        actor = ray.remote(num_cpus=0, scheduling_strategy=pinned)(LocalLeases)
        with _failures(_unusable):
            return RemoteLeases(actor.remote(limited))

    def worker_maker(self, work: Work, leases: "RemoteLeases") -> Callable[[], Employed]:
        """What starts one more worker, wherever there is room."""
        import ray

        with _failures(_unusable):  # a job may be larger than the store
            shared = ray.put(work)
        actor = ray.remote(
            num_cpus=1,
            max_concurrency=64,
            # A call of which nobody knows whether it was made is not made again by itself.
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )(Worker)

        def start() -> Employed:
            with _failures(LostError):
                return _RemoteWorker(actor.remote(shared, leases))

        return start


class RemoteLeases:
    """The leases' actor, as driver and workers call it."""

    def __init__(self, actor: Any) -> None:  # noqa: ANN401  # a handle has no type
        """Call *actor*."""
        self._actor = actor

    async def renew(self, name: str, usage: Usage) -> Grant:
        """As :class:`batchgen.run.sharing.leases.Leases` has it."""
        grant: Grant = await _or(NoGrantError, self._actor.renew.remote(name, usage))
        return grant

    async def end(self, name: str, usage: Usage) -> None:
        """As :class:`batchgen.run.sharing.leases.Leases` has it."""
        await _or(NoGrantError, self._actor.end.remote(name, usage))

    async def progress(self) -> Progress:
        """What all runs have done. Raises NoGrantError."""
        found: Progress = await _or(NoGrantError, self._actor.progress.remote())
        return found


class _RemoteWorker:
    def __init__(self, actor: Any) -> None:  # noqa: ANN401
        self._actor = actor

    async def trouble(self) -> str:
        trouble: str = await _or(LostError, self._actor.trouble.remote())
        return trouble

    async def answer(self) -> None:
        await _or(LostError, self._actor.answer.remote())

    async def make(self, shard: str, *, again: bool) -> Made:
        made: Made = await _or(LostError, self._actor.make.remote(shard, again=again))
        return made

    async def stop(self, code: ExitCode, why: str, *, leave: bool) -> None:
        await _or(LostError, self._actor.stop.remote(code, why, leave=leave))

    def kill(self) -> None:
        import ray

        with suppress(LostError), _failures(LostError):
            ray.kill(self._actor)


async def _or(lost: type[Exception], answer: Any) -> Any:  # noqa: ANN401
    """The *answer* of an actor; *lost* when it is gone, or may be: it is not to be asked again."""
    with _failures(lost):
        return await answer


@contextmanager
def _failures(failed: Callable[[str], Exception]) -> Iterator[None]:
    """Raise *failed* for whatever Ray raises when it cannot do, or fetch, what it was asked for.

    That is more than the death of an actor: an answer is lost with the node that has it
    (ObjectLostError, OwnerDiedError), a daemon dies (RaySystemError), a node runs out of memory.
    """
    from ray.exceptions import RayError, RayTaskError

    try:
        yield
    except RayTaskError:  # Ray has done it, and our own code raised that: a bug is to surface
        raise
    except RayError as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise failed(words[0][:200]) from None  # many lines of advice follow


def _unusable(words: str) -> UsageError:
    return UsageError(f"cannot use Ray: {words}")
