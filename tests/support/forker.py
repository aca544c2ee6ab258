"""A process that has imported the command already, and forks for every command that tests start.

Start-up, imports and those of the coverage measurement were two thirds of the CPU time of a short
run, and the suite starts about a thousand. What is forked is a process of its own: its arguments,
environment, folder, streams, signals and death are those of a command that a shell started, and it
ends by the interpreter's own shutdown. Only the imports are shared, so whatever is a test of them,
of the interpreter's switches or of its streams starts a fresh interpreter instead.

``python -m tests.support.forker FD`` serves the socket FD until its other end is closed.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

# What commands import while they run; whatever is missing here is only slower.
IMPORTED = (
    *("batchgen.cli", "batchgen.cli.progress", "batchgen.cli.logs", "batchgen.cli.words"),
    *("batchgen.local", "batchgen.run.making", "batchgen.run.plan.checking"),
    *("batchgen.run.uncertain.reconciling", "batchgen.run.uncertain.settle"),
    *("batchgen.run.care.verify", "batchgen.run.care.standing", "tests.support.crashing", "tqdm"),
    *("batchgen.run.terms.service", "batchgen.run.variant.working"),
)


class Forked:
    """A running command, held as if it were a ``Popen``."""

    def __init__(self, report: int) -> None:
        """Read its process id and then its exit code from the pipe *report*."""
        self._report = os.fdopen(report, "rb", buffering=0)
        self._said = b""
        self.returncode: int | None = None
        self.pid = int(self._line(None))

    def _line(self, timeout: float | None) -> bytes:
        while b"\n" not in self._said:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("batchgen", timeout or 0)
            part = self._report.read(64)
            assert part, "the forker has died"
            self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return line

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal."""
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
            self._report.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9."""
        self.send_signal(signal.SIGKILL)


def fork(
    code: str, arguments: list[str], *, cwd: Path, env: Mapping[str, str], streams: tuple[int, ...]
) -> Forked:
    """Start ``python -c CODE ARGUMENTS…`` with *streams* for stdin, stdout and stderr."""
    order = {"code": code, "arguments": arguments, "cwd": str(cwd), "env": dict(env)}
    ours, theirs = os.pipe()
    try:
        socket.send_fds(_forker(), [json.dumps(order).encode()], [*streams, theirs])
    finally:
        os.close(theirs)
    return Forked(ours)


@cache
def _forker() -> socket.socket:
    """The control socket of this process's forker; it ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {k: v for k, v in os.environ.items() if k == "PATH" or k.startswith("COV")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forker", str(theirs.fileno())],
        cwd=Path(__file__).parents[2],
        env={**kept, "LANG": "C.UTF-8", "PYTHONWARNINGS": "error"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


# The other side ------------------------------------------------------------------------------


class Forker:
    """Forks for every order and reports how each command ended."""

    def __init__(self, control: socket.socket) -> None:
        """Take orders from *control*."""
        self._control = control
        self._reports: dict[int, int] = {}

    def serve(self) -> dict[str, Any] | None:
        """Return in every child with its order, and at the end with None."""
        signal.signal(signal.SIGCHLD, self._reap)
        while True:
            data, fds, _, _ = socket.recv_fds(self._control, 2**20, 4)
            if not data:
                return None
            # A child that ends at once is reported only after it is known.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
            pid = os.fork()
            if pid == 0:
                self._leave(fds)
                order: dict[str, Any] = json.loads(data)
                return order
            self._reports[pid] = fds[3]
            os.write(fds[3], b"%d\n" % pid)
            for fd in fds[:3]:
                os.close(fd)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _leave(self, fds: list[int]) -> None:
        """Let the child keep nothing of the forker but the streams that are its own."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # As at a terminal, also where the tests were started by nohup or in the background.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        self._control.close()
        for stream, fd in enumerate(fds[:3]):
            os.dup2(fd, stream)
        for fd in {*fds, *self._reports.values()}:
            os.close(fd)

    def _reap(self, *_: object) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            report = self._reports.pop(pid)
            with suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(report)


def become(order: dict[str, Any]) -> str:
    """Take on the folder, the environment and the arguments of *order*; the code to run."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["-c", *order["arguments"]]
    code: str = order["code"]
    return code


if __name__ == "__main__":
    measured = sys.modules.get("coverage")
    for name in IMPORTED:
        importlib.import_module(name)
    if measured and (running := measured.Coverage.current()):
        running.stop()
        running.save()
        running._auto_save = False  # what follows is measured in every child
    gc.freeze()  # the shutdown of a child need not free what was imported
    with socket.socket(fileno=int(sys.argv[1])) as control:
        taken = Forker(control).serve()
    if taken:
        source = become(taken)
        if measured:
            measured.process_startup(force=True)
        exec(compile(source, "<string>", "exec"), {"__name__": "__main__"})
