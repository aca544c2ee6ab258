"""What a run shows while it goes on."""

import json
import signal
import sys

import pytest

from batchgen.cli.progress import Bar, Lines, Rate, Silence, choose, details
from batchgen.run.telling.tally import Tally
from tests.support.bench import QUICK, Bench


def tally(**more: object) -> Tally:
    counts = {"images_planned": 1000, "images": 350, "nsfw": 0, "spent_micros": 0, **more}
    return Tally(**counts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rate", "found", "shown"),
    [
        (None, tally(), []),
        (0.0, tally(), ["0/min"]),
        (312.0, tally(rate_limit=400.0), ["312 of 400/min", "2 min left"]),
        (312.0, tally(images=1000), ["312/min"]),
        (312.0, tally(images=1350, images_unwanted=1000), ["312/min", "2 min left"]),
        (None, tally(spent_micros=14_000_000, projected_micros=40_000_000), ["$14.00 of $40.00"]),
        (None, tally(spent_micros=14_000_000, projected_micros=14_000_000), ["$14.00"]),
        (None, tally(spent_micros=14_000_000), ["$14.00"]),
        (None, tally(failed=2, in_flight=1048, nsfw=3), ["2 failed", "1,048 in flight", "3 NSFW"]),
    ],
)
def test_what_matters_is_told_and_what_there_is_none_of_is_not(rate, found, shown):
    assert details(found, rate) == shown


def test_the_rate_is_that_of_the_last_minute():
    now = 0.0
    rate = Rate(lambda: now)
    assert rate.per_minute(0) is None
    for now in range(1, 121):
        found = rate.per_minute(now * 2)
        assert found == pytest.approx(120)
    for now in range(121, 181):  # noqa: B007
        rate.per_minute(240)
    assert rate.per_minute(240) == 0
    assert len(rate._seen) <= 62


@pytest.mark.parametrize(
    ("quiet", "terminal", "term", "lines", "kind"),
    [
        (False, True, "xterm", False, Bar),
        (False, True, "dumb", False, Lines),
        (False, True, "xterm", True, Lines),
        (False, False, "xterm", False, Lines),
        (True, True, "xterm", False, Silence),
    ],
)
def test_a_bar_is_for_terminals_that_can_show_one(monkeypatch, quiet, terminal, term, lines, kind):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", term)
    assert type(choose(quiet=quiet, lines=lines)) is kind


def test_a_signal_makes_a_run_say_what_is_on_its_way_and_go_on(bench: Bench):
    bench.job(["a pear", "a plum"])
    bench.service.hold(completion=1)
    with bench.start() as running:
        running.until_states(saved=1, submitted=1)
        running.process.signal(signal.SIGUSR1)
        running.process.until(lambda: " is being made, for " in running.process.stderr)
        bench.service.release()
        assert running.process.wait() == 0
    said = running.process.stderr.splitlines()
    (flying,) = [row for row in bench.rows() if f"prediction {row['prediction_id']}" in said[1]]
    assert said[0] == "batchgen: info: 1 on their way, the slowest first:"
    assert f"variant {flying['variant_key']} of prompt {flying['prompt_id']}," in said[1]
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    assert f" INFO prediction {flying['prediction_id']}, variant " in log


def test_json_lines_hold_everything_that_is_said(bench: Bench):
    bench.job(["a pear", {"id": "twin", "text": "a pear"}, "a [submit=400]"], params={"seed": 1})
    bench.service.hold(completion=0)
    lines = {**QUICK, "batchgen.cli.progress.LINE_EVERY": 0.02}
    with bench.start("--log-format", "json", patch=lines) as running:
        running.process.until(lambda: '"in_flight": 1' in running.process.stderr)
        bench.service.release()
        assert running.process.wait() == 3
    said = [json.loads(line) for line in running.process.stderr.splitlines()]
    first, *_, last = said
    assert all({"time", "level", "message"} <= line.keys() for line in said)
    assert (first["level"], first["file"], first["line"]) == ("warning", "job.yaml", 3)
    assert first["message"].startswith("1 of 3 variants ask for the same")
    assert any(line["level"] == "warning" and "was rejected" in line["message"] for line in said)
    progress = next(line for line in said if "in_flight" in line)
    assert (progress["images"], progress["images_planned"], progress["level"]) == (0, 2, "info")
    assert (last["level"], last["exit_code"], last["class"]) == ("error", 3, "partial")
    assert last["message"].startswith("partial: 1 of 2 variants")


def test_json_lines_hold_the_mistakes_of_a_job_file(bench: Bench):
    (bench.folder / "job.yaml").write_text("name: x\nprompts: [a pear]\nmatrix: {sed: [1]}\n")
    done = bench.run("--log-format", "json")
    problem, last = map(json.loads, done.stderr.splitlines())
    assert (done.returncode, problem["line"], problem["column"]) == (2, 3, 10)
    assert (last["exit_code"], last["class"]) == (2, "usage")
