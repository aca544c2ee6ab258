"""What an image of each model of a job costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from batchgen.job.load import Job
from batchgen.ledger.entry import Entry


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Of one image, in millionths of a US dollar: 0 on the local service, None when unknown."""

    micros: Mapping[str, int | None] = field(default_factory=dict)
    """By the ids of the models."""

    @classmethod
    def remembered(cls, meta: Mapping[str, object]) -> Self:
        """Those that the last run has left; an earlier version knew one model."""
        told = meta.get("prices")
        if not isinstance(told, dict):
            told = {str(meta.get("model")): meta.get("price_micros")}
        return cls(micros={m: p for m, p in told.items() if isinstance(p, int) and p >= 0})

    def over(self, other: "Prices") -> "Prices":
        """Those of *other* for models that are not among these."""
        return Prices(micros={**other.micros, **self.micros})

    def filled(self, other: "Prices") -> "Prices":
        """The same, with those of *other* where they are unknown."""
        known = {model: price for model, price in self.micros.items() if price is not None}
        return Prices(micros={**self.micros, **other.micros, **known})

    def as_meta(self, own: "Prices") -> dict[str, object]:
        """As the ledger keeps them, and the highest of a job's *own* models, if it is known."""
        found = own.range()
        return {"prices": dict(self.micros), "price_micros": found[1] if found else None}

    def cost(self, entry: Entry) -> int | None:
        """What a submit of *entry* costs; None when unknown."""
        price = self.micros.get(entry.model)
        return None if price is None else price * entry.images_asked

    def total(self, images: Mapping[str, int]) -> int | None:
        """What so many *images* of each model cost; None when the price of one is unknown."""
        found = 0
        for model, number in images.items():
            price = self.micros.get(model)
            if number and price is None:
                return None
            found += number * (price or 0)
        return found

    def unknown(self) -> list[str]:
        """The models whose price nobody knows."""
        return [model for model, price in self.micros.items() if price is None]

    def range(self) -> tuple[int, int] | None:
        """The lowest and the highest; None when one is unknown."""
        known = [price for price in self.micros.values() if price is not None]
        return (min(known), max(known)) if known and not self.unknown() else None


def listed_prices(job: Job, *, free: bool) -> Prices:
    """The prices of the job's models by the built-in table."""
    return Prices(micros={m.id: 0 if free else m.price_micros for m in job.models})
