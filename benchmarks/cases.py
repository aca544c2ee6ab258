"""The clients that are compared: how each is started, and where its images are."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scenarios import Scenario

KEY = "benchmark-5a1d-key"


@dataclass(frozen=True, kw_only=True)
class Work:
    """One client's turn: an empty folder, and what it is to make there."""

    folder: Path
    base: str
    """The address of the service."""
    scenario: Scenario

    @property
    def out(self) -> Path:
        """Where images go."""
        return self.folder / "out"

    @property
    def prompts(self) -> Path:
        """The file of prompts, one a line; the same for every client."""
        return self.folder / "prompts.txt"

    def prepare(self) -> None:
        """Write the prompts."""
        self.out.mkdir(parents=True)
        words = "A vintage package of flour on a speckled Formica counter in soft, warm light"
        lines = (f"{words}, arrangement {number}\n" for number in range(self.scenario.n))
        self.prompts.write_text("".join(lines), "utf-8")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A client."""

    name: str
    command: Callable[[Work], list[str]]
    images: str | None
    """The pattern of its image files below ``out``; None for one that keeps nothing."""
    resumes: bool = False
    """Whether running it again is worth a measurement."""

    def named(self, work: Work) -> Iterator[Path]:
        """Its image files."""
        return work.out.glob(self.images) if self.images else iter(())


def _peer(module: str, *more: str) -> Callable[[Work], list[str]]:
    def command(work: Work) -> list[str]:
        told = {
            "--base": work.base,
            "--key": KEY,
            "--prompts": str(work.prompts),
            "--concurrency": str(work.scenario.concurrency),
            "--poll": str(work.scenario.poll),
            "--out": str(work.out),
        }
        options = [word for pair in told.items() for word in pair]
        return [sys.executable, "-m", f"benchmarks.peers.{module}", *options, *more]

    return command


def _batchgen(work: Work) -> list[str]:
    job = {
        "name": "benchmark",
        "prompts": [{"file": work.prompts.name}],
        "params": {"aspect_ratio": "1:1", "num_images": 1},
        "run": {
            "concurrency": work.scenario.concurrency,
            "max_variants": work.scenario.n,
            "poll": {"min_interval": work.scenario.poll},
        },
        "output": {"dir": "out"},
    }
    # JSON is YAML.
    (work.folder / "job.yaml").write_text(json.dumps(job), "utf-8")
    run = [sys.executable, "-m", "batchgen", "run", "job.yaml", "--quiet", "--yes"]
    return [*run, "--base-url", work.base]


CASES = {
    case.name: case
    for case in (
        Case(name="floor", command=_peer("floor"), images=None),
        Case(name="floor_files", command=_peer("floor", "--files"), images="*.png"),
        Case(name="batchgen", command=_batchgen, images="images/**/*.png", resumes=True),
        Case(name="plain_asyncio", command=_peer("plain_asyncio"), images="*.png"),
        Case(name="sdk_threads", command=_peer("sdk_threads"), images="*.png"),
    )
}
