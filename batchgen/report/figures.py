"""The plots of a report: numbers turned into places on a field of 100 by 100, and sentences."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from batchgen.report.contents import Contents, Row, number
from batchgen.report.timeline import Timeline, clock, seconds_of, timeline
from batchgen.text import counted, duration, money

_MOST_ROWS = 10  # prompts or classes in one plot
_COLUMNS = 60


@dataclass(frozen=True, kw_only=True)
class Column:
    """One upright bar."""

    x: float
    width: float
    height: float
    tip: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A line across the field, or a word below it."""

    x: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One lying bar with its name and what it says."""

    label: str
    said: str
    parts: Sequence[tuple[str, float, float]]
    """Kind, start and width of each part."""
    link: str
    """The view of the page that shows what the bar counts."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One plot; which of its lists are empty tells how it is drawn."""

    title: str
    sentence: str
    top: str = ""
    """What the upper edge of the field stands for."""
    columns: Sequence[Column] = ()
    line: Sequence[tuple[float, float]] = ()
    bars: Sequence[Bar] = ()
    marks: Sequence[Mark] = ()
    below: Sequence[Mark] = ()


def figures(contents: Contents) -> list[Figure]:
    """What a morning asks: how fast, how long, what it cost, what was flagged, what failed.

    Those that need no drawing come last.
    """
    saved = [(seconds_of(row.get("saved_at")), row) for row in contents.images]
    timed = sorted(((t, row) for t, row in saved if t is not None), key=lambda pair: pair[0])
    line = timeline(time for time, _ in timed)
    made = [
        _throughput(line, [time for time, _ in timed]),
        _latency(contents.images),
        _spend(contents, line, timed),
        _flags(contents.images),
        _failures(contents.failures),
    ]
    return sorted(made, key=lambda one: not (one.columns or one.line or one.bars))


