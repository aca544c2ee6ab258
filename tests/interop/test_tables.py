"""Tables of the dataset in duckdb, pandas and pyarrow, and archives in ``webdataset``."""

import io
import json

import pytest

from batchgen.dataset.exports.export import export_dataset
from tests.dataset.made import make_dataset
from tests.interop.test_huggingface import pixels

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]


def test_webdataset_reads_the_archives(exported, expected):
    webdataset = pytest.importorskip("webdataset")
    shards = sorted(map(str, exported["webdataset"].glob("*.tar")))
    found = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert [one["json"] for one in found] == [
        {k: v for k, v in e.items() if k != "data"} for e in expected
    ]
    for one, wanted in zip(found, expected, strict=True):
        assert one["txt"] == wanted["text"]
        assert one["png"].convert("RGB").tobytes() == pixels(wanted["data"])


def test_pyarrow_reads_the_table(exported, expected):
    pq = pytest.importorskip("pyarrow.parquet")
    found = [row for path in sorted(exported["parquet"].glob("*.parquet"))
             for row in pq.read_table(path).to_pylist()]  # fmt: skip
    for one, wanted in zip(found, expected, strict=True):
        image = one.pop("image")
        assert image["bytes"] == wanted["data"]
        assert one == {k: v for k, v in wanted.items() if k != "data"}


def test_without_images_parquet_is_an_empty_table(tmp_path):
    """Which ``datasets`` refuses to load, as it does any split without rows."""
    pq = pytest.importorskip("pyarrow.parquet")
    done = export_dataset(make_dataset(tmp_path / "kit", []).root, to="parquet")
    found = pq.read_table(done.folder / "train-00000-of-00001.parquet")
    assert (found.num_rows, str(found.schema.field("seed").type)) == (0, "int64")


def test_pandas_reads_the_table_the_view_and_the_manifest(dataset, exported, expected):
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(exported["parquet"] / "train-00000-of-00003.parquet")
    assert list(table["text"]) == [e["text"] for e in expected[:15]]
    assert [image["bytes"] for image in table["image"]] == [e["data"] for e in expected[:15]]
    view = pandas.read_json(io.StringIO(dataset.metadata.read_text("utf-8")), lines=True)
    assert list(view["seed"]) == [e["seed"] for e in expected]
    rows = pandas.read_json(io.StringIO(dataset.manifest_jsonl.read_text("utf-8")), lines=True)
    assert sorted(rows["sha256"]) == sorted(e["sha256"] for e in expected)


def test_duckdb_reads_all_of_it(dataset, exported, expected):
    duckdb = pytest.importorskip("duckdb")
    sums = (len(expected), sum(e["bytes"] for e in expected), sum(e["strength"] for e in expected))
    for source in (f"{exported['parquet']}/*.parquet", str(dataset.metadata)):
        sql = f"SELECT count(*), sum(bytes), sum(strength) FROM '{source}'"
        assert duckdb.sql(sql).fetchall() == [sums]
    texts = duckdb.sql(f"SELECT text FROM '{dataset.metadata}'").fetchall()
    assert [text for (text,) in texts] == [e["text"] for e in expected]
    images = duckdb.sql(f"SELECT image.bytes FROM '{exported['parquet']}/*.parquet'").fetchall()
    assert [data for (data,) in images] == [e["data"] for e in expected]
    lines = dataset.manifest_jsonl.read_text("utf-8").splitlines()
    prompts = duckdb.sql(f"SELECT prompt FROM read_json('{dataset.manifest_jsonl}')").fetchall()
    assert [prompt for (prompt,) in prompts] == [json.loads(line)["prompt"] for line in lines]
