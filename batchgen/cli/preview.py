"""What ``batchgen plan`` shows: what a run would make, for what, and what is there already."""

from collections import Counter
from collections.abc import Iterator

from batchgen.cli.screen import show
from batchgen.cli.words import table
from batchgen.job.load import Job
from batchgen.ledger.entry import State
from batchgen.run.plan.approval import ASK_OVER, asks
from batchgen.run.plan.preview import Preview
from batchgen.text import duration, money, size

_WIDTH = 80

# What people call the states of the ledger, and what to know about some of them.
_WORDS = {
    State.PLANNED: ("new", ""),
    State.SUBMITTING: ("in flight", ""),
    State.SUBMITTED: ("in flight", ""),
    State.COMPLETED: ("to download", ""),
    State.SAVED: ("saved", ""),
    State.FAILED: ("failed", "run --retry-failed makes them again"),
    State.UNCERTAIN: ("uncertain", "perhaps paid: see batchgen reconcile"),
    State.EXPIRED: ("expired", "run --resubmit-expired buys them again"),
}


def warn(found: Preview) -> Iterator[str]:
    """Sentences about what will not work out."""
    price, budget = found.price_micros, found.pace.budget_micros
    if price and budget is not None and price > (left := max(0, budget - found.spent_micros)):
        yield (
            f"the budget leaves {_dollars(left)} for what costs {_dollars(price)}: enough for "
            f"{left * found.new_images // price:,} of {found.new_images:,} new images"
        )
    if not found.free and asks(found.pace, found.new_images, price):
        yield (
            f"run asks before it spends more than ${ASK_OVER}; without a terminal it needs --yes, "
            "or a budget"
        )
    if found.refused:
        yield f"a run would be refused: {found.refused}"
    if found.new_bytes > found.free_bytes:
        yield (
            f"the new images take some {size(found.new_bytes)}, but the disk of {found.root} has "
            f"{size(found.free_bytes)} left"
        )


def print_preview(job: Job, found: Preview, *, part: bool = False) -> None:
    """Print it as tables for people, at most 80 characters wide where words allow.

    *part* says that *job* holds some of its variants alone.
    """
    table(
        [
            ("job", f"{job.name} ({job.file})"),
            ("model", _models(job, found)),
            ("variants", f"{len(job.variants):,}{_factors(job)}"),
            ("images", _sizes(found)),
            ("dataset", str(found.root)),
        ],
        width=_WIDTH,
    )
    show("")
    _print_states(found, part=part)
    show("")
    table(
        [
            ("price", _price(job, found)),
            ("time", _time(found)),
            ("disk", f"{_more(found)} more; {size(found.free_bytes)} are free"),
        ],
        width=_WIDTH,
    )


def _models(job: Job, found: Preview) -> str:
    """The models, and where there are several what an image of each costs."""
    each = [model.id for model in job.models]
    if len(each) > 1 and not found.free:
        prices = [_dollars(model.price_micros) for model in job.models]
        each = [f"{name} ({price} an image)" for name, price in zip(each, prices, strict=True)]
    return f"{', '.join(each)} on {'the local service' if found.free else 'WaveSpeedAI'}"


def _factors(job: Job) -> str:
    shown = job.outline.product(len(job.variants))
    if "×" in shown:
        return f" = {shown}"
    axes = ", ".join(job.outline.axes)
    return f" from {shown} with {axes}" if axes else f" from {shown}"


def _sizes(found: Preview) -> str:
    """The images of each size; the sizes alone when there are as many of each."""
    counts = Counter(found.sizes)
    names = {pair: f"{pair[0]}×{pair[1]}" if pair else "unknown size" for pair in counts}
    whole = f"{counts.total():,}"
    if len(counts) == 1:
        return f"{whole} of {names[next(iter(counts))]}"
    if len(set(counts.values())) == 1:
        return f"{whole}: {next(iter(counts.values())):,} each of {', '.join(names.values())}"
    return f"{whole}: " + ", ".join(f"{n:,} of {names[pair]}" for pair, n in counts.items())


def _print_states(found: Preview, *, part: bool) -> None:
    rows: dict[str, tuple[int, int]] = {}
    for (state, model), variants in found.stock.variants.items():
        name = _WORDS[state][0]
        before = rows.get(name, (0, 0))
        rows[name] = (before[0] + variants, before[1] + found.stock.images[state, model])
    notes = dict(_WORDS.values())
    show(f"{'':<17}{'variants':>10}{'images':>11}")
    for name, note in notes.items():
        variants, images = rows.get(name, (0, 0))
        if variants:
            show(f"{name:<17}{variants:>10,}{images:>11,}  {note}".rstrip())
    if found.unwanted:
        # What a part of the job leaves out may well be wanted.
        name = "outside the part" if part else "no longer wanted"
        show(f"{name:<17}{found.unwanted:>10,}{'':>11}  their images are kept")


def _price(job: Job, found: Preview) -> str:
    if found.free:
        return money(None, free=True)
    words = "nothing is new"
    if found.new_images:
        words = f"{_dollars(found.price_micros)} for what is new"
        if found.price_micros is None:
            words += " (the service quotes it when a run begins)"
        elif len(job.models) == 1 and (each := job.models[0].price_micros):
            words += f", at ${each / 1e6:g} an image"
    if found.spent_micros:
        words += f"; {_dollars(found.spent_micros)} spent so far"
    if found.pace.budget_micros is not None:
        words += f"; the budget is {_dollars(found.pace.budget_micros)}"
    return words


def _more(found: Preview) -> str:
    return f"about {size(found.new_bytes)}" if found.new_images else "nothing"


def _dollars(micros: int | None) -> str:
    return money(None if micros is None else micros / 1e6)


def _time(found: Preview) -> str:
    if not found.new_images:
        return "none"
    limits, stop = found.limits, found.pace.max_duration
    words = f"about {duration(found.seconds)}, with {limits.concurrency:,} in flight"
    if limits.rate:
        words += f" and {limits.rate:,.10g} images a minute"
    if limits.assumed:
        words += f" ({limits.assumed}: no tier is named)"
    if stop and stop < found.seconds:
        words += f"; each run stops after {duration(stop)}"
    return words
