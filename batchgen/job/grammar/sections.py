"""The sections ``run`` and ``output`` of a job file as pydantic models."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from batchgen.job.names import DEFAULT_PATTERN


class Section(BaseModel):
    """Unknown keys are errors, and a text is never taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Poll(Section):
    """How often the service is asked for a result."""

    min_interval: Annotated[float, Field(ge=0.01, le=3600)] | None = Field(
        default=None,
        description="Seconds between two polls of one prediction, at the least; 2 or more on "
        "WaveSpeedAI (default 2), 0.25 by default on this computer.",
    )


class Timeouts(Section):
    """Seconds after which batchgen stops waiting."""

    submit: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=60, description="for a submit's answer"
    )
    poll: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=30, description="for a poll's answer"
    )
    download: Annotated[float, Field(gt=0, le=86400)] = Field(
        default=300, description="for an image"
    )
    prediction: Annotated[float, Field(gt=0, le=604800)] = Field(
        default=7200, description="for a prediction, from its submit"
    )


class Run(Section):
    """Pace and limits of a run."""

    tier: Literal["bronze", "silver", "gold", "ultra"] | None = Field(
        default=None,
        description="Tier of the account: sets concurrency and rate, where they are not set.",
    )
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Predictions in flight."
    )
    rate: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        default=None, description="Images per minute, at the most."
    )
    retries: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="Times that a submit turned away, or a download, is tried again in one run.",
    )
    max_variants: Annotated[int, Field(ge=1)] = Field(
        default=10_000, description="Refuse a job of more variants than this."
    )
    budget: Annotated[float, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=None, description="US dollars that this dataset as a whole may cost."
    )
    max_duration: str | int | None = Field(
        default=None, description="Send no new submits after this long: 6h, 90m, or seconds."
    )
    max_failures: str | int | None = Field(
        default=None, description="Stop when more variants fail than this: a count, or 5%."
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Send no more submits than this in one run."
    )
    window: str | None = Field(
        default=None,
        description="Send submits only in this part of the day, local time: 22:00-06:00.",
    )
    min_free: str | int | None = Field(
        default=None, description="Stop when the disk has less room than this: 2GB (default 200MB)."
    )
    on: str | None = Field(
        default=None, description="Make the shards on Ray: ray here, ray://HOST:PORT on a cluster."
    )
    on_uncertain: Literal["hold", "resubmit"] = Field(
        default="hold", description="What to do with submits that may have been paid."
    )
    poll: Poll = Poll()
    timeouts: Timeouts = Timeouts()


class Output(Section):
    """Where the dataset goes and how its images are called."""

    dir: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="The dataset folder, relative to the job file, or s3://bucket/prefix, gs://…, "
        "az://…; default out/<name>.",
    )
    format: Literal["files", "webdataset", "parquet", "huggingface"] = Field(
        default="files",
        description="How images are kept: as files with names that people read; in tar or Parquet "
        "shards below shards/; or as files named for Hugging Face.",
    )
    shard_images: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1_000, description="Images in a shard, at the most."
    )
    shard_size: str | int = Field(
        default="500MB", description="Size of the images in a shard, at the most."
    )
    file_name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        default=DEFAULT_PATTERN,
        description="Pattern of an image's name below images/, without its ending.",
    )
    csv_safe: bool = Field(
        default=True,
        description="Write ' before a text in manifest.csv that a spreadsheet would run.",
    )
    caption: Annotated[str, Field(min_length=1, max_length=10_000)] = Field(
        default="{prompt}",
        description="Pattern of the caption of an image, for training: {prompt}, {style} …",
    )
    nsfw: Literal["keep", "quarantine", "drop"] = Field(
        default="keep",
        description="What to do with the file of an image that the service flags: keep it among "
        "the others, put it below nsfw/, or delete it; its row stays.",
    )
    exports: list[Literal["webdataset", "parquet", "huggingface"]] = Field(
        default=[],
        description="Exports to keep beside the dataset: brought up to date when a run ends.",
    )
    embed: bool = Field(
        default=False,
        description="Let the pictures of these exports say how they were made; those of the "
        "dataset stay as they were served.",
    )
    also: list[Literal["captions", "rows", "croissant", "checksums"]] = Field(
        default=[],
        description="What to write beside the images: a .txt with the caption or a .json with the "
        "row for each, croissant.json, SHA256SUMS.",
    )
