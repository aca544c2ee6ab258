"""A dataset for Python programs, also while a run is writing it."""

import json
from pathlib import Path

import pytest

from batchgen.dataset.folder import DatasetFolder, json_line, write_whole
from batchgen.dataset.reading import open_dataset
from batchgen.errors import UsageError

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
    assert dataset.path(ROWS[1]) == made.root / "images/2.png"


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
    with pytest.raises(UsageError, match=r"^expected a dataset at .* no manifest\.jsonl$"):
        open_dataset(tmp_path / name)
