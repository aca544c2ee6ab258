"""Medians, ratios, and a table to read them in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from benchmarks.measuring import Numbers, Turn
from benchmarks.scenarios import Scenario

BASES = ("floor_files", "floor", "batchgen")
"""What the others are compared with: the first of these that has numbers."""
_RATIOS = {"images/s": "images_per_s", "CPU": "cpu_ms_per_image", "memory": "peak_mb"}
# Heading, number, format.
_COLUMNS = (
    ("images/s", "images_per_s", "{:.1f}"),
    ("efficiency", "efficiency", "{:.2f}"),
    ("CPU ms/image", "cpu_ms_per_image", "{:.2f}"),
    ("peak MB", "peak_mb", "{:.0f}"),
    ("polls/image", "polls_per_image", "{:.1f}"),
    ("lag s", "lag_mean_s", "{:.2f}"),
    ("lag p95", "lag_p95_s", "{:.2f}"),
    ("start s", "start_s", "{:.2f}"),
    ("resume s", "resume_s", "{:.2f}"),
    ("server", "server_busy", "{:.0%}"),
    ("others", "others", "{:.0%}"),
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """All turns of one case."""

    failures: list[str]
    """Without repetitions; a case that failed in one round has no numbers at all."""
    runs: list[Numbers]
    median: Numbers
    ratio: Numbers
    """To the case that all are compared with."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All cases of one scenario."""

    scenario: Scenario
    ideal_s: float
    compared_with: str | None
    results: dict[str, Result]
    memory: dict[int, float | None] = field(default_factory=dict)
    """Peak memory of batchgen in MB by the number of images."""

    def as_json(self) -> dict[str, object]:
        """The part of the JSON document."""
        return asdict(self)


def summed_up(
    scenario: Scenario, turns: Sequence[Turn], memory: Mapping[int, float | None] | None = None
) -> Summary:
    """Medians of the *turns* and their ratios."""
    names = dict.fromkeys(turn.case for turn in turns)
    by_case = {name: [turn for turn in turns if turn.case == name] for name in names}
    medians = {name: _medians(found) for name, found in by_case.items()}
    base = next((name for name in BASES if medians.get(name)), None)
    return Summary(
        scenario=scenario,
        ideal_s=scenario.ideal(),
        compared_with=base,
        results={
            name: Result(
                failures=list(dict.fromkeys(words for turn in found for words in turn.failures)),
                runs=[turn.numbers for turn in found],
                median=medians[name],
                ratio=_ratios(medians[name], medians[base]) if base and medians[name] else {},
            )
            for name, found in by_case.items()
        },
        memory=dict(memory or {}),
    )


def table(summary: Summary) -> Iterator[str]:
    """Lines for a screen."""
    s = summary.scenario
    yield f"{s.name}: {s.about}"
    ideal = f", a perfect client needs {summary.ideal_s:.1f} s" if summary.ideal_s else ""
    yield f"  {s.n} images of {s.size:,} bytes, {s.concurrency} at once, {s.latency}{ideal}"
    compared = [f"{name} ×{summary.compared_with}" for name in _RATIOS]
    rows = [["", *(heading for heading, _, _ in _COLUMNS), *compared]]
    for name, result in summary.results.items():
        if result.failures:
            continue
        cells = [_cell(result.median.get(key), shape) for _, key, shape in _COLUMNS]
        ratios = [_cell(result.ratio.get(key), "{:.2f}") for key in _RATIOS.values()]
        rows.append([name, *cells, *ratios])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  " + "  ".join([row[0].ljust(widths[0]), *cells])
    for name, result in summary.results.items():
        yield from (f"  {name} FAILED: {words}" for words in result.failures)
    if summary.memory:
        sizes = ", ".join(f"{_cell(mb, '{:.0f}')} MB at n={n}" for n, mb in summary.memory.items())
        yield f"  memory of batchgen: {sizes}"


def _medians(turns: Sequence[Turn]) -> Numbers:
    if any(turn.failures for turn in turns):
        return {}
    return {name: _median([turn.numbers[name] for turn in turns]) for name in turns[0].numbers}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _ratios(own: Numbers, base: Numbers) -> Numbers:
    found: Numbers = {}
    for name in _RATIOS.values():
        mine, other = own[name], base[name]
        found[name] = mine / other if mine is not None and other else None
    return found


def _cell(value: float | None, shape: str) -> str:
    return "–" if value is None else shape.format(value)
