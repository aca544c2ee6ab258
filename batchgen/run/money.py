"""What a run may cost, settled before the first submit."""

import logging
from collections.abc import Iterable

from batchgen.errors import ExitCode, UsageError
from batchgen.job.load import Job
from batchgen.ledger.entry import Entry
from batchgen.run.access import Access
from batchgen.run.service import Service
from batchgen.run.stop import Stop

log = logging.getLogger(__name__)


def listed_price(job: Job, access: Access) -> int | None:
    """The price of one image by the built-in table, in millionths of a US dollar."""
    return 0 if access.free else job.model.price_micros


async def find_price(job: Job, access: Access, service: Service) -> int | None:
    """The price of one image in millionths of a US dollar; None when nobody knows it.

    From the built-in table, else from the service's quote for the first variant.
    """
    listed = listed_price(job, access)
    if listed is not None:
        return listed
    request = job.variants[0].request
    quoted = await service.client.price(job.model.id, request)
    if quoted is None:
        return None
    # Rounded up: a reservation may be too high by a millionth, never too low.
    return -int(-quoted * 1e6 // job.model.images(request))


def check_budget(price_micros: int | None, budget_micros: int | None, job: Job) -> None:
    """A budget can be kept only when the price is known. Raises UsageError when it is not."""
    if budget_micros is not None and price_micros is None:
        raise UsageError(
            f"the price of {job.model.id} is unknown, so a budget cannot be kept; "
            "leave the budget out to run all the same"
        )


async def check_balance(price_micros: int | None, service: Service, stop: Stop) -> None:
    """End the submits before they begin when the account cannot pay for a single image."""
    if not price_micros:
        return
    balance = await service.client.balance()
    if balance is not None and balance * 1e6 < price_micros:
        why = f"the account's balance is ${balance:.2f}, less than one image costs"
        stop.no_more_submits(ExitCode.ACCOUNT, why)


def warn_of_worst_case(entries: Iterable[Entry], price_micros: int | None) -> None:
    """Say, before it is spent, what sending uncertain submits again may cost twice."""
    images = sum(entry.images_asked for entry in entries)
    if images:
        worst = "an unknown amount"
        if price_micros is not None:
            worst = f"${images * price_micros / 1e6:.2f}"
        log.warning("sending uncertain submits again; in the worst case %s is paid twice", worst)
