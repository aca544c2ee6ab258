"""All cases, round by round, through one scenario after the other."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from compileall import compile_dir
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.latency import read_latency
from benchmarks.measuring import Bench, Turn
from benchmarks.picture import png_frame
from benchmarks.processes import ROOT, serving, share_cores
from benchmarks.report import Summary, summed_up, table
from benchmarks.scenarios import QUICK, SCENARIOS, Scenario

_MOST = 100_000  # images of one turn
_UNITS = {"k": 1_000, "m": 1_000_000}


def compare(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for; 1 when a case failed."""
    told = _parser().parse_args(arguments)
    cases = [CASES[name] for name in told.only or CASES]
    cores = share_cores()
    # As pip leaves what it installs: else ours alone would be compiled anew at every start.
    for package in ("batchgen", "benchmarks"):
        compile_dir(ROOT / package, quiet=1)
    if told.dir:
        told.dir.mkdir(parents=True, exist_ok=True)
    summaries = []
    with (
        tempfile.TemporaryDirectory(prefix="batchgen-benchmarks-", dir=told.dir) as folder,
        serving(cores) as server,
    ):
        # What measures takes its time where the server does, not from the clients.
        os.sched_setaffinity(0, cores.server)
        bench = Bench(server=server, cores=cores, folder=Path(folder), timeout=told.timeout)
        for scenario in _scenarios(told):
            summary = measure(bench, scenario, cases, told.repeat or (1 if told.quick else 3))
            summaries.append(summary)
            print("\n".join([*table(summary), ""]), flush=True)
    if told.json:
        document = {"machine": machine(), "scenarios": [each.as_json() for each in summaries]}
        told.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    failed = any(result.failures for each in summaries for result in each.results.values())
    return int(failed)


def measure(bench: Bench, scenario: Scenario, cases: Sequence[Case], rounds: int) -> Summary:
    """Take the turns of *scenario*: every round has one of each case, so that noise hits all."""
    turns = []
    for number in range(rounds):
        for case in cases:
            print(f"{scenario.name}, round {number + 1}: {case.name}", file=sys.stderr, flush=True)
            turns.append(bench.turn(case, scenario))
    memory = {}
    if scenario.name == "zero" and CASES["batchgen"] in cases:
        memory = _memory(bench, scenario, turns)
    return summed_up(scenario, turns, memory)


def _memory(bench: Bench, scenario: Scenario, turns: Sequence[Turn]) -> dict[int, float | None]:
    """Peak memory of batchgen at a quarter of the images, and at all of them."""
    small = replace(scenario, n=max(1, scenario.n // 4))
    less = bench.turn(CASES["batchgen"], small)
    whole = next(turn for turn in turns if turn.case == "batchgen")
    return {
        small.n: less.numbers.get("peak_mb"),
        scenario.n: whole.numbers.get("peak_mb"),
    }


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    names = ("aiohttp", "aiofiles", "wavespeed", "uvloop")
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": {name: version(name) for name in names if find_spec(name)},
    }


def _scenarios(told: argparse.Namespace) -> list[Scenario]:
    names = list(SCENARIOS) if told.scenario == "all" else [told.scenario]
    given = {
        name: getattr(told, name)
        for name in ("n", "concurrency", "latency", "size", "poll", *_LIMITS)
        if getattr(told, name) is not None
    }
    quick: Mapping[str, Mapping[str, Any]] = QUICK if told.quick else {}
    return [replace(SCENARIOS[name], **{**quick.get(name, {}), **given}) for name in names]


_LIMITS = {
    "max_concurrent": (int, "429 while so many are in the making"),
    "workers": (int, "so many are made at once, others wait"),
    "rpm": (int, "429 beyond so many submits a minute"),
    "rtt": (float, "seconds by which every answer is late"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure batchgen beside other clients, on this machine and loopback only.",
        epilog="python -m benchmarks million --help: planning and resuming at size.",
    )
    add = parser.add_argument
    add("--scenario", choices=[*SCENARIOS, "all"], default="all")
    add("--quick", action="store_true", help="about a minute: fewer images, one round")
    add("--only", nargs="+", choices=list(CASES), metavar="NAME", help=", ".join(CASES))
    add("--repeat", type=_whole, metavar="ROUNDS", help="3, or 1 with --quick")
    add("--n", type=_whole, help="images for each client")
    add("--concurrency", type=_whole, metavar="C", help="images on their way at once")
    add("--latency", type=_latency, metavar="L", help="fixed:2 or lognormal:8,20, in seconds")
    add("--size", type=_size, metavar="BYTES", help="of an image: 200k, 1.5m")
    add("--poll", type=float, metavar="S", help="seconds between two polls of one prediction")
    for name, (kind, words) in _LIMITS.items():
        add(f"--{name.replace('_', '-')}", type=kind, help=words)
    add("--timeout", type=float, default=300, metavar="S", help="for one turn of one client")
    add("--dir", type=Path, help="where clients write; the disk is part of what is measured")
    add("--json", type=Path, metavar="FILE", help="write every number of every round")
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {_MOST:,}, got {text}")
    return number


def _latency(text: str) -> str:
    try:
        read_latency(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _size(text: str) -> int:
    unit = _UNITS.get(text[-1:].lower(), 1)
    try:
        size = int(float(text.rstrip("kKmM")) * unit)
        png_frame(size)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return size
