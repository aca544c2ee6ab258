"""The validated content of a job file, as values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchgen.errors import Problem
from batchgen.job.grammar.keeping import Packing
from batchgen.job.models import Model, find_model
from batchgen.job.names import name_of
from batchgen.job.outline import Outline
from batchgen.job.source.document import Source
from batchgen.job.texts.prompt import Prompt
from batchgen.job.variants import Variant, Variants


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a run may go and what it may cost; each has a twin among the options of ``run``."""

    tier: str | None
    """Of the account, which the next two stand above: a name of TIERS; None for not said."""
    concurrency: int | None
    """Predictions in flight; None for what the tier allows."""
    rate: float | None
    """Images per minute; None for what the tier allows."""
    retries: int | None
    """Times that a submit turned away, or a download, is tried again; None for our own numbers."""
    budget_micros: int | None
    """Millionths of a US dollar for the dataset as a whole."""
    max_duration: float | None
    """Seconds after which no new submits are sent."""
    max_failures: str | int | None
    """Variants that may fail in one run: a count or a percentage."""
    limit: int | None
    """Submits in one run."""
    window: str | None
    """The part of the day in which submits may be sent, local time; None for all of it."""
    on: str | None
    """The engine of other processes that make the dataset; None for this one alone."""
    min_free: int | None
    """Bytes that the disk has to keep free; None for our own number."""
    resubmit_uncertain: bool
    """Whether submits that may have been paid are sent again."""
    poll_min_interval: float | None
    """Seconds between two polls of one prediction, at the least; None for the service's own."""
    submit_timeout: float
    poll_timeout: float
    download_timeout: float
    prediction_timeout: float
    """Seconds, as the three above."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The validated content of a job file."""

    name: str
    service: str
    models: tuple[Model, ...]
    """Those that its variants ask for, in their order."""
    source: Source
    """What was read, with the place of everything."""
    prompts: tuple[Prompt, ...]
    outline: Outline
    variants: Variants
    pace: Pace
    folder: Path
    """Where the dataset goes unless the command line says otherwise."""
    address: str
    """Where it goes instead when the job file names a bucket: ``s3://bucket/prefix``, or empty."""
    file_name: str
    """Pattern of an image's name below ``images/``."""
    packing: Packing | None
    """How images are packed; None when they stay files."""
    csv_safe: bool
    """Whether ``manifest.csv`` is kept from being run by a spreadsheet."""
    file: Path
    resolved: Mapping[str, object]
    """The content of the job file with every default filled in, as plain values."""
    only: tuple[str, ...] = ()
    """The texts ``name=value`` that all variants were chosen by; empty for those of the file."""
    warnings: tuple[Problem, ...] = ()

    def images_by_model(self) -> Counter[str]:
        """How many images the whole job asks each model for, by multiplication."""
        found: Counter[str] = Counter()
        for (name, asked), number in self.variants.tally("model", "num_images").items():
            model = find_model(str(name))
            found[model.id] += model.images({"num_images": asked}) * number
        return found

    def image_count(self) -> int:
        """How many images the whole job asks for."""
        return self.images_by_model().total()

    def image_name(self, variant: Variant, index: int, *, whole_key: bool = False) -> str:
        """The path of an image without its ending; *whole_key* for one whose name is taken."""
        return name_of(self.file_name, variant, index, whole_key=whole_key)
