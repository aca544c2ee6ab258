"""What a run would do to a dataset now: how much, for what money, in what time.

Nothing is sent to the service or written to the dataset, and no key is needed.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchgen.dataset.disk import free_bytes
from batchgen.dataset.stores.uploads import dataset_path
from batchgen.errors import StorageError
from batchgen.job.load import Job, Pace
from batchgen.job.models import find_model
from batchgen.ledger.entry import State, Totals
from batchgen.run.bucket.bringing import visit
from batchgen.run.claim.looking import known_ledger
from batchgen.run.plan.stock import Stock, take_stock
from batchgen.run.terms.access import is_remote, mixing
from batchgen.run.terms.limits import Limits, settle_limits
from batchgen.run.terms.options import RunOptions
from batchgen.run.terms.prices import listed_prices

log = logging.getLogger(__name__)

Size = tuple[int, int]

# Seconds from a submit to its images: the median of Imagen 4, and of the local service with its
# usual eight in flight on two cores.
_LATENCY, _LOCAL_LATENCY = 8.0, 2.0
# Bytes of a PNG for each pixel: of photographs and paintings, and of the local service's drawings.
_PNG, _LOCAL_PNG = 1.5, 0.18
_USUAL: Size = (1024, 1024)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A job held against its dataset."""

    root: Path
    free: bool
    """Whether nothing is charged."""
    stock: Stock
    unwanted: int
    """Variants of the dataset that the job asks for no more."""
    sizes: Mapping[Size | None, int]
    """Images of the whole job by width and height; None for an unknown size."""
    pace: Pace
    limits: Limits
    price_micros: int | None
    """Of all that is new; None when it is unknown."""
    spent_micros: int
    """Spent or possibly spent on the dataset so far."""
    seconds: float
    """That what is new takes within the limits, roughly."""
    new_bytes: int
    """That the new images take on the disk, roughly."""
    free_bytes: int
    """Left on the disk of the dataset."""
    refused: str | None
    """Why a run would not begin; None when it would."""

    @property
    def new_images(self) -> int:
        """Images that are still to be bought."""
        return sum(self.stock.new().values())


def preview(job: Job, options: RunOptions) -> Preview:
    """Hold *job* against its dataset. Raises UsageError for options that cannot be used."""
    root = _seen(options.out or job.address or job.folder)
    service = options.service or job.service
    pace, free = options.pace(job), service == "local"
    remote = is_remote(service, options.base_url)
    limits = settle_limits(pace, remote=remote)
    with known_ledger(root) as ledger:
        refused = mixing(ledger, root, remote=remote)
        stock = take_stock(job, ledger)
        totals = ledger.totals() if ledger else None
        unwanted = ledger.size() - stock.recorded if ledger else 0
    sizes = _sizes(job)
    images = sum(stock.new().values())
    return Preview(
        root=root,
        free=free,
        stock=stock,
        unwanted=unwanted,
        sizes=sizes,
        pace=pace,
        limits=limits,
        price_micros=listed_prices(job, free=free).total(stock.new()),
        spent_micros=totals.spent_micros if totals else 0,
        seconds=_seconds(stock, limits, latency=_LOCAL_LATENCY if free else _LATENCY),
        new_bytes=round(images * _bytes_each(sizes, totals, free=free)),
        free_bytes=free_bytes(root),
        refused=refused,
    )


def _seen(place: str | Path) -> Path:
    """The folder of the dataset at *place*, with what its bucket has if that can be asked."""
    try:
        return visit(place)
    except StorageError as error:
        log.warning("%s; what is there is not known", error)
        return dataset_path(place)


def _sizes(job: Job) -> Counter[Size | None]:
    sizes: Counter[Size | None] = Counter()
    asked = ("aspect_ratio", "resolution", "num_images")
    for (name, *values), number in job.variants.tally("model", *asked).items():
        # A parameter that is not set is not in the request.
        request = {n: v for n, v in zip(asked, values, strict=True) if v is not None}
        model = find_model(str(name))
        sizes[model.size(request)] += model.images(request) * number
    return sizes


def _seconds(stock: Stock, limits: Limits, *, latency: float) -> float:
    """As long as the slower of the two takes: images per minute, or predictions in flight."""
    images = sum(stock.new().values())
    submits = sum(n for (state, _), n in stock.variants.items() if state is State.PLANNED)
    paced = (images - 1) / limits.rate * 60 if limits.rate else 0.0
    return latency + max(paced, (submits / limits.concurrency - 1) * latency, 0.0)


def _bytes_each(sizes: Mapping[Size | None, int], totals: Totals | None, *, free: bool) -> float:
    """The bytes of one image: as those that are there, or as pictures of that size usually have."""
    if totals and totals.images:
        return totals.bytes / totals.images
    pixels = sum(n * w * h for (w, h), n in ((size or _USUAL, n) for size, n in sizes.items()))
    return pixels / sum(sizes.values()) * (_LOCAL_PNG if free else _PNG)
