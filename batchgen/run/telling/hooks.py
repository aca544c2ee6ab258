"""What a run calls while it goes on: plain functions of whoever started it."""

from collections.abc import Callable
from dataclasses import dataclass

from batchgen.dataset.folder import DatasetFolder
from batchgen.run.telling.rows import Row
from batchgen.run.telling.tally import Tally


def _nothing(_: object) -> None:
    """What is called where nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A run that owns its dataset and is about to begin."""

    run: str
    """Its id, of eight hex digits."""
    job: str
    folder: DatasetFolder
    started_at: str
    """RFC 3339 in UTC."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Functions that are called on the event loop: they have to return at once.

    An exception in one of them ends the run like an internal error, and comes through.
    """

    begun: Callable[[Begun], None] = _nothing
    """Once, when the dataset is ours and its manifest is whole."""
    progress: Callable[[Tally], None] = _nothing
    """Whenever a count has changed, many times a second."""
    image: Callable[[Row], None] = _nothing
    """With its row of the manifest, for each image, once it has its final name."""
    failure: Callable[[Row], None] = _nothing
    """With its row of the failures, for each variant that ended without all its images."""
