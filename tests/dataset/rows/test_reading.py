"""A dataset for Python programs, also while a run is writing it."""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchgen.dataset.folder import DatasetFolder, json_line, write_whole
from batchgen.dataset.rows.reading import open_dataset
from batchgen.errors import UsageError
from tests.dataset.made import make_dataset, row

ROWS: list[dict[str, object]] = [
    {"file_name": "images/1.png", "prompt": "a\u2028b\x0c\u0085", "nsfw": None},
    {"file_name": "images/2.png", "prompt": "日本", "nsfw": True},
]


@pytest.fixture
def made(folder: DatasetFolder) -> DatasetFolder:
    """A dataset of two rows."""
    folder.manifest_jsonl.write_bytes("".join(map(json_line, ROWS)).encode())
    return folder


def test_the_rows_come_in_order_and_again(made):
    dataset = open_dataset(str(made.root))
    assert list(dataset) == ROWS
    assert list(dataset) == ROWS


def test_rows_that_land_later_are_found_by_the_next_reader(made):
    dataset = open_dataset(made.root)
    rows = iter(dataset)
    assert next(rows) == ROWS[0]
    with made.manifest_jsonl.open("a") as file:
        file.write(json_line({"file_name": "3"}))
    assert [*dataset][2:] == [{"file_name": "3"}]


LAST = json_line({"file_name": "images/3.png", "prompt": "日"}).encode()


@pytest.mark.parametrize("length", range(len(LAST)))
def test_a_row_that_is_being_written_is_not_met(made, length):
    with made.manifest_jsonl.open("ab") as file:
        file.write(LAST[:length])
    assert list(open_dataset(made.root)) == ROWS


def test_a_row_has_types(tmp_path):
    asked = row(0, saved_at="2026-11-27T10:00:00.123Z", style="oil", cost_usd=0.04)
    made = make_dataset(tmp_path, [asked])
    (found,) = open_dataset(made.root)
    assert found.saved_at == datetime(2026, 11, 27, 10, 0, 0, 123_000, UTC)
    assert found.created_at is None
    assert (found.seed, found.nsfw, found.cost_usd, found["style"]) == (0, True, 0.04, "oil")
    assert found.path == made.root / str(asked["file_name"])
    with found.open() as picture:
        assert picture.size == (found.width, found.height)
    assert json.loads(json.dumps(found)) == dict(found)


MIXED = [
    row(n, cost_usd=1.0, steps=n or None, mixed=[1, "two", None][n % 3], nsfw=[None, True][n % 2])
    for n in range(6)
]


def test_a_table_has_types_and_nulls(tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = open_dataset(make_dataset(tmp_path, MIXED).root).to_arrow()
    assert table["steps"].to_pylist() == [None, 1, 2, 3, 4, 5]
    assert table["mixed"].to_pylist() == ["1", "two", None, "1", "two", None]
    assert table["nsfw"].to_pylist() == [None, True] * 3
    assert table["saved_at"][0].as_py() == datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert table["cost_usd"].type == pa.float64()
    assert open_dataset(make_dataset(tmp_path / "no", []).root).to_arrow().num_rows == 0


def test_a_data_frame_has_types_and_nulls(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = open_dataset(make_dataset(tmp_path, MIXED).root).to_pandas()
    assert frame["steps"].dtype == pd.Int64Dtype()
    assert frame["steps"].isna().tolist() == [True] + [False] * 5
    assert frame["nsfw"].dtype == pd.BooleanDtype()
    assert frame["cost_usd"].dtype == pd.Float64Dtype()
    assert frame["saved_at"][0] == pd.Timestamp("2026-11-27T10:00:00Z")
    assert frame["created_at"].isna().all()
    assert len(open_dataset(make_dataset(tmp_path / "no", []).root).to_pandas()) == 0


@pytest.mark.parametrize("name", ["pandas", "pyarrow"])
def test_a_library_that_is_not_installed_is_named(made, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    dataset = open_dataset(made.root)
    with pytest.raises(UsageError, match=f"{name} is not installed; run pip install {name}"):
        dataset.to_pandas() if name == "pandas" else dataset.to_arrow()


def test_an_empty_manifest_has_no_rows(folder):
    folder.manifest_jsonl.touch()
    assert list(open_dataset(folder.root)) == []


def test_the_summary_is_that_of_the_last_run(made):
    dataset = open_dataset(made.root)
    assert dataset.summary == {}
    for exit_code in (4, 0):
        write_whole(made.summary, [json.dumps({"exit_code": exit_code, "name": "é"})])
        assert dataset.summary == {"exit_code": exit_code, "name": "é"}


@pytest.mark.parametrize("name", ["none", ".", "file"])
def test_a_folder_without_a_manifest_is_no_dataset(tmp_path: Path, name):
    (tmp_path / "file").touch()
    why = "but it has no manifest.jsonl" if name == "." else "but there is no such folder"
    with pytest.raises(UsageError, match=f"^expected a dataset at .*, {re.escape(why)}$"):
        open_dataset(tmp_path / name)
