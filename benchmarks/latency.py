"""How long predictions take, and how long a perfect client would take for all of them."""

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
_Z95 = _NORMAL.inv_cdf(0.95)
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds from the start of a prediction to its end, by the number of the prediction."""

    median: float
    spread: float
    """The sigma of a lognormal distribution; 0 makes every prediction take the median."""

    def of(self, number: int) -> float:
        """Seconds for the prediction of that *number*: the same in every run.

        Steps of the golden ratio, so that any stretch of numbers has short and long ones in
        proportion, and few predictions stand for the distribution as well as many.
        """
        if not self.spread:
            return self.median
        share = (0.5 + number * _GOLDEN) % 1
        return self.median * math.exp(self.spread * _NORMAL.inv_cdf(share or 0.5))


def read_latency(text: str) -> Latency:
    """Read ``fixed:2`` or ``lognormal:8,20`` (median, 95th percentile), in seconds.

    Raises ValueError for anything else.
    """
    kind, _, rest = text.partition(":")
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        numbers = []
    if kind == "fixed" and len(numbers) == 1 and 0 <= numbers[0] <= 600:
        return Latency(median=numbers[0], spread=0.0)
    if kind == "lognormal" and len(numbers) == 2 and 0 < numbers[0] < numbers[1] <= 600:
        return Latency(median=numbers[0], spread=math.log(numbers[1] / numbers[0]) / _Z95)
    raise ValueError(f"expected fixed:SECONDS or lognormal:MEDIAN,P95 up to 600 s, got {text!r}")


def ideal_makespan(
    latencies: Iterable[float], slots: int, *, per_window: int = 0, window: float = 60.0
) -> float:
    """Seconds that a client without any loss of its own needs, first start to last end.

    It has *slots* predictions in the making, starts the next one the moment one ends, and is
    allowed *per_window* starts in each *window* seconds (0 for no such limit).
    """
    busy: list[float] = []
    end = 0.0
    for number, latency in enumerate(latencies):
        start = heapq.heappop(busy) if len(busy) >= slots else 0.0
        if per_window:
            start = max(start, number // per_window * window)
        heapq.heappush(busy, start + latency)
        end = max(end, start + latency)
    return end
