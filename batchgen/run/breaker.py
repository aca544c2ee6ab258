"""Stopping a run whose variants fail one after the other."""

from batchgen.errors import ExitCode
from batchgen.run.stop import Stop

IN_A_ROW = 10
# One bad prompt with a hundred seeds fails a hundred times and says nothing of the others.
DIFFERENT_PROMPTS = 3


class Breaker:
    """Ends the submits when too many variants fail, altogether or without a success between."""

    def __init__(self, stop: Stop, *, max_failures: int | None, prompts: int) -> None:
        """Allow *max_failures* in the run; *prompts* is how many different ones the job has."""
        self._stop = stop
        self._max_failures = max_failures
        self._different = min(DIFFERENT_PROMPTS, prompts)
        self._failures = 0
        self._row: list[str] = []

    def failed(self, prompt_id: str, reason: str) -> None:
        """A variant of this prompt failed, expired or became uncertain."""
        self._failures += 1
        self._row.append(prompt_id)
        if self._max_failures is not None and self._failures > self._max_failures:
            why = f"{self._failures} variants failed, more than the failure limit allows"
            self._stop.no_more_submits(ExitCode.INCOMPLETE, why)
        elif len(self._row) >= IN_A_ROW and len(set(self._row)) >= self._different:
            why = f"the last {len(self._row)} variants all failed, the latest with: {reason}"
            self._stop.no_more_submits(ExitCode.INCOMPLETE, why)

    def succeeded(self) -> None:
        """A variant has its images."""
        self._row.clear()
