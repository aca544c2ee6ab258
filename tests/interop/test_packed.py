"""Datasets that pack their images load in the same tools, as they are."""

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from batchgen.dataset.exports.huggingface import write_huggingface
from batchgen.dataset.exports.packed import open_packed
from batchgen.dataset.exports.shards import Limits
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.treatment import Treatment
from batchgen.dataset.views.view import View
from tests.dataset.made import make_dataset
from tests.interop.conftest import rows
from tests.interop.test_huggingface import check, load, pixels  # noqa: F401  # a fixture

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("datasets")

Made = Mapping[str, tuple[Path, list[dict[str, Any]]]]


def pack(folder: DatasetFolder, form: str, *, variants: int) -> list[dict[str, Any]]:
    """Pack all images of *folder*, so many variants at a time; returns rows and bytes."""
    with View.open(folder) as view:
        found = list(view.rows())
        packed = open_packed(
            folder, form, "plan", limits=Limits(images=4), columns=view.columns,
            treatment=Treatment(),
        )  # fmt: skip
    wanted = []
    for row in found:
        # That another image has the same bytes is not known when one is packed.
        flags = str(row.values["flags"]).replace("identical", "").strip()
        data = (folder.root / str(row.asked["file_name"])).read_bytes()
        wanted.append({**row.values, "flags": flags, "data": data})
    keys = {key: n for n, key in enumerate(dict.fromkeys(r.asked["variant_key"] for r in found))}
    for number, group in groupby(found, lambda r: keys[r.asked["variant_key"]] // variants):
        packed.pack(number, [row.asked for row in group], done=True)
    assert not list(folder.images.iterdir())
    write_huggingface(folder, "kit")
    return wanted


def named(row: Mapping[str, object]) -> dict[str, object]:
    """*row* under the name that a packed image has."""
    return {**row, "file_name": f"images/{row['variant_key']}_{row['image_index']}.png"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The folder of each form, in a folder whose name is a split word, and what is in it."""
    found = {}
    for form in ("webdataset", "parquet"):
        root = tmp_path_factory.mktemp(form) / "test"
        folder = make_dataset(root, map(named, rows()), shuffled=3)
        found[form] = (root, pack(folder, form, variants=5))
    return found


def shards(root: Path) -> list[str]:
    listed = json.loads((root / "shards/shards.json").read_bytes())["shards"]
    return [str(root / "shards" / shard["file"]) for shard in listed]


@pytest.mark.parametrize("streaming", [False, True])
def test_parquet_shards_load_with_their_types(load, made, streaming):  # noqa: F811
    root, expected = made["parquet"]
    assert len(shards(root)) == 11  # of 10 images each, four at a time, and of 6
    check(load(str(root), split="train", streaming=streaming), expected)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("builder", [True, False])
def test_archives_load(load, made, builder, streaming):  # noqa: F811
    root, expected = made["webdataset"]
    files = f"{root}/shards/*.tar" if builder else None
    path = "webdataset" if builder else str(root)
    found = load(path, data_files=files, split="train", streaming=streaming)
    check(({"image": one["png"], **one["json"]} for one in found), expected)


def test_webdataset_reads_the_archives_in_order(made):
    webdataset = pytest.importorskip("webdataset")
    root, expected = made["webdataset"]
    found = list(webdataset.WebDataset(shards(root), shardshuffle=False).decode("pil"))
    for one, wanted in zip(found, expected, strict=True):
        assert one["json"] == {name: v for name, v in wanted.items() if name != "data"}
        assert one["png"].convert("RGB").tobytes() == pixels(wanted["data"])


def test_tables_read_the_shards(made):
    pq, pandas = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pandas")
    duckdb = pytest.importorskip("duckdb")
    root, expected = made["parquet"]
    found = [row for path in shards(root) for row in pq.read_table(path).to_pylist()]
    assert [row.pop("image")["bytes"] for row in found] == [e["data"] for e in expected]
    assert found == [{k: v for k, v in e.items() if k != "data"} for e in expected]
    frames = [pandas.read_parquet(path) for path in shards(root)]
    assert [t for frame in frames for t in frame["text"]] == [e["text"] for e in expected]
    sql = f"SELECT text, image.bytes FROM read_parquet({shards(root)})"
    assert duckdb.sql(sql).fetchall() == [(e["text"], e["data"]) for e in expected]


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_without_images_there_is_nothing_to_load_and_nothing_breaks(tmp_path, form):
    folder = make_dataset(tmp_path / "kit", [])
    assert pack_nothing(folder, form) == []
    assert "configs" not in folder.card.read_text()


def pack_nothing(folder: DatasetFolder, form: str) -> list[str]:
    folder.images.mkdir()
    pack(folder, form, variants=1)
    return shards(folder.root)
