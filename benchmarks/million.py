"""Planning and resuming at size: ``python -m benchmarks million --n 1000000``.

A dataset of *n* saved variants is made without a service. Its ledger is written through the ledger
itself. Its image files are hard links to a few sparse files of the right size, because a resume
asks the file system for the size of each and reads none. Commands are then run on it, each in a
process of its own.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.job.load import Job, load_job
from batchgen.job.variants import Variant
from batchgen.ledger.entry import Entry, Image, State
from batchgen.ledger.store import Ledger
from benchmarks.processes import Cores, environment, run

IMAGE_BYTES = 200_000
_PROMPTS = 100
_MOST = 10_000_000
_CHUNK = 1_000
_LINKS = 30_000  # to one file; ext4 allows 65,000
_TIME = "2026-01-31T23:59:59.123Z"
_READ = "import batchgen, sys; print(sum(1 for _ in batchgen.open_dataset(sys.argv[1])))"
_REBUILD = """
import asyncio, pathlib, sys
from batchgen.dataset.folder import DatasetFolder
from batchgen.run.claim.rebuild import rebuild_ledger
folder = DatasetFolder(pathlib.Path(sys.argv[1]))
folder.ledger.unlink()
with folder.manifest_jsonl.open("rb") as rows:
    assert asyncio.run(rebuild_ledger(folder)) == sum(1 for _ in rows)
"""
COMMANDS = {
    "plan, all made": ("plan", "job.yaml"),
    "run, manifest to write": ("run", "job.yaml", "--quiet"),
    "run, nothing to do": ("run", "job.yaml", "--quiet"),
    "status": ("status", "out"),
    "read every row": ("-c", _READ, "out"),
}
"""What is measured on the finished dataset, in this order."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One command on the whole dataset."""

    name: str
    seconds: float
    peak_mb: float
    failure: str = ""


def million(arguments: Sequence[str]) -> int:
    """Measure what the command line asks for; 1 when a command failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks million", description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="variants, rounded down to hundreds")
    parser.add_argument("--dir", type=Path, help="where the dataset is made")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one command")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers")
    told = parser.parse_args(arguments)
    if not _PROMPTS <= told.n <= _MOST:
        parser.error(f"expected --n from {_PROMPTS} to {_MOST:,}, got {told.n:,}")
    n = told.n // _PROMPTS * _PROMPTS
    with tempfile.TemporaryDirectory(prefix="batchgen-million-", dir=told.dir) as place:
        folder = Path(place)
        write_job(folder / "job.yaml", n)
        print(f"{n:,} variants", flush=True)
        stages = [_measure("plan, nothing made", folder, told.timeout, "plan", "job.yaml")]
        began = time.monotonic()
        asyncio.run(make_dataset(load_job(folder / "job.yaml"), folder))
        print(f"  (made in {time.monotonic() - began:.0f} s, not measured)", flush=True)
        for name, command in COMMANDS.items():
            stages.append(_measure(name, folder, told.timeout, *command))
        sizes = _bytes_per_variant(folder / "out", n)
        # Last, because it changes the ledger. Files are looked at as by a resume, and not read.
        lost = _measure("a lost ledger made anew", folder, told.timeout, "-c", _REBUILD, "out")
        stages.append(lost)
    print("\n".join(f"  {name}: {size:.0f} bytes per variant" for name, size in sizes.items()))
    if told.json:
        document = {"n": n, "stages": [*map(asdict, stages)], "bytes_per_variant": sizes}
        told.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return int(any(stage.failure for stage in stages))


def write_job(path: Path, n: int) -> None:
    """A job of *n* variants, a multiple of a hundred, on the local service."""
    prompts = [f"A kitchen still life in soft light, arrangement {k}" for k in range(_PROMPTS)]
    job = {
        "name": "million",
        "service": "local",
        "prompts": prompts,
        "matrix": {"seed": f"0..{n // _PROMPTS - 1}"},
        "run": {"max_variants": n},
        "output": {"dir": "out"},
    }
    path.write_text(json.dumps(job), "utf-8")


async def make_dataset(job: Job, folder: Path) -> None:
    """The dataset of *job* as a run that has just finished would leave it, but for the manifest."""
    dataset = DatasetFolder(job.folder)
    dataset.prepare()
    links = _links(folder)
    variants = iter(job.variants)
    with Ledger(dataset.ledger) as ledger:
        ledger.set_meta(plan=job.variants.fingerprint())
        while chunk := list(islice(variants, _CHUNK)):
            saved = [_saved(job, variant) for variant in chunk]
            await asyncio.gather(*(ledger.write(entry, [image]) for entry, image in saved))
            for _, image in saved:
                path = dataset.root / image.file_name
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(next(links), path)


def _links(folder: Path) -> Iterator[Path]:
    """Files to link to, each a limited number of times."""
    number = 0
    while True:
        path = folder / f"original-{number}"
        with path.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        for _ in range(_LINKS):
            yield path
        number += 1


def _saved(job: Job, variant: Variant) -> tuple[Entry, Image]:
    entry = Entry(
        key=variant.key,
        state=State.SAVED,
        revision=1,
        prompt_id=variant.prompt_id,
        model=variant.model,
        request=variant.request,
        images_asked=1,
        attempts=1,
        prediction_id=f"{variant.index:032x}",
        spent_micros=0,
        account="0" * 16,
        intent_at=_TIME,
        created_at=_TIME,
        submitted_at=_TIME,
        completed_at=_TIME,
        queue_ms=1000,
        inference_ms=8000,
        total_ms=9000,
        polls=3,
    )
    image = Image(
        index=0,
        file_name=job.image_name(variant, 0) + ".png",
        bytes=IMAGE_BYTES,
        sha256=f"{variant.index:064x}",
        media_type="image/png",
        width=1024,
        height=1024,
        nsfw=False,
        saved_at=_TIME,
    )
    return entry, image


def _measure(name: str, folder: Path, timeout: float, *command: str) -> Stage:
    start = [] if command[0] == "-c" else ["-m", "batchgen"]
    ours = frozenset(os.sched_getaffinity(0))
    cost = run(
        [sys.executable, *start, *command],
        folder=folder,
        env=environment(HOME=str(folder)),
        cores=Cores(client=ours, server=ours),
        timeout=timeout,
    )
    failure = "" if cost.exit_code == 0 else f"exit code {cost.exit_code}: {cost.said[-300:]}"
    found = f"{cost.wall:8.1f} s {cost.peak_mb:6.0f} MB"
    print(f"  {name:24}" + (f"FAILED: {failure}" if failure else found), flush=True)
    return Stage(name=name, seconds=cost.wall, peak_mb=cost.peak_mb, failure=failure)


def _bytes_per_variant(root: Path, n: int) -> dict[str, float]:
    folder = DatasetFolder(root)
    ledger = sum(path.stat().st_size for path in folder.state.glob(f"{folder.ledger.name}*"))
    return {
        "ledger": ledger / n,
        "manifest.jsonl": folder.manifest_jsonl.stat().st_size / n,
        "manifest.csv": folder.manifest_csv.stat().st_size / n,
    }
