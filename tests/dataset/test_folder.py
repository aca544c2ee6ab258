"""The dataset folder: where things are, who may look, and small files written whole."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.dataset.folder import (
    DatasetFolder,
    append_lines,
    json_line,
    storage_error,
    write_whole,
)
from batchgen.errors import StorageError, UsageError
from tests.ledger.made import full_disk


def test_the_names_in_a_dataset_are_those_of_the_contract():
    folder = DatasetFolder(Path("d"))
    names = ["manifest_jsonl", "manifest_csv", "failures", "summary", "ledger", "lock", "job"]
    assert [getattr(folder, name).relative_to("d").as_posix() for name in [*names, "log"]] == [
        "manifest.jsonl",
        "manifest.csv",
        "failures.jsonl",
        "summary.json",
        ".batchgen/ledger.sqlite3",
        ".batchgen/lock",
        ".batchgen/job.yaml",
        ".batchgen/run.log",
    ]


def test_what_batchgen_keeps_for_itself_is_for_the_owner_only(tmp_path):
    folder = DatasetFolder(tmp_path / "a" / "b" / "kitchen")
    before = os.umask(0o022)
    try:
        folder.prepare()
    finally:
        os.umask(before)
    assert folder.root.stat().st_mode & 0o777 == 0o755
    for private in (folder.state, folder.parts):
        assert private.is_dir()
        assert private.stat().st_mode & 0o777 == 0o700
    for kept_private in (folder.ledger, folder.lock, folder.log, folder.job, folder.local_service):
        assert kept_private.parent == folder.state


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made durable, in order."""
    found: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        found.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_the_name_of_every_new_folder_is_made_durable_once(tmp_path, synced):
    folder = DatasetFolder(tmp_path / "a" / "b")
    folder.prepare()
    made = [tmp_path, tmp_path / "a", folder.root, folder.state]
    assert synced == [str(path) for path in made]
    folder.prepare()
    assert len(synced) == 4


def test_an_added_line_is_durable_and_so_is_a_new_name(tmp_path, synced):
    for _ in range(2):
        append_lines(tmp_path / "log", {"a": 1})
    log = str(tmp_path / "log")
    assert synced == [log, str(tmp_path), log]
    assert (tmp_path / "log").read_text() == '{"a": 1}\n' * 2


def test_the_mask_of_the_process_stays_as_it_is_and_nobody_else_may_write(tmp_path):
    before = os.umask(0)
    try:
        folder = DatasetFolder(tmp_path / "a" / "b")
        folder.prepare()
        append_lines(folder.log, {})
        write_whole(folder.summary, ["{}"])
        left = os.umask(0)
    finally:
        os.umask(before)
    assert left == 0
    for path in (folder.root.parent, folder.root, *folder.root.rglob("*")):
        assert not path.stat().st_mode & 0o002, path


def test_a_dataset_prepared_again_keeps_all_it_has(folder):
    for path in (folder.manifest_jsonl, folder.ledger, folder.parts / "p"):
        path.write_text("x")
    folder.prepare()
    for path in (folder.manifest_jsonl, folder.ledger, folder.parts / "p"):
        assert path.read_text() == "x"


@pytest.mark.parametrize("name", ["kitchen", "kitchen/.batchgen", "kitchen/.batchgen/parts", "."])
def test_a_file_in_the_way_is_named(tmp_path, name):
    base = tmp_path / "out"
    in_the_way = base / name
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("precious")
    with pytest.raises(UsageError, match=r"^expected a folder at .*out.*, got a file; give anoth"):
        DatasetFolder(base / "kitchen").prepare()
    assert in_the_way.read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_a_storage_error():
    with pytest.raises(StorageError, match=r"^cannot write /proc/none/kitchen: "):
        DatasetFolder(Path("/proc/none/kitchen")).prepare()


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "summary.json"
    write_whole(path, ["a\n", "é\u2028\r\n"])
    assert path.read_bytes() == "a\né\u2028\r\n".encode()
    write_whole(path, iter(()))
    assert path.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [path]


def breaking(error: Exception) -> Iterator[str]:
    yield "new" * 100_000
    raise error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ZeroDivisionError(), ZeroDivisionError),
        (OSError(28, "No space left on device"), StorageError),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), UnicodeEncodeError),
    ],
)
def test_a_file_that_could_not_be_finished_stays_the_old_one(tmp_path, error, raised):
    path = tmp_path / "summary.json"
    path.write_text("old")
    with pytest.raises(raised):
        write_whole(path, breaking(error))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text("old")
    with full_disk(100), pytest.raises(StorageError, match=r"^cannot write .*summary\.json: File"):
        write_whole(path, ["x" * 1_000])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_a_storage_error_of_the_file(tmp_path):
    with pytest.raises(StorageError, match=r"none/summary\.json: No such file"):
        write_whole(tmp_path / "none" / "summary.json", ["x"])


def test_an_error_without_a_system_message_is_said_all_the_same():
    assert str(storage_error(OSError("odd"), Path("p"))) == "cannot write p: odd"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({}, "{}\n"),
        ({"a": None, "b": True, "c": 1.5}, '{"a": null, "b": true, "c": 1.5}\n'),
        ({"a": 'é日本🫖"'}, '{"a": "é日本🫖\\""}\n'),
        ({"a": "x\u2028y\u2029z\u0085"}, '{"a": "x\\u2028y\\u2029z\\u0085"}\n'),
        ({"\u2028": "\n\r\v\f\x1c"}, '{"\\u2028": "\\n\\r\\u000b\\f\\u001c"}\n'),
    ],
)
def test_a_row_is_one_line_of_json(row, line):
    assert json_line(row) == line


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_no_row_is_cut_by_any_reader_of_lines(row):
    line = json_line(row)
    assert line.splitlines(keepends=True) == [line]
    assert json.loads(line) == row


def test_a_folder_within_others_reach_is_refused_with_what_to_do(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match=r"everybody .* may write to .*; run chmod o-w "):
        DatasetFolder(tmp_path).prepare()
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_others_could_look_into_is_closed(folder):
    folder.state.chmod(0o755)
    folder.prepare()
    assert folder.state.stat().st_mode & 0o777 == 0o700


def test_links_below_a_dataset_are_refused_at_any_depth(folder, tmp_path):
    (folder.images / "a" / "b").mkdir(parents=True)
    folder.prepare()
    (folder.images / "a" / "b" / "c").symlink_to(tmp_path)
    with pytest.raises(StorageError, match="a/b/c: expected a folder of its own there, got a link"):
        folder.prepare()


def test_a_link_in_the_place_of_a_new_file_is_replaced(tmp_path):
    (tmp_path / ".summary.json.new").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "summary.json", ["x"])
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_line_is_never_added_behind_a_link(tmp_path):
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="log"):
        append_lines(tmp_path / "log", {})
    assert not (tmp_path / "elsewhere").exists()
