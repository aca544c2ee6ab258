"""Rows are data from outside: what cannot be shown or linked is put right or refused."""

import json
import os
from datetime import UTC, datetime

import pytest

from batchgen.errors import StorageError, UsageError
from batchgen.report import contents, write_report
from batchgen.report.contents import read_contents
from batchgen.report.headline import headline
from tests.report.made import dataset, failure_row, image_row


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path):
    with pytest.raises(UsageError, match=r"expected a dataset at .*, but it has no manifest.jsonl"):
        read_contents(tmp_path)


def test_a_line_that_is_being_written_is_left_for_later(tmp_path):
    dataset(tmp_path, [image_row(tmp_path, 0)])
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"file_name": "images/p')
    assert len(read_contents(tmp_path).images) == 1


@pytest.mark.parametrize("line", ["no json", "[1]", "[" * 100_000])
def test_a_line_that_is_no_row_is_named(tmp_path, line):
    dataset(tmp_path, [image_row(tmp_path, 0)])
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(StorageError, match=r"manifest.jsonl:2: expected a row as a JSON object"):
        read_contents(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png", "images/../../secret.png", "/etc/passwd", "https://example.com/a.png",
        "javascript:alert(1)", "images/.hidden.png", "images\\a.png", "images/a\n.png", "images/",
        "images//a.png", 7, None, "images/" + "a" * 2_000,
    ],
)  # fmt: skip
def test_a_name_that_leads_outside_the_images_is_not_used(tmp_path, name):
    dataset(tmp_path, [image_row(tmp_path, 0, file_name=name)])
    assert read_contents(tmp_path).images[0]["file_name"] is None


def test_values_are_what_a_page_can_show(tmp_path):
    row = image_row(tmp_path, 0, seed=2**60, style=["a", 1], total_ms=5, sha256="../x")
    dataset(tmp_path, [row])
    path = tmp_path / "manifest.jsonl"
    path.write_text(path.read_text().replace('"total_ms": 5', '"total_ms": NaN'))
    image = read_contents(tmp_path).images[0]
    assert image["seed"] == str(2**60)
    assert image["style"] == '["a", 1]'
    assert image["total_ms"] is None
    assert image["sha256"] is None


def test_axes_are_what_differs(tmp_path):
    rows = [image_row(tmp_path, number, style=number % 3) for number in range(6)]
    assert read_contents(dataset(tmp_path, rows)).axes == ["prompt_id", "seed", "style"]
    assert read_contents(dataset(tmp_path, rows[:1])).axes == []
    # A negative prompt belongs to its prompt, unless it is varied.
    for row in rows:
        row["negative_prompt"] = f"not {row['prompt_id']}"
    assert "negative_prompt" not in read_contents(dataset(tmp_path, rows)).axes
    rows[0] |= {"negative_prompt": "people", "image_index": 1}
    assert read_contents(dataset(tmp_path, rows)).axes == [
        "prompt_id", "negative_prompt", "seed", "style", "image_index"
    ]  # fmt: skip
    # A ratio that only a failed variant has is one too.
    assert "aspect_ratio" in read_contents(dataset(tmp_path, rows, [failure_row(0)])).axes


def test_what_the_ledger_says_now_replaces_the_files(tmp_path):
    dataset(tmp_path, [], [failure_row(0), failure_row(1)])
    (tmp_path / "summary.json").write_text(json.dumps({"planned": 2}))
    of_files = read_contents(tmp_path)
    assert (len(of_files.failures), of_files.standing["planned"]) == (2, 2)
    now = read_contents(tmp_path, failures=[], standing={"planned": 5})
    assert (len(now.failures), now.standing["planned"]) == (0, 5)


def test_a_summary_that_is_none_is_named(tmp_path):
    dataset(tmp_path, [])
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(StorageError, match=r"summary.json is no JSON object"):
        read_contents(tmp_path)
    (tmp_path / "summary.json").unlink()
    os.mkfifo(tmp_path / "summary.json")
    with pytest.raises(StorageError, match=r"cannot read .*summary.json: not a file of its own"):
        read_contents(tmp_path)


def test_what_a_view_says_of_an_image_goes_along(tmp_path):
    rows = [image_row(tmp_path, number) for number in range(3)]
    dataset(tmp_path, rows)
    view = [{"file_name": rows[1]["file_name"], "flags": "identical blank"}, {"file_name": "x"},
            {"file_name": rows[2]["file_name"], "flags": ""}]  # fmt: skip
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in view))
    images = read_contents(tmp_path).images
    assert [image.get("flags") for image in images] == [None, "identical blank", None]
    assert read_contents(tmp_path).axes == ["prompt_id", "seed"]


def test_of_too_many_for_a_page_some_of_every_kind_are_picked(tmp_path, monkeypatch):
    rows = [image_row(tmp_path, number, style=number % 2) for number in range(100)]
    dataset(tmp_path, rows)
    monkeypatch.setattr(contents, "MOST", 50)
    found = read_contents(tmp_path)
    assert (found.total, found.every) == (100, 2)
    assert 30 < len(found.images) < 70
    assert {row["style"] for row in found.images} == {0, 1}
    assert [row["sha256"] for row in found.images] == [
        row["sha256"] for row in read_contents(tmp_path).images
    ]
    head = headline(found, datetime.now(UTC))
    shown = f"Shown here, and counted in the figures, are {len(found.images)} of the images, "
    assert shown + "picked at random." in head.verdict
    assert (head.numbers[0].value, head.numbers[1].name) == ("100", "flagged NSFW of those shown")
    written = write_report(tmp_path)
    assert (written.images, written.left_out) == (len(found.images), 100 - len(found.images))
