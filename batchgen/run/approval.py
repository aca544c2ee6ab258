"""When a run costs so much that somebody has to say yes before anything is sent."""

from typing import TYPE_CHECKING

from batchgen.errors import ApprovalError
from batchgen.job.load import Job, Pace
from batchgen.run.stock import take_stock
from batchgen.text import money

if TYPE_CHECKING:
    from batchgen.run.planning import ToDo

# US dollars that a run may cost without a question: 1,250 images of the default model. A trial is
# never over it, and a job of five dollars is when ten times too many values got into an axis.
ASK_OVER = 50
# Millionths of a dollar that an image of an unknown price is taken for here: few models cost more.
_GUESSED = 1_000_000


def asks(pace: Pace, images: int, price_micros: int | None) -> bool:
    """Whether so many *images* of *price_micros* in all need a yes; None for an unknown price.

    A budget is a yes to all that it allows.
    """
    likely = images * _GUESSED if price_micros is None else price_micros
    return pace.budget_micros is None and likely > ASK_OVER * 1_000_000


def check_approval(job: Job, to_do: "ToDo", pace: Pace, price: int | None) -> None:
    """A run that may cost much needs a yes. Raises ApprovalError when it has none.

    *price* is that of one image in millionths of a US dollar; None for unknown.
    """
    if to_do.options.yes:
        return
    images = sum(take_stock(job, to_do.ledger).new().values())
    images += sum(entry.images_asked for entry in to_do.again())
    if pace.limit is not None:
        images = min(images, pace.limit * _most_images(job))
    whole = None if price is None else images * price
    if not asks(pace, images, whole):
        return
    if whole is None:
        raise ApprovalError(
            f"this run may buy {images:,} images, and nobody knows the price of {job.model.id}"
        )
    raise ApprovalError(
        f"this run may cost {money(whole / 1e6)} for {images:,} images, more than ${ASK_OVER}"
    )


def _most_images(job: Job) -> int:
    """Of one submit."""
    return max(job.model.images({"num_images": n}) for (n,) in job.variants.tally("num_images"))
