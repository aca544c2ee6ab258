"""``batchgen export``: a dataset in another form, beside it."""

from pathlib import Path

import click

from batchgen.cli.folders import DatasetPath
from batchgen.cli.screen import counting, forgiving_pipes, show, show_json, tell


class _Size(click.ParamType[int]):
    """Bytes, in the grammar of the job file, and at least one."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        from batchgen.job.grammar.units import read_size

        try:
            size = read_size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return size or self.fail("expected a size of more than 0", param, ctx)


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

    from batchgen.dataset.exports.export import export_dataset
    from batchgen.dataset.exports.shards import Limits
    from batchgen.text import counted

    limits = Limits(images=shard_images, bytes=shard_size)
    with counting("images") as watch:
        done = export_dataset(folder, to=form, limits=limits, watch=watch, **options)  # type: ignore[arg-type]  # click has checked the types
    with forgiving_pipes():
        if as_json:
            show_json({**asdict(done), "folder": str(done.folder)})
        else:
            shards = f" in {counted(done.shards, 'shard')}" if done.shards else ""
            show(f"{counted(done.images, 'image')}{shards} in {done.folder}")
    tell(f"batchgen: ok: exported to {form}")
