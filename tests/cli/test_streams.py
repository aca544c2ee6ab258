"""Streams that are closed, full or unread cost what is printed, never the exit code."""

import os
import subprocess

import pytest

from tests.support.bench import QUICK, Bench
from tests.support.cli import Done, command, environment


def redirected(bench: Bench, to: str, *arguments: str) -> Done:
    """The command as a shell starts it with the redirections *to*."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {to}', "sh", *command(QUICK), *arguments],
        cwd=bench.folder,
        env=environment(bench.folder, **bench.env),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "to", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1"]
)
def test_the_exit_code_of_a_run_is_its_own_wherever_its_words_go(bench: Bench, to: str):
    bench.job(["a pear", "a plum [submit=400]"])
    done = redirected(bench, to, "run", "job.yaml")
    assert done.returncode == 3, done.stderr
    assert len(bench.rows()) == 1
    assert "Traceback" not in done.stderr
    if to == ">/dev/full":
        assert done.stderr.splitlines()[-2:] == [
            "batchgen: not all could be printed: No space left on device",
            "batchgen: partial: 1 of 2 variants have not all their images; failures.jsonl says why",
        ]


@pytest.mark.parametrize("arguments", [("plan", "job.yaml"), ("models",), ("--help",)])
def test_a_result_that_cannot_be_printed_is_no_success_and_no_bug(bench: Bench, arguments):
    bench.job(1)
    done = redirected(bench, ">/dev/full", *arguments)
    assert done.returncode == 7
    assert done.stderr == "batchgen: not all could be printed: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_failure(bench: Bench):
    bench.job(1)
    ours, theirs = os.pipe()
    os.close(ours)
    with subprocess.Popen(
        [*command(), "plan", "job.yaml"],
        cwd=bench.folder,
        env=environment(bench.folder),
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")
