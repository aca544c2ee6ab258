"""The benchmarks run, show a client that misbehaves as failed, and compute their ideal rightly."""

import json
import math
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

import pytest

from batchgen.dataset.files.picture import look_at
from benchmarks.cases import CASES, Case, Work
from benchmarks.compare import measure
from benchmarks.latency import ideal_makespan, read_latency
from benchmarks.making import Making, Settings
from benchmarks.measuring import Bench
from benchmarks.million import million
from benchmarks.picture import ID_DIGITS, named_in, naming_chunk, png_frame
from benchmarks.processes import serving, share_cores
from benchmarks.report import table
from benchmarks.scenarios import SCENARIOS
from tests.support.cli import ROOT, environment

TINY = replace(SCENARIOS["steady"], n=8, concurrency=4, latency="fixed:0.02", poll=0.01, size=2_000)
# One client that does something else than it was asked to.
CHEAT = """
import json, sys, urllib.request
from benchmarks.peers.given import MODEL, given
work = given()
key = {"Authorization": f"Bearer {work.key}"}
for number in [0, 0, *range(1, len(work.prompts) - 1)]:
    body = json.dumps(work.request(number)).encode()
    urllib.request.urlopen(urllib.request.Request(f"{work.base}/api/v3/{MODEL}", body, key)).read()
"""


def cheat(work: Work) -> list[str]:
    _, _, _, *options = CASES["floor"].command(work)
    return [sys.executable, "-c", CHEAT, *options]


def test_two_clients_pass_the_gates_and_leave_a_document(tmp_path: Path):
    command = ["--scenario", "steady", "--n", "8", "--concurrency", "4", "--latency", "fixed:0.02"]
    options = ["--poll", "0.01", "--size", "2k", "--repeat", "1", "--only", "floor", "batchgen"]
    place = ["--dir", str(tmp_path), "--json", str(tmp_path / "found.json")]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *command, *options, *place],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    (steady,) = found["scenarios"]
    assert (steady["scenario"]["n"], steady["compared_with"]) == (8, "floor")
    assert math.isclose(steady["ideal_s"], 0.04)
    assert list(steady["results"]) == ["floor", "batchgen"]
    for result in steady["results"].values():
        assert result["failures"] == []
        assert len(result["runs"]) == 1
        assert result["median"]["images_per_s"] > 0
        assert result["median"]["polls_per_image"] >= 1
        assert 0 < result["median"]["efficiency"] < 1
    assert steady["results"]["floor"]["ratio"]["images_per_s"] == 1
    assert steady["results"]["batchgen"]["median"]["resume_s"] > 0
    assert "batchgen" in done.stdout
    assert not list(tmp_path.glob("batchgen-benchmarks-*"))


def test_a_client_that_fails_a_gate_has_no_numbers(tmp_path: Path):
    case = Case(name="floor", command=cheat, images="*.png")
    with serving(share_cores()) as server:
        bench = Bench(server=server, cores=share_cores(), folder=tmp_path, timeout=30)
        summary = measure(bench, TINY, [case], 1)
    result = summary.results["floor"]
    assert (result.median, result.ratio) == ({}, {})
    assert sorted(result.failures) == [
        "expected 0 duplicate submits, the server counted 1",
        "expected 8 downloads, the server counted 0",
        "expected 8 images, found 0 in 0 files",
    ]
    assert "  floor FAILED: expected 8 downloads, the server counted 0" in table(summary)


def test_a_dataset_made_for_measuring_counts_as_finished(tmp_path: Path, monkeypatch):
    again = {"run": ("run", "job.yaml", "--quiet", "--limit", "1")}
    monkeypatch.setattr("benchmarks.million.COMMANDS", again)
    assert million(["--n", "100", "--dir", str(tmp_path), "--json", str(tmp_path / "m.json")]) == 0
    found = json.loads((tmp_path / "m.json").read_text("utf-8"))
    assert found["n"] == 100
    assert [stage["failure"] for stage in found["stages"]] == ["", "", ""]
    assert min(found["bytes_per_variant"].values()) > 0


@pytest.mark.parametrize(
    ("latencies", "slots", "limits", "expected"),
    [
        ([2.0] * 8, 4, {}, 4.0),
        ([2.0] * 9, 4, {}, 6.0),
        ([3.0, 1.0, 1.0, 1.0], 2, {}, 3.0),
        ([1.0, 1.0, 3.0], 2, {}, 4.0),
        ([2.0], 64, {}, 2.0),
        ([], 4, {}, 0.0),
        ([0.0] * 100, 4, {}, 0.0),
        ([1.0] * 5, 10, {"per_window": 2, "window": 60.0}, 121.0),
    ],
)
def test_the_ideal_is_what_a_perfect_client_needs(latencies, slots, limits, expected):
    assert ideal_makespan(latencies, slots, **limits) == expected


def test_latencies_are_the_same_every_time_and_keep_their_distribution():
    latency = read_latency("lognormal:8,20")
    found = [latency.of(number) for number in range(400)]
    assert found == [latency.of(number) for number in range(400)]
    assert math.isclose(median(found), 8, rel_tol=0.02)
    assert math.isclose(quantiles(found, n=20)[-1], 20, rel_tol=0.05)


@pytest.mark.parametrize("text", ["2", "fixed:", "fixed:-1", "lognormal:8", "lognormal:8,5", "x:1"])
def test_a_latency_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(ValueError, match="expected fixed:SECONDS or lognormal:MEDIAN,P95"):
        read_latency(text)


def test_limits_refuse_or_queue():
    few = Making(Settings(latency="fixed:2", max_concurrent=2))
    assert [bool(few.accept(now, b"")) for now in (0.0, 1.0, 1.5, 2.0)] == [True, True, False, True]
    assert few.most == 2
    slow = Making(Settings(latency="fixed:2", workers=1))
    made = [slow.accept(now, b"") for now in (0.0, 1.0, 9.0)]
    assert [each.started for each in made if each] == [0.0, 2.0, 9.0]
    paced = Making(Settings(rpm=2, window=10.0))
    assert [bool(paced.accept(now, b"")) for now in (0.0, 1.0, 2.0, 10.0)] == [
        True, True, False, True,
    ]  # fmt: skip


def test_pictures_are_whole_have_the_size_asked_for_and_say_whose_they_are():
    name = b"7" * ID_DIGITS
    before, after = png_frame(5_000)
    data = before + naming_chunk(name) + after
    assert len(data) == 5_000
    assert named_in(data) == name.decode()
    assert named_in(data[:50]) == named_in(b"x" * 200) == ""
    picture = look_at(memoryview(data))
    assert (picture.width, picture.height) == (256, 256)
    length, kind = struct.unpack_from(">I4s", after)
    assert kind == b"IDAT"
    assert len(zlib.decompress(after[8 : 8 + length])) == 257 * 256
    with pytest.raises(ValueError, match="expected images of at least"):
        png_frame(100)
