"""Money: what is reserved before a submit can never add up to more than the budget."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class Spend:
    """The money of one dataset, in millionths of a US dollar.

    A reservation is made in one step, without an await between asking and taking, so no number of
    submits in flight can exceed the budget even by one image.
    """

    budget_micros: int | None
    spent_micros: int
    """Spent or possibly spent so far, earlier runs included."""
    submits_left: int | None = None
    """Submits that this run may still send; None for as many as it likes."""

    def reserve(self, micros: int | None) -> bool:
        """Take *micros* for a submit; False, and nothing taken, when that is too much."""
        if self.submits_left == 0:
            return False
        left = None if self.budget_micros is None else self.budget_micros - self.spent_micros
        if left is not None and (micros is None or micros > left):
            return False
        self.spent_micros += micros or 0
        if self.submits_left is not None:
            self.submits_left -= 1
        return True

    def give_back(self, micros: int | None) -> None:
        """The submit proved to have created nothing."""
        self.spent_micros -= micros or 0

    def return_slot(self) -> None:
        """The submit was turned away unread and does not count against the limit of the run."""
        if self.submits_left is not None:
            self.submits_left += 1
