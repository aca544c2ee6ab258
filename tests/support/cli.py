"""The command in a process of its own, in an environment without anything from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import yaml

from tests.support.forker import Forked, fork

ROOT = Path(__file__).parents[2]
KEY = "canary-4b1d-8f02-key"
Done = subprocess.CompletedProcess[str]
Rows = list[dict[str, Any]]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Only what a process needs; a warning is an error, as everywhere in the tests."""
    kept = {k: v for k, v in os.environ.items() if k == "PATH" or k.startswith("COV")}
    fixed = {"HOME": str(home), "LANG": "C.UTF-8", "PYTHONWARNINGS": "error"}
    fixed["PYTHONPATH"] = str(ROOT)
    return {**kept, **fixed, **more}


def code(patch: Mapping[str, object] | None = None) -> str:
    """The command as Python; *patch* sets constants such as waiting times first."""
    lines = [
        f"import {name.rpartition('.')[0]} as m; m.{name.rpartition('.')[2]} = {value!r}"
        for name, value in (patch or {}).items()
    ]
    return "\n".join([*lines, "import batchgen.cli", "batchgen.cli.main()"])


def command(patch: Mapping[str, object] | None = None) -> list[str]:
    """The start of a command line for an interpreter of its own."""
    return [sys.executable, *(["-c", code(patch)] if patch else ["-m", "batchgen"])]


def run_batchgen(
    *args: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    patch: Mapping[str, object] | None = None,
) -> Done:
    """Run the command to its end; whatever it says, it says without a traceback."""
    done = run_forked(code(patch), *args, cwd=cwd, env=env, timeout=timeout)
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


def run_forked(
    source: str, *args: object, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> Done:
    """``python -c SOURCE ARGS…`` with everything imported already, to its end."""
    words = list(map(str, args))
    with TemporaryFile() as out, TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), out.fileno(), err.fileno())
        process = fork(source, words, cwd=cwd, env=environment(cwd, **(env or {})), streams=streams)
        try:
            returncode = process.wait(timeout)
        finally:
            process.kill()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode("utf-8"))
    return Done(words, returncode, *said)


@dataclass
class Running:
    """A command that is running."""

    process: Forked
    folder: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        return (self.folder / "stderr").read_text("utf-8")

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait, at the most 20 seconds and while it runs, until *condition* holds."""
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, f"waited in vain\n{self.stderr}"
            assert self.alive or condition(), f"it has ended\n{self.stderr}"
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill -9 it, and see that it had not ended by itself."""
        self.process.kill()
        assert self.wait() == -signal.SIGKILL

    def wait(self, timeout: float = 20) -> int:
        """Its exit code."""
        return self.process.wait(timeout)


@contextmanager
def start_batchgen(
    *args: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    patch: Mapping[str, object] | None = None,
    said_in: str = "said",
) -> Iterator[Running]:
    """Start the command; it is killed at the end of the block if it still runs then."""
    said = cwd / said_in
    said.mkdir(exist_ok=True)
    with (
        Path(os.devnull).open("rb") as nothing,
        (said / "stdout").open("wb") as out,
        (said / "stderr").open("wb") as err,
    ):
        process = fork(
            code(patch),
            list(map(str, args)),
            cwd=cwd,
            env=environment(cwd, **(env or {})),
            streams=(nothing.fileno(), out.fileno(), err.fileno()),
        )
    try:
        yield Running(process, said)
    finally:
        process.kill()
        process.wait()


def write_job(
    path: Path, prompts: object, *, run: Mapping[str, object] | None = None, **keys: Any
) -> Path:
    """Write a job file that polls quickly."""
    pace = {"poll": {"min_interval": 0.02}, **(run or {})}
    document = {"name": path.stem, "prompts": prompts, **keys, "run": pace}
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")
    return path


def rows(dataset: Path) -> Rows:
    """The rows of the manifest; every line is whole."""
    return _lines(dataset / "manifest.jsonl")


def failures(dataset: Path) -> Rows:
    """The rows of the failures."""
    return _lines(dataset / "failures.jsonl")


def summary(dataset: Path) -> dict[str, Any]:
    """The summary, which balances."""
    found: dict[str, Any] = json.loads((dataset / "summary.json").read_text("utf-8"))
    ends = ("saved", "failed", "uncertain", "expired", "pending")
    assert found["planned"] == sum(found[end] for end in ends)
    assert min(found[end] for end in ends) >= 0
    return found


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def _lines(path: Path) -> Rows:
    text = path.read_text("utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]
