"""When a run costs so much that somebody has to say yes before anything is sent."""

from collections import Counter
from typing import TYPE_CHECKING

from batchgen.errors import ApprovalError
from batchgen.job.load import Job, Pace
from batchgen.job.models import find_model
from batchgen.run.plan.stock import take_stock
from batchgen.text import counted, money

if TYPE_CHECKING:
    from batchgen.run.plan.planning import ToDo
    from batchgen.run.terms.prices import Prices

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


def check_approval(job: Job, to_do: "ToDo", pace: Pace, prices: "Prices") -> None:
    """A run that may cost much needs a yes. Raises ApprovalError when it has none."""
    if to_do.options.yes:
        return
    each = Counter(take_stock(job, to_do.ledger).new())
    for entry in to_do.again():
        each[entry.model] += entry.images_asked
    images, whole = each.total(), prices.total(each)
    if pace.limit is not None:
        images = min(images, pace.limit * _most_images(job))
        dearest = prices.range()
        # As if all of them were of the model that costs most.
        whole = None if whole is None or not dearest else min(whole, images * dearest[1])
    if not asks(pace, images, whole):
        return
    if whole is None:
        raise ApprovalError(
            f"this run may buy {counted(images, 'image')}, and nobody knows the price of "
            + " and ".join(prices.unknown())
        )
    cost = f"{money(whole / 1e6)} for {counted(images, 'image')}"
    raise ApprovalError(f"this run may cost {cost}, more than ${ASK_OVER}")


def _most_images(job: Job) -> int:
    """Of one submit."""
    counts = job.variants.tally("model", "num_images")
    return max(find_model(str(model)).images({"num_images": n}) for model, n in counts)
