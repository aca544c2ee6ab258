"""How much the job of a dataset asks for, as the runs have told its ledger."""

from collections.abc import Mapping
from dataclasses import dataclass

from batchgen.ledger.store import Ledger

REBUILT = "rebuilt"
"""The plan of a ledger that was made anew: another than that of any job."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """How much of a job is in a ledger, or in some parts of one."""

    variants: int
    images: int


def told_of(ledger: Ledger) -> Planned:
    """What its last run asks for; the sum of what each part was asked for when it is mixed.

    Never less than its records, so that what is left is never below 0: a mended ledger may not
    know its plan, and a part need not have counted its own share of one.
    """
    if is_mixed(ledger):
        each = [_at_least(part, _share(part.meta())) for part in ledger.parts.values()]
        return Planned(variants=sum(p.variants for p in each), images=sum(p.images for p in each))
    meta = ledger.meta()
    told = _whole(meta.get("planned")), _whole(meta.get("images_planned"))
    return _at_least(ledger, Planned(variants=told[0], images=told[1]))


def is_mixed(ledger: Ledger) -> bool:
    """Whether its parts were told of different plans: nobody knows what they are together."""
    return ledger.meta().get("plan") == "several"


def knows_plan(ledger: Ledger) -> bool:
    """Whether it was told how much there is to do; one that was made anew, or in part, was not."""
    rebuilt = any(part.meta().get("plan") == REBUILT for part in ledger.parts.values())
    return "planned" in ledger.meta() and not rebuilt


def chosen(meta: Mapping[str, object]) -> tuple[str, ...]:
    """The ``--only`` of the last run, to which all counts are limited; empty without one."""
    only = meta.get("only")
    return tuple(map(str, only)) if isinstance(only, list) else ()


def share_of_plan(meta: Mapping[str, object], plan: object) -> Planned | None:
    """What a part with these facts has counted of *plan* as its own; None when it has not."""
    match meta.get("share"):
        case [known, int(variants), int(images)] if known == plan:
            return Planned(variants=variants, images=images)
    return None


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _share(meta: Mapping[str, object]) -> Planned:
    return share_of_plan(meta, meta.get("plan")) or Planned(variants=0, images=0)


def _at_least(ledger: Ledger, told: Planned) -> Planned:
    recorded = list(ledger.asked().values())
    return Planned(
        variants=max(told.variants, sum(variants for variants, _ in recorded)),
        images=max(told.images, sum(images for _, images in recorded)),
    )
