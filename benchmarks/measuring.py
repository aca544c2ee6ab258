"""One turn of one client: its numbers, or the reasons why it has none."""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import KEY, Case, Work
from benchmarks.picture import HEAD_BYTES, named_in
from benchmarks.processes import Cores, Cost, Server, environment, run
from benchmarks.scenarios import Scenario

Numbers = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one turn showed."""

    case: str
    failures: tuple[str, ...]
    """What it did not do as it should; its numbers would mean nothing."""
    numbers: Numbers = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where turns are taken."""

    server: Server
    cores: Cores
    folder: Path
    """An empty folder, with room for all that clients write in all turns."""
    timeout: float
    """Seconds for one turn."""

    def turn(self, case: Case, scenario: Scenario) -> Turn:
        """Let *case* do the work of *scenario* in a fresh process and a fresh folder."""
        # Not removed until the end: ext4 would search among the names that were just given back,
        # which took a third of the CPU of whoever wrote files next.
        folder = Path(tempfile.mkdtemp(prefix=f"{case.name}-", dir=self.folder))
        work = Work(folder=folder, base=self.server.base, scenario=scenario)
        work.prepare()
        # Or the syncs of one client would wait for what another has left the system to write.
        os.sync()
        return self._turn(case, work)

    def _turn(self, case: Case, work: Work) -> Turn:
        self.server.reset(**vars(work.scenario.settings()))
        cost = self._run(case, work)
        stats = self.server.stats()
        failures = [*_broken(cost, stats, work.scenario.n), *_damaged(case, work)]
        numbers: Numbers = {}
        if not failures:
            numbers = _numbers(cost, stats, work.scenario)
            if case.resumes:
                again = self._run(case, work)
                numbers["resume_s"] = again.wall
                failures = [*_idle(again, stats, self.server.stats())]
        kept = {} if failures else numbers
        return Turn(case=case.name, failures=tuple(failures), numbers=kept)

    def _run(self, case: Case, work: Work) -> Cost:
        return run(
            case.command(work),
            folder=work.folder,
            env=environment(WAVESPEED_API_KEY=KEY, HOME=str(work.folder)),
            cores=self.cores,
            timeout=self.timeout,
        )


def _broken(cost: Cost, stats: Numbers, n: int) -> Iterator[str]:
    """What the client did wrong, by its exit code and the server's books."""
    if cost.exit_code is None:
        yield f"it was ended after {cost.wall:.0f} s"
    elif cost.exit_code:
        yield f"exit code {cost.exit_code}: {cost.said.splitlines()[-1:] or ''}"
    for name, expected in {
        "submits": n,
        "downloads": n,
        "duplicate_submits": 0,
        "duplicate_downloads": 0,
        "keys_on_images": 0,
    }.items():
        if stats[name] != expected:
            yield f"expected {expected} {name.replace('_', ' ')}, the server counted {stats[name]}"


def _damaged(case: Case, work: Work) -> Iterator[str]:
    """What is wrong with its files: each has to hold another prediction's image, whole."""
    if not case.images:
        return
    owners = {}
    for path in case.named(work):
        with path.open("rb") as file:
            owners[path.relative_to(work.out).as_posix()] = named_in(file.read(HEAD_BYTES))
        if path.stat().st_size != work.scenario.size:
            yield f"{path.name} has {path.stat().st_size} bytes instead of {work.scenario.size}"
    found = len(set(owners.values()) - {""})
    if found != work.scenario.n or len(owners) != found:
        yield f"expected {work.scenario.n} images, found {found} in {len(owners)} files"
    manifest = work.out / "manifest.jsonl"
    if case.resumes and manifest.exists():
        rows = map(json.loads, manifest.read_text("utf-8").splitlines())
        if {row["file_name"]: row["prediction_id"] for row in rows} != owners:
            yield "the manifest gives images to the wrong predictions"


def _idle(again: Cost, before: Numbers, after: Numbers) -> Iterator[str]:
    """What a second run did, which has nothing to do."""
    if again.exit_code != 0:
        yield f"running again ended with {again.exit_code}"
    if any(after[name] != before[name] for name in ("submits", "polls", "downloads")):
        yield "running again sent requests"


def _numbers(cost: Cost, stats: Numbers, scenario: Scenario) -> Numbers:
    n = scenario.n
    active = stats["active_s"] or 0.0
    ideal = scenario.ideal()
    polls, served = stats["polls"] or 0.0, stats["server_cpu_s"] or 0.0
    return {
        "images_per_s": n / active,
        "efficiency": ideal / active if ideal else None,
        "cpu_ms_per_image": 1000 * cost.cpu / n,
        "peak_mb": cost.peak_mb,
        "polls_per_image": polls / n,
        "hasty_polls_per_image": (stats["hasty_polls"] or 0.0) / n,
        "lag_mean_s": stats["lag_mean_s"],
        "lag_p95_s": stats["lag_p95_s"],
        "start_s": (stats["first_submit"] or 0.0) - cost.started,
        "resume_s": None,
        "wall_s": cost.wall,
        "active_s": active,
        "refused": stats["refused"],
        "most_in_the_making": stats["most_in_the_making"],
        "server_busy": served / cost.wall,
        "others": cost.others,
    }
