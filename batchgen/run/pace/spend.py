"""Money: what is reserved before a submit can never add up to more than the budget."""

import asyncio
from dataclasses import dataclass, field

from batchgen.run.pace.stop import Stop


@dataclass(kw_only=True)
class Spend:
    """The money of one dataset, in millionths of a US dollar.

    A reservation is made in one step, without an await between asking and taking, so no number of
    submits in flight can exceed the budget even by one image.
    """

    budget_micros: int | None
    spent_micros: int
    """Spent or possibly spent so far, earlier runs included."""
    submits: int | None = None
    """Submits that this run may send altogether; None for as many as it likes."""
    sent: int = 0
    """Submits of this run that count against that."""
    last: bool = True
    """Whether no more than this will be allowed."""
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def submits_left(self) -> int | None:
        """Submits that may still be sent; none, too, when more were sent than are allowed now."""
        return None if self.submits is None else max(0, self.submits - self.sent)

    def reserve(self, micros: int | None) -> bool:
        """Take *micros* for a submit; False, and nothing taken, when that is too much."""
        if self.submits_left == 0:
            return False
        left = None if self.budget_micros is None else self.budget_micros - self.spent_micros
        if left is not None and (micros is None or micros > left):
            return False
        self.spent_micros += micros or 0
        self.sent += 1
        return True

    def give_back(self, micros: int | None) -> None:
        """The submit proved to have created nothing."""
        self.spent_micros -= micros or 0

    def return_slot(self) -> None:
        """The submit was turned away unread and does not count against the limit of the run."""
        self.sent -= 1

    def allow(self, micros: int | None, submits: int | None, *, last: bool) -> None:
        """The dataset may cost *micros* from now on, after so many submits of this run."""
        self.budget_micros, self.submits, self.last = micros, submits, last
        self._more.set()

    async def more(self, stop: Stop) -> bool:
        """Wait until more is allowed; False when that will not be."""
        if self.last:
            return False
        self._more.clear()
        await stop.submits_end_or(self._more)
        return stop.submitting