def _throughput(line: Timeline, times: Sequence[float]) -> Figure:
    title = "Throughput"
    if not times:
        return Figure(title=title, sentence="No image has landed yet.")
    parts = min(_COLUMNS, max(8, len(times) // 4))
    counts = Counter(min(parts - 1, int(line.place(time) * parts)) for time in times)
    minutes = line.seconds / parts / 60
    highest = max(counts.values())
    stretches = len(line.stretches)
    pauses = f", in {stretches} stretches" if stretches > 1 else ""
    mean = len(times) / line.seconds * 60
    return Figure(
        title=title,
        sentence=f"{counted(len(times), 'image')} in {duration(line.seconds)}{pauses}: "
        f"{_rate(mean)} on average.",
        top=_rate(highest / minutes),
        columns=[
            Column(
                x=100 * at / parts,
                width=100 / parts,
                height=100 * counts[at] / highest,
                tip=f"{counts[at]:,} images, {_rate(counts[at] / minutes)}",
            )
            for at in range(parts)
            if counts[at]
        ],
        marks=[Mark(x=100 * x, label="") for x, _ in line.starts()[1:]],
        below=_times(line),
    )


def _rate(per_minute: float) -> str:
    return f"{per_minute:,.0f} a minute" if per_minute >= 10 else f"{per_minute:.1f} a minute"


def _times(line: Timeline) -> list[Mark]:
    """The first and the last moment, and where a stretch begins if there is room."""
    first, last = line.stretches[0][0], line.stretches[-1][1]
    marks = [Mark(x=0, label=clock(first, date=True))]
    for x, start in line.starts()[1:]:
        if marks[-1].x + 18 < 100 * x < 75:
            marks.append(Mark(x=100 * x, label=clock(start, date=True)))
    return [*marks, Mark(x=100, label=f"{clock(last, date=len(line.stretches) > 1)} UTC")]


def _latency(rows: Sequence[Row]) -> Figure:
    title = "Latency"
    by_variant = {
        row.get("variant_key"): took / 1000
        for row in rows
        if (took := number(row, "total_ms")) is not None
    }
    seconds = sorted(by_variant.values())
    if not seconds:
        return Figure(title=title, sentence="No prediction has a known latency.")
    half, most, slowest = (_share(seconds, share) for share in (0.5, 0.95, 1.0))
    parts = min(40, max(8, len(seconds) // 4))
    # The slowest few would press all others into one column: they share the last one.
    end = min(slowest, max(_share(seconds, 0.99) * 1.1, most * 1.5)) or 1.0
    counts = Counter(min(parts - 1, int(time / end * parts)) for time in seconds)
    highest = max(counts.values())
    return Figure(
        title=title,
        sentence=f"Half within {_brief(half)}, 95 % within {_brief(most)}, "
        f"the slowest {_brief(slowest)}.",
        top=f"{highest:,} predictions",
        columns=[
            Column(
                x=100 * at / parts,
                width=100 / parts,
                height=100 * counts[at] / highest,
                tip=f"{counts[at]:,} in {_brief(end * at / parts)} to "
                + _brief(end * (at + 1) / parts if at < parts - 1 else slowest),
            )
            for at in range(parts)
            if counts[at]
        ],
        marks=[
            Mark(x=100 * half / end, label="half"),
            Mark(x=100 * most / end, label="95 %"),
        ],
        below=[
            Mark(x=0, label="0 s"),
            Mark(x=100, label=_brief(end) + (" and more" if slowest > end else "")),
        ],
    )


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _brief(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 20 else duration(seconds)


def _spend(contents: Contents, line: Timeline, timed: Sequence[tuple[float, Row]]) -> Figure:
    title = "Spend"
    standing = contents.standing
    if standing.get("service") == "local":
        return Figure(title=title, sentence="None: the local service charges nothing.")
    costs = [(t, cost) for t, row in timed if (cost := number(row, "cost_usd")) is not None]
    total = sum(cost for _, cost in costs)
    if not total and number(standing, "spent_usd") is None:
        return Figure(title=title, sentence="Unknown: no price of the model is known.")
    sentence = f"{money(total)} for {counted(len(costs), 'image')}"
    if costs:
        sentence += f", {money(total / len(costs))} each"
    return Figure(
        title=title,
        sentence=sentence + _not_for_images(standing, total) + ".",
        top=money(total),
        line=_sums(line, costs, total),
        marks=[Mark(x=100 * x, label="") for x, _ in line.starts()[1:]],
        below=_times(line) if costs else (),
    )


def _not_for_images(standing: Mapping[str, object], total: float) -> str:
    """What was spent, or may have been, beyond the images that are here."""
    names = ("spent_usd", "reserved_usd", "refund_expected_usd")
    spent, reserved, refund = (number(standing, name) or 0.0 for name in names)
    words = f"; {money(spent)} in all" if spent - total > 0.0005 else ""
    doubts = [
        f"{money(amount)} {what}"
        for amount, what in (
            (reserved, "may not have been charged"),
            (refund, "should come back as refunds"),
        )
        if amount
    ]
    return f"{words}, of which {' and '.join(doubts)}" if doubts else words


def _sums(
    line: Timeline, costs: Sequence[tuple[float, float]], total: float
) -> list[tuple[float, float]]:
    """The sum over time at a few hundred places."""
    if not total:
        return []
    points, sum_, step = [(0.0, 0.0)], 0.0, max(1, len(costs) // 300)
    for at, (time, cost) in enumerate(costs, 1):
        sum_ += cost
        if at % step == 0 or at == len(costs):
            points.append((100 * line.place(time), 100 * sum_ / total))
    return [*points, (100.0, points[-1][1])]


def _flags(rows: Sequence[Row]) -> Figure:
    title = "Flagged NSFW"
    counts: dict[str, Counter[object]] = defaultdict(Counter)
    for row in rows:
        counts[str(row.get("prompt_id"))][row.get("nsfw")] += 1
    flagged = sum(count[True] for count in counts.values())
    unknown = sum(count[None] for count in counts.values())
    told = len(rows) - unknown
    sentence = f"{flagged:,} of {told:,} images ({_percent(flagged, told)}), by prompt."
    if not flagged:
        sentence = f"None of {told:,} images."
    if unknown:
        sentence += f" The service did not say for {unknown:,}."
    worst = sorted(counts.items(), key=lambda item: (-item[1][True], item[0]))
    shown = [(name, count) for name, count in worst if count[True]][:_MOST_ROWS]
    return Figure(
        title=title,
        sentence=sentence,
        bars=[
            Bar(
                label=name,
                said=f"{count[True]:,} of {count.total():,}",
                parts=[("flagged", 0, share := 100 * count[True] / count.total()),
                       ("rest", share, 100 - share)],
                link="#images?" + urlencode({"prompt_id": name, "nsfw": "true"}),
            )
            for name, count in shown
        ],
    )  # fmt: skip


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def _failures(rows: Sequence[Row]) -> Figure:
    title = "Without all their images"
    if not rows:
        return Figure(title=title, sentence="No variant that ended.")
    paid = Counter(row.get("paid") for row in rows)
    sentence = f"{counted(len(rows), 'variant')}, by reason"
    if paid[True]:
        sentence += f"; {paid[True]:,} were paid"
    if paid[None]:
        sentence += f"; {paid[None]:,} may have been paid"
    counts = Counter(str(row.get("error_class") or row.get("state")) for row in rows)
    most = counts.most_common(1)[0][1]
    return Figure(
        title=title,
        sentence=sentence + ".",
        bars=[
            Bar(
                label=name,
                said=f"{count:,}",
                parts=[("failed", 0, 100 * count / most)],
                link="#failures?" + urlencode({"reason": name}),
            )
            for name, count in counts.most_common(_MOST_ROWS)
        ],
    )
