"""Stopping a run whose variants fail one after the other."""

from batchgen.errors import ExitCode
from batchgen.run.pace.stop import Stop

IN_A_ROW = 10
# One bad prompt with a hundred seeds fails a hundred times and says nothing of the others.
DIFFERENT_PROMPTS = 3


class Breaker:
    """Ends the submits when too many variants fail, altogether or without a success between.

    Submits and what comes after them have a row each: with many predictions in flight the first
    submits fail long before the first image can be there.
    """

    def __init__(self, stop: Stop, *, max_failures: int | None, prompts: int) -> None:
        """Allow *max_failures* in the run; *prompts* is how many different ones the job has."""
        self._stop = stop
        self._max_failures = max_failures
        self._different = min(DIFFERENT_PROMPTS, prompts)
        self._failures = 0
        self._submits: list[str] = []
        self._makings: list[str] = []

    def submit_failed(self, prompt_id: str, reason: str) -> None:
        """A submit of this prompt was rejected or became uncertain."""
        self._failed(self._submits, prompt_id, reason)

    def making_failed(self, prompt_id: str, reason: str) -> None:
        """An accepted variant of this prompt failed, expired, or cannot be had now."""
        self._failed(self._makings, prompt_id, reason)

    def accepted(self) -> None:
        """A submit was accepted."""
        self._submits.clear()

    def saved(self) -> None:
        """A variant has its images."""
        self._makings.clear()

    def _failed(self, row: list[str], prompt_id: str, reason: str) -> None:
        self._failures += 1
        row.append(prompt_id)
        if self._max_failures is not None and self._failures > self._max_failures:
            why = f"{self._failures} variants failed, more than the failure limit allows"
            self._stop.no_more_submits(ExitCode.INCOMPLETE, why)
        elif len(row) >= IN_A_ROW and len(set(row)) >= self._different:
            why = f"the last {len(row)} variants all failed, the latest with: {reason}"
            self._stop.no_more_submits(ExitCode.INCOMPLETE, why)
