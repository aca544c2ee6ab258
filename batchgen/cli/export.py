"""``batchgen export``: a dataset in another form, beside it."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import forgiving_pipes, show, show_json, tell

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}


class _Size(click.ParamType[int]):
    """Bytes: a number, or one with kB, MB or GB."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        found = re.fullmatch(r"(\d{1,12}) ?(|[kmg]b)", str(value).strip().lower())
        if not found or int(found[1]) == 0:
            self.fail(f"expected a size such as 500MB, got {value!r}", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


@click.command()
@click.argument("folder", metavar="DIR", type=DatasetPath())
@click.option(
    "--to", "form", required=True, type=click.Choice(["webdataset", "parquet", "huggingface"])
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: DIR-FORMAT, beside DIR.")
@click.option(
    "--shard-images", type=click.IntRange(1), default=10_000, show_default=True, metavar="N",
    help="Images in a shard, at the most.",
)  # fmt: skip
@click.option(
    "--shard-size", type=_Size(), default="500MB", show_default=True, metavar="SIZE",
    help="Of the images in a shard.",
)  # fmt: skip
@click.option(
    "--embed", is_flag=True, help="Say in each picture how it was made; pixels stay the same."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def export(
    folder: Path, form: str, shard_images: int, shard_size: int, as_json: bool, **options: object
) -> None:
    """Write the images of DIR in the form that a training tool reads.

    The same images give the same bytes. Run it again after a stop, or when the dataset has grown:
    shards that are right already are kept.
    """
    from dataclasses import asdict

    from batchgen.dataset.export import export_dataset
    from batchgen.dataset.shards import Limits

    limits = Limits(images=shard_images, bytes=shard_size)
    with _progress() as watch:
        done = export_dataset(folder, to=form, limits=limits, watch=watch, **options)  # type: ignore[arg-type]  # click has checked the types
    with forgiving_pipes():
        if as_json:
            show_json({**asdict(done), "folder": str(done.folder)})
        else:
            shards = f" in {done.shards:,} shard{'s' * (done.shards != 1)}" if done.shards else ""
            show(f"{done.images:,} images{shards} in {done.folder}")
    tell(f"batchgen: ok: exported to {form}")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit=" images", leave=False) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch
