"""A full night in miniature, started as cron starts it."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.cli import KEY, ROOT, Done
from tests.support.listening import Listener, listener

CRONTAB = ROOT / "jobs" / "nightly" / "crontab"
HOME = "/home/you"
PATH = "/b7c1d1f0-5a3e-4b4e"


def _open_for_hours() -> str:
    now = datetime.now(UTC).astimezone()
    return f"{now - timedelta(hours=12):%H:%M}-{now + timedelta(hours=11):%H:%M}"


class Cron:
    """Starts the line of the crontab with the environment that cron has, and nothing else."""

    def __init__(self, bench: Bench, there: Listener) -> None:
        """Let the home of the crontab be the folder of the *bench*."""
        self._bench = bench
        lines = CRONTAB.read_text("utf-8").replace(HOME, str(bench.folder)).splitlines()
        assignments = [line.split("=", 1) for line in lines if line[:1].isupper()]
        (line,) = [line for line in lines if line[:1].isdigit()]
        self._command = line.split(None, 5)[5]
        self._environment = {
            **dict(assignments),
            "HOME": str(bench.folder),
            "LOGNAME": "you",
            "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin",
            # What a rehearsal needs beside it.
            "WAVESPEED_BASE_URL": bench.service.base,
            **{name: value for name, value in os.environ.items() if name.startswith("COV")},
        }
        self._secret(".wavespeed-key", KEY)
        self._secret(".batchgen-ping", there.base + PATH)
        program = bench.folder / "batchgen/.venv/bin/batchgen"
        program.parent.mkdir(parents=True)
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -W error -m batchgen "$@"\n'
        )
        program.chmod(0o755)
        bench.job(4, run={"concurrency": 4, "window": _open_for_hours(), "budget": 1})
        (bench.folder / "nightly").mkdir()
        (bench.folder / "job.yaml").rename(bench.folder / "nightly/dataset.yaml")
        bench.dataset = bench.folder / "nightly/out/job"

    def _secret(self, name: str, text: str) -> None:
        path = self._bench.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)

    def start(self) -> subprocess.Popen[str]:
        """What cron does at its time."""
        return subprocess.Popen(
            ["/bin/sh", "-c", self._command],
            cwd=self._bench.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> Done:
        """Start it, and wait for its end."""
        with self.start() as process:
            said = process.communicate(timeout=60)
        return Done(process.args, process.returncode, *said)


@pytest.fixture
def there():
    with listener() as found:
        yield found


def test_a_night_runs_itself_and_says_only_what_has_to_be_said(bench: Bench, there: Listener):
    cron = Cron(bench, there)
    bench.service.hold(completion=1)
    with cron.start() as first:
        while bench.states() != {"saved": 1, "submitted": 3}:
            assert first.poll() is None
        second = cron.run()
        assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
        holder = json.loads((bench.dataset / ".batchgen/lock").read_text())
        os.kill(holder["pid"], signal.SIGTERM)  # the end of the night, by the scheduler's clock
        out, said = first.communicate(timeout=60)
    assert (first.returncode, out) == (143, "")
    assert said == "batchgen: signal: stopped by SIGTERM; 3 variants are left, run again to go on\n"
    bench.service.release()
    third = cron.run()
    assert (third.returncode, third.stdout, third.stderr) == (0, "", "")
    assert there.paths() == [f"{PATH}/start", f"{PATH}/log", f"{PATH}/start", PATH]
    bench.check_whole(4)
    bench.check_billed_once(4)
    assert not any(KEY in path.read_text("utf-8", "replace")
                   for path in Path(bench.dataset, ".batchgen").glob("*.log"))  # fmt: skip


def test_a_night_that_went_wrong_says_so_in_one_line(bench: Bench, there: Listener):
    cron = Cron(bench, there)
    job = bench.folder / "nightly/dataset.yaml"
    job.write_text(job.read_text().replace("plain prompt 0", "a plum [submit=400]"))
    done = cron.run()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "batchgen: partial: 1 of 4 variants have not all their images; failures.jsonl says why\n"
    )
    assert there.heard[-1] == (f"{PATH}/3", done.stderr.removeprefix("batchgen: ").strip())
