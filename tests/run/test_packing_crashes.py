"""kill -9 at durable steps of a run that packs: no image is lost, doubled or half there."""

import hashlib
import importlib.util
import json
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.holdings import Holdings
from batchgen.dataset.stores.members import read_listing
from tests.support import cli
from tests.support.bench import Bench
from tests.support.judging import Essence, essence, finish
from tests.support.service import Service

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
PROMPTS = ["a pear", {"text": "a plum", "num_images": 3}, "a fig", "a quince", "a lime"]
# Of about 160 moments: before, between and after shard, index, list and removal of the loose files.
SOME = [
    *(("webdataset", point) for point in (40, 71, 93, 110, 127)),
    *(pytest.param("parquet", point, marks=needs_pyarrow) for point in (58, 84, 101, 118)),
    ("huggingface", 40),
]
STRIPES = 10
Shards = dict[str, bytes]


def _job(bench: Bench, form: str) -> None:
    # Two variants are a batch, and no shard holds more than two images.
    output = {"format": form, "shard_images": 2}
    bench.job(PROMPTS, run={"concurrency": 2}, output=output)


def contents(dataset: Path) -> Shards:
    """Every file in the folder of shards, or of images where there are none."""
    shards = dataset / "shards"
    top = shards if shards.exists() else dataset / "images"
    return {path.name: path.read_bytes() for path in top.iterdir()}


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, running_service: Service
) -> Callable[[str], tuple[Essence, Shards]]:
    """What a run without a kill makes in a form."""

    @cache
    def make(form: str) -> tuple[Essence, Shards]:
        running_service.reset()
        bench = Bench(tmp_path_factory.mktemp("packed"), running_service)
        _job(bench, form)
        assert bench.run().returncode == 0
        found = contents(bench.dataset)
        # Seven images; or four shards, their indexes and the list.
        assert len(found) == (7 if form == "huggingface" else 9)
        running_service.reset()
        return essence(bench.dataset), found

    return make


def _crash(bench: Bench, point: int) -> bool:
    """Run and die at that moment; False when the run ends before it comes."""
    crashing = "import tests.support.crashing as m; m.main()"
    words = (point, "--", "run", "job.yaml")
    done = cli.run_forked(crashing, *words, cwd=bench.folder, env=bench.env)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def check_held(dataset: Path) -> None:
    """Every shard that is listed is whole, and every row of the manifest has its image."""
    folder = DatasetFolder(dataset)
    listing = read_listing(folder)
    for shard in listing.shards if listing else ():
        data = (folder.shards / shard.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard.sha256
    holdings = Holdings(folder)
    lines = folder.manifest_jsonl.read_bytes().split(b"\n")[:-1]
    for row in map(json.loads, lines):
        data = holdings.read(row["file_name"]) or b""
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert holdings.size(row["file_name"]) == row["bytes"]


def _judge(bench: Bench, undisturbed: tuple[Essence, Shards]) -> None:
    if (bench.dataset / "manifest.jsonl").exists():
        check_held(bench.dataset)
    finish(bench, len(PROMPTS))
    check_held(bench.dataset)
    assert (essence(bench.dataset), contents(bench.dataset)) == undisturbed
    if (bench.dataset / "shards").exists():
        assert bench.image_files() == []
    assert list(bench.dataset.glob("*/.*")) == []


@pytest.mark.parametrize(("form", "point"), SOME)
def test_a_packing_run_killed_at_a_durable_step_ends_as_if_undisturbed(
    undisturbed: Callable[[str], tuple[Essence, Shards]], bench: Bench, form: str, point: int
):
    whole = undisturbed(form)
    _job(bench, form)
    assert _crash(bench, point)
    _judge(bench, whole)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(1, STRIPES + 1))
@pytest.mark.parametrize(
    "form", ["webdataset", pytest.param("parquet", marks=needs_pyarrow), "huggingface"]
)
def test_a_packing_run_killed_at_any_durable_step_ends_as_if_undisturbed(
    undisturbed: Callable[[str], tuple[Essence, Shards]], bench: Bench, form: str, first: int
):
    whole = undisturbed(form)
    point, crashed = first, True
    root = bench.folder
    while crashed:
        bench = Bench(root / str(point), bench.service)
        bench.folder.mkdir()
        bench.service.reset()
        _job(bench, form)
        crashed = _crash(bench, point)
        _judge(bench, whole)
        point += STRIPES
    assert point > (60 if form == "huggingface" else 100)
