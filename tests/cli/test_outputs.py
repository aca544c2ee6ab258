"""What goes to stdout, what to stderr, and how progress is shown."""

import csv
import json
import os
import pty
import re
import subprocess
import termios
from typing import Any

from tests.support.bench import QUICK, Bench
from tests.support.cli import command, environment, run_batchgen, summary


def test_json_makes_stdout_one_document_that_is_the_summary(bench: Bench):
    bench.job(["a pear", "a plum [submit=400]"])
    done = bench.run("--json")
    assert done.returncode == 3
    assert json.loads(done.stdout) == summary(bench.dataset)


def test_quiet_prints_nothing_when_all_goes_well(bench: Bench):
    bench.job(["a pear", {"id": "twin", "text": "a pear"}], params={"seed": 1})
    done = bench.run("--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_quiet_still_says_in_one_line_what_went_wrong(bench: Bench):
    bench.job(["a plum [submit=400]"])
    done = bench.run("--quiet")
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("batchgen: partial: 1 of 1 variants")


def test_a_run_in_words_puts_results_on_stdout_and_the_rest_on_stderr(bench: Bench):
    bench.job(["a pear", "a plum [nsfw=true]", "a fig [submit=400]"])
    done = bench.run()
    said = " ".join(done.stdout.split())
    assert "2 of 3 saved, 1 failed" in said
    assert "1 flagged NSFW" in said
    assert "$0.080" in said
    assert done.stderr.splitlines()[0].startswith("batchgen: warning: variant ")
    assert done.stderr.splitlines()[-1].startswith("batchgen: partial: ")


def test_many_warnings_are_cut_short_on_the_screen_and_whole_in_the_log(bench: Bench):
    # The seeds of one prompt among three, so that the run is not ended by its failures.
    bench.job([{"text": "a pear [submit=400]", "seed": list(range(30))}, "a plum", "a fig"])
    done = bench.run()
    assert done.stderr.count("batchgen: warning: ") == 11
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    assert log.count(" WARNING ") == 30


def test_verbose_says_more_and_logs_every_request(bench: Bench):
    bench.job(["a pear [poll=500x2]"])
    done = bench.run("--verbose")
    assert done.returncode == 0
    assert done.stderr.count("batchgen: info: poll of ") == 2
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    asked = re.findall(r" DEBUG (\w+) (\S+): HTTP (\d+) in \d+ ms\n", log)
    (row,) = bench.rows()
    result = ("GET", f"/api/v3/predictions/{row['prediction_id']}/result")
    assert [request for request in asked if "balance" not in request[1]] == [
        ("POST", "/api/v3/wavespeed-ai/imagen4", "200"),
        (*result, "500"),
        (*result, "500"),
        (*result, "200"),
    ]


def test_verbose_leaves_quiet_quiet_and_json_whole(bench: Bench):
    bench.job(["a pear [poll=500x1]"])
    done = bench.run("--verbose", "--json")
    assert json.loads(done.stdout) == summary(bench.dataset)
    assert "batchgen: info: poll of " in done.stderr
    bench.job(["a pear", "a plum [poll=500x1]"])
    done = bench.run("--verbose", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_verbose_no_request_is_logged(bench: Bench):
    bench.job(["a pear [poll=500x1]"])
    assert bench.run().returncode == 0
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    assert " INFO poll of " in log
    assert log.endswith(" ends: ok: every one of 1 variant has its images\n")
    assert "DEBUG" not in log


def test_a_prompt_is_exact_in_json_lines_and_no_formula_in_a_spreadsheet(bench: Bench):
    prompts = ["=HYPERLINK(1)", "+ a pear", 'a\r\nb, "c"\nd']
    for safe, expected in ((True, ["'=HYPERLINK(1)", "'+ a pear", prompts[2]]), (False, prompts)):
        bench.job(prompts, output={"csv_safe": safe})
        assert bench.run().returncode == 0
        assert sorted(row["prompt"] for row in bench.rows()) == sorted(prompts)
        with (bench.dataset / "manifest.csv").open(encoding="utf-8", newline="") as file:
            assert sorted(row["prompt"] for row in csv.DictReader(file)) == sorted(expected)
        found = run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder, env=bench.env)
        assert found.stdout.splitlines()[3] == "manifest  exact"


def test_without_a_terminal_progress_comes_in_lines(bench: Bench):
    bench.job(4, run={"concurrency": 4})
    bench.service.hold(completion=3)
    with bench.start(patch={**QUICK, "batchgen.cli.progress.LINE_EVERY": 0.02}) as running:
        running.process.until(
            lambda: re.search(r"\nbatchgen: 3 of 4 images, .*1 in flight", running.process.stderr)
        )
        bench.service.release()
        assert running.process.wait() == 0
        said = running.process.stderr
    assert re.search(r"3 of 4 images, \d+/min, \d+ s left, \$0.160, 1 in flight\n", said)
    assert "\r" not in said
    assert "\x1b" not in said


def test_on_a_terminal_progress_is_a_bar(bench: Bench):
    bench.job(["a pear", "a plum", "a fig [submit=400]"])
    text = on_a_terminal(bench, TERM="xterm").decode()
    assert re.search(r"\r[^\n]*█[^\n]* 2/3, \d+/min, .*\$0.080, 1 failed\r\n", text)
    assert text.rstrip().splitlines()[-1].startswith("batchgen: partial: ")


def test_a_terminal_without_utf_8_and_colours_gets_neither(bench: Bench):
    bench.job(["a pear", "a plüm", "a fig [submit=400]"])
    shown = on_a_terminal(bench, TERM="xterm", NO_COLOR="1", PYTHONIOENCODING="ascii")
    assert re.search(rb"\r[^\n]*#[^\n]* 2/3, ", shown)
    assert shown.isascii()
    assert not re.search(rb"\x1b\[[0-9;]*m", shown)


def test_a_dumb_terminal_gets_lines(bench: Bench):
    bench.job(["a pear", "a plum", "a fig [submit=400]"])
    shown = on_a_terminal(bench, TERM="dumb").replace(b"\r\n", b"\n")
    assert shown.splitlines()[-1].startswith(b"batchgen: partial: ")
    assert not set(shown) & set(b"\r\x1b")


def on_a_terminal(bench: Bench, **env: str) -> bytes:
    """What a run that ends partial shows on a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    try:
        with subprocess.Popen(
            [*command(), "run", "job.yaml"],
            cwd=bench.folder,
            env=environment(bench.folder, COLUMNS="100", **env, **bench.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        ) as process:
            assert process.wait(30) == 3
        os.close(theirs)
        theirs = -1
        shown = b""
        while part := _read(ours):
            shown += part
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    return shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other side is closed and everything has been read
        return b""


def test_status_tells_how_far_a_run_is_while_it_goes_on_and_after(bench: Bench):
    bench.job(4, run={"concurrency": 4})
    bench.service.hold(completion=3)
    with bench.start() as running:
        running.until_states(saved=3, submitted=1)
        found = _status(bench)
        assert found["running"] is True
        assert (found["planned"], found["saved"], found["pending"]) == (4, 3, 1)
        assert (found["images"], found["images_planned"], found["nsfw"]) == (3, 4, 0)
        assert found["images_per_minute"] > 0
        assert found["seconds_left"] > 0
        bench.service.release()
        assert running.process.wait() == 0
    found = _status(bench)
    assert (found["running"], found["saved"], found["images"]) == (False, 4, 4)
    assert found["spent_usd"] == 0.16
    words = run_batchgen("status", bench.dataset, cwd=bench.folder)
    assert (words.returncode, words.stderr) == (0, "")
    assert "4 of 4 saved" in words.stdout
    assert "not running" in words.stdout


def test_status_after_a_kill_says_that_nothing_runs(bench: Bench):
    bench.job(4)
    bench.service.hold(completion=1)
    with bench.start() as running:
        running.until_states(saved=1, submitted=3)
        running.process.kill()
    found = _status(bench)
    assert (found["running"], found["saved"], found["pending"]) == (False, 1, 3)


def test_status_of_a_folder_that_is_no_dataset_is_a_usage_error(tmp_path):
    done = run_batchgen("status", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == []


def _status(bench: Bench) -> dict[str, Any]:
    done = run_batchgen("status", bench.dataset, "--json", cwd=bench.folder)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
