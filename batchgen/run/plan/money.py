"""What a run may cost, settled before the first submit."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from batchgen.errors import ExitCode, UsageError
from batchgen.job.load import Job
from batchgen.job.models import find_model
from batchgen.ledger.entry import Entry
from batchgen.run.pace.stop import Stop
from batchgen.run.terms.access import Access
from batchgen.run.terms.prices import Prices, listed_prices

if TYPE_CHECKING:
    from batchgen.run.terms.service import Service

log = logging.getLogger(__name__)


async def find_prices(job: Job, access: Access, service: "Service") -> Prices:
    """The prices of the job's models.

    From the built-in table, else from the service's quote for the first variant of a model.
    """
    listed = listed_prices(job, free=access.free)
    quoted = {model: await _quote(job, model, service) for model in listed.unknown()}
    return listed.filled(Prices(micros=quoted))


async def _quote(job: Job, model: str, service: "Service") -> int | None:
    request = job.variants.first_of(model).request
    quoted = await service.client.price(model, request)
    # Rounded up: a reservation may be too high by a millionth, never too low.
    return None if quoted is None else -int(-quoted * 1e6 // find_model(model).images(request))


def check_budget(prices: Prices, budget_micros: int | None) -> None:
    """A budget can be kept only when all prices are known. Raises UsageError when one is not."""
    if budget_micros is not None and (unknown := prices.unknown()):
        raise UsageError(
            f"the price of {' and '.join(unknown)} is unknown, so a budget cannot be kept; "
            "leave the budget out to run all the same"
        )


async def check_balance(prices: Prices, service: "Service", stop: Stop) -> None:
    """End the submits before they begin when the account cannot pay for a single image."""
    known = prices.range()
    if not known or not known[0]:
        return
    balance = await service.client.balance()
    if not isinstance(balance, str) and balance * 1e6 < known[0]:
        why = f"the account's balance is ${balance:.2f}, less than one image costs"
        stop.no_more_submits(ExitCode.ACCOUNT, why)


def warn_of_worst_case(entries: Iterable[Entry], prices: Prices) -> None:
    """Say, before it is spent, what sending uncertain submits again may cost twice."""
    costs = [prices.cost(entry) for entry in entries]
    if costs:
        known = [cost for cost in costs if cost is not None]
        worst = f"${sum(known) / 1e6:.2f}" if len(known) == len(costs) else "an unknown amount"
        log.warning("sending uncertain submits again; in the worst case %s is paid twice", worst)
