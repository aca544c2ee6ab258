"""A job held against its ledger: how much of it is in which state, and what the rest costs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchgen.job.load import Job
from batchgen.job.models import find_model
from batchgen.job.variants import Variant
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from batchgen.run.claim.looking import known_ledger
from batchgen.run.terms.prices import Prices
from batchgen.run.terms.sharding import planned_in

_CHUNK = 2_000

Numbers = Counter[tuple[State, str]]
"""By state and model; planned is all that was never submitted, or only turned away."""


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What a job asks for, by what became of it."""

    variants: Numbers
    images: Numbers
    """That these ask for."""
    recorded: int = 0
    """How many of these variants the ledger has a record of."""

    def new(self) -> dict[str, int]:
        """The images that are still to be bought, by model."""
        return {model: n for (state, model), n in self.images.items() if state is State.PLANNED}


def take_stock(job: Job, ledger: Ledger | None) -> Stock:
    """Hold *job* against the *ledger* of its dataset, if there is one."""
    variants: Numbers = Counter()
    images: Numbers = Counter()
    if ledger and ledger.meta().get("plan") == job.variants.fingerprint():
        for name, found in ledger.asked().items():
            variants[name], images[name] = found
    elif ledger:
        _walk(job, ledger, variants, images)
    recorded = variants.total()
    for model, asked in _asked(job, ledger).items():
        begun = [key for key in variants if key[1] == model and key[0] is not State.PLANNED]
        for numbers, number in zip((variants, images), asked, strict=True):
            numbers[State.PLANNED, model] = number - sum(numbers[key] for key in begun)
    return Stock(variants=variants, images=images, recorded=recorded)


def projected(
    job: Job, ledger: Ledger, prices: Prices, spent_micros: int, budget_micros: int | None
) -> int | None:
    """What the dataset will have cost, in millionths of a dollar, when nothing fails."""
    new = prices.total(take_stock(job, ledger).new())
    if new is None:
        return None
    done = spent_micros + new
    return done if budget_micros is None else min(done, max(budget_micros, spent_micros))


def largest(job: Job, prices: Prices) -> tuple[int, int]:
    """The most images that a submit of *job* asks for, and the most that it costs.

    In millionths of a dollar, 0 when unknown.
    """
    asked = job.variants.tally("model", "num_images")
    images = max(find_model(str(m)).images({"num_images": number}) for m, number in asked)
    each = prices.range()
    return images, images * each[1] if each else 0


def states(job: Job, root: Path) -> Iterator[tuple[Variant, State]]:
    """Every variant with its state in the dataset at *root*."""
    with known_ledger(root) as ledger:
        for start in range(0, len(job.variants), _CHUNK):
            chunk = list(job.variants[start : start + _CHUNK])
            known = ledger.states([variant.key for variant in chunk]) if ledger else {}
            for variant in chunk:
                yield variant, known.get(variant.key, State.PLANNED)


def _asked(job: Job, ledger: Ledger | None) -> dict[str, tuple[int, int]]:
    """The variants and images that the job asks for, by model.

    For some parts only they are their share, which for several models is an estimate.
    """
    variants = job.variants.tally("model")
    whole = {model: (variants[model,], n) for model, n in job.images_by_model().items()}
    if ledger is None or ledger.holds_all:
        return whole
    planned, all_images = planned_in(ledger, job), sum(images for _, images in whole.values())
    return {
        model: (-(-v * planned.variants // len(job.variants)), -(-i * planned.images // all_images))
        for model, (v, i) in whole.items()
    }


def _walk(job: Job, ledger: Ledger, variants: Numbers, images: Numbers) -> None:
    """Look up every variant: the ledger has counted what another form of the job asks for."""
    for start in range(0, len(job.variants), _CHUNK):
        part = job.variants[start : start + _CHUNK]
        keys = list(part.keys())
        known = ledger.states(keys)
        for index, key in enumerate(keys) if known else ():
            if state := known.get(key):
                variant = part[index]
                variants[state, variant.model] += 1
                model = find_model(variant.model)
                images[state, variant.model] += model.images(variant.request)
