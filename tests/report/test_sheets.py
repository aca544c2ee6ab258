"""Contact sheets."""

import pytest
from PIL import Image

from batchgen.errors import StorageError
from batchgen.report import write_sheets
from tests.report.made import dataset, failure_row, image_row


def test_there_is_a_sheet_for_each_two_axes(tmp_path):
    rows = [image_row(tmp_path, number, style=f"s{number % 3}") for number in range(12)]
    rows[5]["nsfw"] = True
    sheets = write_sheets(dataset(tmp_path, rows, [failure_row(0)]))
    # A seed has one ratio, so a table of these two would show nothing.
    assert [path.name for path in sheets] == [
        "prompt_id-seed.png", "prompt_id-aspect_ratio.png", "prompt_id-style.png", "seed-style.png",
    ]  # fmt: skip
    with Image.open(sheets[0]) as sheet:
        assert sheet.format == "PNG"
        reds, greens, _ = (band.tobytes() for band in sheet.split())
    colours = set(zip(reds, greens, strict=True))
    # A flat picture stays what it is when it is blurred, so its colour is there with the others.
    for number in range(12):
        assert any(abs(red - number) < 4 and abs(green - 120) < 4 for red, green in colours)


def test_many_cells_are_several_sheets_and_one_axis_is_enough(tmp_path):
    rows = [image_row(tmp_path, 2 * number) for number in range(30)]
    sheets = write_sheets(dataset(tmp_path, rows))
    assert [path.name for path in sheets] == ["seed-01.png", "seed-02.png"]
    # A style of its own for each seed makes no table.
    for number, row in enumerate(rows):
        row["style"] = f"s{number}"
    assert len(write_sheets(dataset(tmp_path, rows))) == 2


def test_a_dataset_of_one_image_or_none_has_a_sheet_or_none(tmp_path):
    assert write_sheets(dataset(tmp_path, [])) == []
    assert [path.name for path in write_sheets(dataset(tmp_path, [image_row(tmp_path, 0)]))] == [
        "prompt_id.png"
    ]


def test_what_failed_is_told_by_whoever_knows_it_as_it_is_now(tmp_path):
    made = dataset(tmp_path, [image_row(tmp_path, 0)], [failure_row(0, aspect_ratio="3:2")])
    assert [path.name for path in write_sheets(made)] == ["seed.png"]
    assert [path.name for path in write_sheets(made, failures=[])] == ["prompt_id.png"]


def test_a_link_in_the_place_of_a_sheet_is_refused(tmp_path):
    dataset(tmp_path, [image_row(tmp_path, 0)])
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets/prompt_id.png").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="got a link"):
        write_sheets(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_title_that_is_longer_than_its_sheet_is_cut_with_a_mark(tmp_path):
    rows = [image_row(tmp_path, 2 * number, **{"a" * 40: number, "b" * 40: 1}) for number in (0, 1)]
    (path,) = write_sheets(dataset(tmp_path, rows))
    with Image.open(path) as sheet:
        edge = sheet.crop((sheet.width - 32, 0, sheet.width, 84))
        assert len(edge.getcolors() or ()) == 1
