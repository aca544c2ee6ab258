"""Processes with their cost: started on cores of their own, watched, and ended in time."""

import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LOOK = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process and its children took; times in seconds."""

    exit_code: int | None
    """None when it was ended because its time was up."""
    started: float
    """On the monotonic clock, which all processes of a machine share."""
    wall: float
    cpu: float
    """User and system time, start-up included."""
    peak_mb: float
    """The largest resident memory, as the kernel keeps it, seen 20 times a second."""
    others: float
    """The share of its cores that other processes took meanwhile; a large one spoils the rest."""
    said: str
    """The end of what it said."""


@dataclass(frozen=True, kw_only=True)
class Cores:
    """Which cores the clients and the server may use; the same ones on a machine with one."""

    client: frozenset[int]
    server: frozenset[int]


def share_cores() -> Cores:
    """The first of our cores for clients, the second for the server."""
    ours = sorted(os.sched_getaffinity(0))
    return Cores(client=frozenset(ours[:1]), server=frozenset(ours[1:2] or ours[:1]))


def environment(**more: str) -> dict[str, str]:
    """Our own without proxies and keys, with *more*; this checkout comes first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("WAVESPEED", "COV"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def run(
    command: Sequence[str], *, folder: Path, env: Mapping[str, str], cores: Cores, timeout: float
) -> Cost:
    """Run *command* in *folder* to its end, or for *timeout* seconds, and say what it took."""
    said = folder / "said.txt"
    busy = _busy(cores.client)
    started = time.monotonic()
    with said.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    os.sched_setaffinity(process.pid, cores.client)
    peak = 0.0
    in_time = True
    with _ending(process.pid) as ended:
        try:
            while not ended(_LOOK):
                peak = max(peak, _peak_mb(process.pid))
                if in_time and time.monotonic() - started > timeout:
                    in_time = False
                    process.kill()
        except BaseException:
            process.kill()
            raise
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # reaped above
    wall, cpu = time.monotonic() - started, usage.ru_utime + usage.ru_stime
    return Cost(
        exit_code=process.returncode if in_time else None,
        started=started,
        wall=wall,
        cpu=cpu,
        peak_mb=peak,
        others=max(0.0, _busy(cores.client) - busy - cpu) / (wall * len(cores.client)),
        said=said.read_text("utf-8", "replace")[-2000:].strip(),
    )


@contextmanager
def _ending(pid: int) -> "Iterator[_Ended]":
    descriptor = os.pidfd_open(pid)
    try:
        yield _Ended(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class _Ended:
    descriptor: int

    def __call__(self, seconds: float) -> bool:
        """Whether the process ends within so many *seconds*."""
        return bool(select.select([self.descriptor], [], [], seconds)[0])


def _busy(cores: frozenset[int]) -> float:
    """Seconds that *cores* have worked for anybody since the machine was started."""
    names = {f"cpu{core}" for core in cores}
    lines = Path("/proc/stat").read_text("utf-8").splitlines()
    rows = [line.split()[1:9] for line in lines if line.split()[0] in names]
    # User, nice, system, idle, waiting for disks, interrupts, soft ones, stolen by other machines.
    ticks = sum(sum(map(int, row)) - int(row[3]) - int(row[4]) for row in rows)
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    """The largest resident memory so far of a process and its children, each by itself."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("VmHWM:"):
                total = int(line.split()[1]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            children = (task / "children").read_text("utf-8").split()
            total += sum(_peak_mb(int(child)) for child in children)
    except OSError:  # it has just ended
        pass
    return total


class Server:
    """The stand-in service in its process."""

    def __init__(self, base: str) -> None:
        """Remember its address."""
        self.base = base

    def reset(self, **settings: object) -> None:
        """Let it forget everything and behave by *settings*."""
        self._ask("/__reset", json.dumps(settings).encode())

    def stats(self) -> dict[str, float | None]:
        """What it has counted since."""
        found: dict[str, float | None] = json.loads(self._ask("/__stats"))
        return found

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(self.base + path, body, timeout=30) as answer:
            content: bytes = answer.read()
        return content


@contextmanager
def serving(cores: Cores) -> Iterator[Server]:
    """Run the stand-in service while the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        os.sched_setaffinity(process.pid, cores.server)
        try:
            yield Server(process.stdout.readline().strip())
            process.stdin.close()
            process.wait(10)
        finally:
            process.kill()
