"""How a dataset keeps its images: as files, under names that people read, or in shards."""

from collections.abc import Iterator
from dataclasses import dataclass

from batchgen.job.grammar.sections import Output
from batchgen.job.grammar.units import read_size
from batchgen.job.names import refuse_caption, refuse_pattern
from batchgen.job.source.document import Keys

FILES, FOLDER = "files", "huggingface"
_IN_A_FOLDER = 500  # variants, which have up to four images each: the Hub asks for a thousand or so
_MOST_DIGITS = 4
# Of what stands beside loose images, and what an archive has inside or a table in its columns.
_BESIDE = ("captions", "rows", "croissant")


@dataclass(frozen=True, kw_only=True)
class Packing:
    """Shards instead of loose images."""

    format: str
    """``webdataset`` or ``parquet``."""
    images: int
    """Variants that share their shards, and images in a shard, at the most."""
    bytes: int
    """Of the images in a shard, at the most."""


def wrong_keeping(output: Output) -> Iterator[tuple[Keys, str]]:
    """The keys of *output* that do not fit the others, each with what was expected."""
    try:
        if read_size(output.shard_size) < 1:
            yield ("output", "shard_size"), "expected a size above 0"
    except ValueError as error:
        yield ("output", "shard_size"), str(error)
    if output.format == FILES:
        return
    if "file_name" in output.model_fields_set:
        message = f"expected none: with format {output.format}, images are named by keys"
        yield ("output", "file_name"), message
    if output.format != FOLDER and (beside := [w for w in output.also if w in _BESIDE]):
        message = f"{', '.join(beside)} stand beside loose images: format {FOLDER} or {FILES}"
        yield ("output", "also"), message


def wrong_patterns(
    output: Output, known: set[str], columns: set[str]
) -> Iterator[tuple[Keys, str]]:
    """The patterns in *output* that cannot be used, each with what was expected.

    *known* may stand in names, *columns* in captions.
    """
    if wrong := refuse_pattern(output.file_name, known - {"prompt", "negative_prompt"}):
        yield ("output", "file_name"), wrong
    if wrong := refuse_caption(output.caption, columns):
        yield ("output", "caption"), wrong


def read_packing(output: Output) -> Packing | None:
    """How images are packed; None when they stay files."""
    if output.format in {FILES, FOLDER}:
        return None
    size = read_size(output.shard_size)
    return Packing(format=output.format, images=output.shard_images, bytes=size)


def pattern_of(output: Output, variants: int) -> str:
    """The pattern of the names of images, in a dataset of so many *variants*."""
    if output.format == FILES:
        return output.file_name
    digits = 0
    if output.format == FOLDER:
        while digits < _MOST_DIGITS and variants > _IN_A_FOLDER * 16**digits:
            digits += 1
    return (f"{{key{digits}}}/" if digits else "") + "{variant_key}_{index}"
