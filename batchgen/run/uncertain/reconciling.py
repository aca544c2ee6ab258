"""Settling the uncertain submits of a dataset by themselves, outside a run."""

from pathlib import Path

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.reading import no_dataset
from batchgen.ledger.entry import State
from batchgen.ledger.lock import locked
from batchgen.run.bucket.mirroring import mirrored
from batchgen.run.claim.looking import was_begun
from batchgen.run.claim.opening import last_run, open_ledger
from batchgen.run.pace.stop import Stop
from batchgen.run.plan.planning import longest_wait
from batchgen.run.terms.access import find_access
from batchgen.run.terms.prices import Prices
from batchgen.run.terms.service import open_service
from batchgen.run.uncertain.settle import GRACE, Settled, Settler


async def reconcile_dataset(
    root: Path, *, base_url: str | None = None, grace: float = GRACE, stop: Stop | None = None
) -> Settled:
    """Settle what the history can settle, waiting until it has had *grace* seconds to catch up.

    Raises UsageError when there is no dataset or no key, LockedError when a run owns it,
    StorageError for its ledger, and for links and other odd things in its folder.
    """
    folder = DatasetFolder(root)
    if not was_begun(folder):
        raise no_dataset(root, "ledger")
    folder.prepare()
    stop = stop or Stop()
    with locked(folder.lock):
        async with mirrored(folder, stop) as mirror:
            settled = await _settle(folder, base_url, grace, stop)
            if mirror:
                await mirror.save()
            return settled


async def _settle(folder: DatasetFolder, base_url: str | None, grace: float, stop: Stop) -> Settled:
    with open_ledger(folder) as ledger:
        ledger.hold_unanswered()
        if next(ledger.entries(State.UNCERTAIN), None) is None:
            return Settled()
        meta, last = ledger.meta(), last_run(folder, ledger)
        access = find_access(last.service, base_url)
        async with open_service(access, last.pace, folder) as service:
            settler = Settler(
                client=service.client,
                ledger=ledger,
                folder=folder,
                account=access.account(last.salt),
                submit_timeout=longest_wait(meta, last.pace.submit_timeout),
                cost_micros=Prices.remembered(meta).cost,
                pause=stop.pause,
                grace=grace,
            )
            return await settler.settle(wait=True)
