"""Predictions of the local service: how one goes from created to completed, and all it knows."""

import hashlib
import heapq
import random
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from batchgen.job.models import find_model
from batchgen.job.tiers import Tier
from batchgen.local.pictures import Picture

RETENTION_SECONDS = 7 * 24 * 3600.0  # the real service deletes predictions and files after 7 days
CREATED_SHARE = 0.2  # of the latency; the rest is 'processing'
WINDOW_SECONDS = 60.0
MAX_SEED = 2_147_483_647

Value = str | int
"""What a checked parameter can be."""

# The word rule: an image is flagged when its prompt has one of these as a whole word.
NSFW_WORDS = ("blood", "explicit", "gore", "naked", "nsfw", "nude")
_NSFW = re.compile(rf"\b({'|'.join(NSFW_WORDS)})\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class LocalPrediction:
    """An accepted submit. Times are seconds since the epoch; all else follows from the clock."""

    id: str
    account: str
    """Digest of the bearer key that made it; the key itself is never kept."""
    model: str
    request: Mapping[str, Value]
    """The body as sent, with the seed that was drawn when it named none."""
    created_at: float
    starts_at: float
    """When a place is free for it; later than created_at only under a concurrency limit."""
    seconds: float
    """From starts_at to completed."""

    @property
    def ends_at(self) -> float:
        """When its images are there."""
        return self.starts_at + self.seconds

    def status(self, now: float) -> str:
        """``created``, ``processing`` or ``completed``."""
        if now >= self.ends_at:
            return "completed"
        working = now >= self.starts_at + CREATED_SHARE * self.seconds
        return "processing" if working else "created"

    @property
    def inference_ms(self) -> int:
        """The time it spent processing; at least 1, since 0 on the wire means not measured."""
        return max(1, round((1 - CREATED_SHARE) * self.seconds * 1000))

    @property
    def images(self) -> int:
        """How many images it makes."""
        return find_model(self.model).images(self.request)

    @property
    def nsfw(self) -> bool:
        """The flag of every image of it, by the word rule."""
        return _NSFW.search(str(self.request["prompt"])) is not None

    def picture(self, index: int) -> Picture:
        """What the image at *index* shows."""
        model, seed = find_model(self.model), self.request["seed"]
        ratio = str(self.request.get("aspect_ratio", model.default("aspect_ratio")))
        assert isinstance(seed, int)
        return Picture(
            prompt=str(self.request["prompt"]),
            negative_prompt=str(self.request.get("negative_prompt", "")),
            seed=seed,
            size=model.sizes[ratio],
            index=index,
            scale=model.scale(self.request),
        )


def latency(request: Mapping[str, Value], bounds: tuple[float, float]) -> float:
    """Seconds a request takes within *bounds*: the same for the same request, on every machine."""
    ratio = request.get("aspect_ratio", "1:1")
    parts = ("prompt", "negative_prompt", "seed", "num_images")
    text = repr([ratio, *(request.get(name) for name in parts)])
    share = random.Random(hashlib.sha256(text.encode()).digest()).random()  # noqa: S311
    low, high = bounds
    return low + share * (high - low)


def draw_seed(prediction_id: str) -> int:
    """The seed of a request that names none, or -1: it follows from the prediction's id."""
    return int(hashlib.sha256(prediction_id.encode()).hexdigest()[:8], 16) & MAX_SEED


class Pace:
    """The limits of one account. Without a tier everything starts at once."""

    def __init__(self, tier: Tier | None) -> None:
        """Start with an account that has done nothing."""
        self._tier = tier
        self._started: deque[tuple[float, int]] = deque()
        self._ends: list[float] = []

    def wait(self, now: float, images: int) -> float:
        """Seconds until *images* more may be started; 0 when they may be started now.

        The window slides over the last 60 seconds. A request for more images than a minute allows
        passes when the window is empty: it would wait for ever otherwise.
        """
        if self._tier is None:
            return 0.0
        while self._started and self._started[0][0] <= now - WINDOW_SECONDS:
            self._started.popleft()
        over = sum(n for _, n in self._started) + images - self._tier.images_per_minute
        until = now
        for moment, count in self._started:
            if over <= 0:
                break
            until = moment + WINDOW_SECONDS
            over -= count
        return until - now

    def place(self, now: float) -> float:
        """When a prediction that is accepted *now* gets one of the places."""
        if self._tier is None or len(self._ends) < self._tier.concurrent:
            return now
        return max(now, self._ends[0])

    def take(self, prediction: LocalPrediction) -> None:
        """Count a prediction that was accepted, now or before a restart."""
        if self._tier is None:
            return
        self._started.append((prediction.created_at, prediction.images))
        if len(self._ends) >= self._tier.concurrent:
            heapq.heapreplace(self._ends, prediction.ends_at)
        else:
            heapq.heappush(self._ends, prediction.ends_at)


class Predictions:
    """All predictions of the service, oldest first; those older than seven days are forgotten."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_id: dict[str, LocalPrediction] = {}

    def add(self, prediction: LocalPrediction) -> None:
        """Keep an accepted prediction."""
        self._by_id[prediction.id] = prediction

    def get(self, prediction_id: str, now: float) -> LocalPrediction | None:
        """The prediction, unless it is unknown, deleted or forgotten."""
        self._forget(now)
        return self._by_id.get(prediction_id)

    def newest_first(self, account: str, now: float) -> Iterator[LocalPrediction]:
        """The predictions of one account."""
        self._forget(now)
        return (p for p in reversed(self._by_id.values()) if p.account == account)

    def delete(self, ids: Iterable[str]) -> None:
        """Drop predictions; an unknown id is ignored."""
        for prediction_id in ids:
            self._by_id.pop(prediction_id, None)

    def _forget(self, now: float) -> None:
        while self._by_id:
            oldest = next(iter(self._by_id.values()))
            if oldest.created_at > now - RETENTION_SECONDS:
                return
            del self._by_id[oldest.id]
