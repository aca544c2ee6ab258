"""What a run has done so far, for whoever watches it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from batchgen.ledger.entry import Image, Totals
from batchgen.run.telling.slots import Slots


@dataclass(kw_only=True)
class Tally:
    """Counts of a run while it goes on; earlier runs of the dataset included where it says so."""

    images_planned: int
    images: int
    """Saved, earlier runs included."""
    images_unwanted: int = 0
    """Of these, those of an earlier form of the job, which wants them no longer."""
    nsfw: int
    """Flagged images, earlier runs included."""
    spent_micros: int
    """Earlier runs included."""
    images_made: int = 0
    """Saved by this run."""
    submits: int = 0
    polls: int = 0
    retries: int = 0
    """Requests and downloads that had to be made again."""
    in_flight: int = 0
    lag_s: float = 0.0
    """Seconds from the end of predictions to the poll that told of it, as far as it is known."""
    lags: int = 0
    """Predictions in that sum."""
    failed: int = 0
    """Variants that ended without their images in this run."""
    rate_limit: float | None = None
    """Images per minute that may be started; None for no limit."""
    projected_micros: int | None = None
    """What the dataset will have cost once the job is done; None when nobody knows."""
    slots: Slots = field(default_factory=Slots)
    """What is on its way now."""

    @classmethod
    def begun(cls, totals: Totals, *, images_planned: int) -> Self:
        """The tally of a run that begins with what earlier runs have left."""
        return cls(
            images_planned=images_planned,
            images=totals.images,
            images_unwanted=totals.images_unwanted,
            nsfw=totals.nsfw,
            spent_micros=totals.spent_micros,
        )

    @property
    def images_done(self) -> int:
        """Of the planned images, those that are saved."""
        return self.images - self.images_unwanted

    def saved(self, images: Sequence[Image]) -> None:
        """Count the images of a variant."""
        self.images += len(images)
        self.images_made += len(images)
        self.nsfw += sum(image.nsfw is True for image in images)

    def not_bought(self, micros: int | None) -> None:
        """A variant that was rejected costs nothing."""
        if self.projected_micros is not None:
            self.projected_micros -= micros or 0

    def noticed(self, lag_s: float) -> None:
        """Count a prediction that had ended so many seconds before."""
        self.lag_s += lag_s
        self.lags += 1
