"""The budget of a dataset among runs that each own some parts of it.

A run may let its parts spend up to a level, which it leaves beside them. What is promised to the
others and what is spent never add up to more than the budget, whatever the number of shards was
before and however often one of them is started again.
"""

import json
import secrets
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from batchgen.dataset.folder import DatasetFolder, write_whole
from batchgen.errors import LockedError
from batchgen.job.load import Pace
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.lock import locked
from batchgen.ledger.parts import PARTS, Shard, lock_of
from batchgen.ledger.store import Ledger
from batchgen.run.claim.claiming import SHORTLY, Patience, acquire
from batchgen.run.pace.stop import Stop


async def draw(pace: Pace, folder: DatasetFolder, shard: Shard, ledger: Ledger, stop: Stop) -> Pace:
    """*pace* with the budget of a run that owns the parts of *shard*: what these may have cost.

    An equal share of that of the dataset, or what the other parts leave of it. Raises StorageError,
    and LockedError when others draw for too long.
    """
    budget_micros = pace.budget_micros
    if budget_micros is None:
        return pace
    with ExitStack() as stack:
        await acquire(folder.ledgers / "budget.lock", stack, Patience(stop=stop), seconds=SHORTLY)
        others = _promised(folder, [p for p in range(PARTS) if p not in shard.parts])
        share = min(-(-budget_micros // shard.count), budget_micros - others)
        level = max(share, ledger.totals().spent_micros)
        run = secrets.token_hex(4)
        for part in shard.parts:
            write_whole(_file(folder, part), [json.dumps([run, level])])
    return replace(pace, budget_micros=level)


def _promised(folder: DatasetFolder, parts: Iterable[int]) -> int:
    """What the *parts*, of other runs, have spent and may still spend."""
    spent: Counter[str] = Counter()
    levels: dict[str, int] = {}
    for part in parts:
        run, level = _promise(folder, part) if _is_owned(folder, part) else (str(part), 0)
        levels[run] = max(level, levels.get(run, 0))
        with DividedLedger(folder.ledgers, [part], read_only=True) as ledger:
            spent[run] += ledger.totals().spent_micros
    return sum(max(level, spent[run]) for run, level in levels.items())


def _is_owned(folder: DatasetFolder, part: int) -> bool:
    """Whether a run may be spending on *part* now."""
    try:
        with locked(lock_of(folder.ledgers, part), shared=True):
            return False
    except LockedError:
        return True


def _promise(folder: DatasetFolder, part: int) -> tuple[str, int]:
    """The run that drew last for *part*, and the level of all its parts together."""
    with suppress(OSError, ValueError):
        match json.loads(_file(folder, part).read_text("ascii")):
            case [str(run), int(level)]:
                return run, level
    return str(part), 0  # the one that owns it has not drawn yet


def _file(folder: DatasetFolder, part: int) -> Path:
    return folder.ledgers / f"{part:02d}.budget"
