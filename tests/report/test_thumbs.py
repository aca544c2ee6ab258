"""Thumbnails are made once, of the images the manifest describes, and of nothing else."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import StorageError
from batchgen.report.contents import read_contents
from batchgen.report.thumbs import (
    ASIDE,
    CHANGED,
    MISSING,
    PRESENT,
    Progress,
    make_thumbnails,
    thumbnail_of,
)
from tests.report.made import dataset, image_row


def test_what_the_job_had_put_aside_is_neither_shown_nor_missed(tmp_path):
    rows = [image_row(tmp_path, number, nsfw=True) for number in range(3)]
    rows[1]["file_name"], rows[2]["file_name"] = "nsfw/p1/1.png", "dropped/p0/2.png"
    assert made(dataset(tmp_path, rows)) == [PRESENT, ASIDE, ASIDE]
    assert len(list((tmp_path / ".thumbs").rglob("*.webp"))) == 1


def made(root: Path, progress: Progress | None = None) -> list[str]:
    contents = read_contents(root)
    return make_thumbnails(contents.folder, contents.images, progress)


def test_a_thumbnail_is_small_and_made_once(tmp_path):
    rows = [image_row(tmp_path, number) for number in range(4)]
    large = Image.new("RGBA", (1600, 800), (10, 200, 30, 128))
    large.save(tmp_path / rows[3]["file_name"])
    data = (tmp_path / rows[3]["file_name"]).read_bytes()
    rows[3] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    dataset(tmp_path, rows)
    told = []
    assert made(tmp_path, lambda *counts: told.append(counts)) == [PRESENT] * 4
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    paths = [thumbnail_of(DatasetFolder(tmp_path), row["sha256"]) for row in rows]
    with Image.open(paths[3]) as thumbnail:
        assert (thumbnail.format, thumbnail.size, thumbnail.mode) == ("WEBP", (320, 160), "RGBA")
    before = [path.stat().st_mtime_ns for path in paths]
    assert made(tmp_path, lambda *counts: pytest.fail("made again")) == [PRESENT] * 4
    assert [path.stat().st_mtime_ns for path in paths] == before
    assert {path.name for path in tmp_path.rglob(".thumbs/*/*")} == {path.name for path in paths}


def test_a_file_that_is_gone_or_another_is_told(tmp_path):
    rows = [image_row(tmp_path, number) for number in range(4)]
    dataset(tmp_path, rows)
    (tmp_path / rows[0]["file_name"]).unlink()
    with (tmp_path / rows[1]["file_name"]).open("ab") as file:
        file.write(b"more")
    data = bytearray((tmp_path / rows[2]["file_name"]).read_bytes())
    data[-20] ^= 1  # as long as before
    (tmp_path / rows[2]["file_name"]).write_bytes(data)
    assert made(tmp_path) == [MISSING, CHANGED, CHANGED, PRESENT]


def test_a_file_that_shows_no_picture_is_told(tmp_path):
    data = b"\x89PNG\r\n\x1a\n" + bytes(40)
    row = image_row(tmp_path, 0) | {"bytes": 48, "sha256": hashlib.sha256(data).hexdigest()}
    (tmp_path / row["file_name"]).write_bytes(data)
    assert made(dataset(tmp_path, [row])) == [CHANGED]


def test_an_empty_thumbnail_of_a_crash_is_made_again(tmp_path):
    row = image_row(tmp_path, 0)
    dataset(tmp_path, [row])
    made(tmp_path)
    path = thumbnail_of(DatasetFolder(tmp_path), row["sha256"])
    path.write_bytes(b"")
    made(tmp_path)
    assert path.stat().st_size > 0


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "dataset"
    root.mkdir()
    dataset(root, [image_row(root, 0)])
    (root / ".thumbs").symlink_to(outside)
    with pytest.raises(StorageError, match="expected a folder of its own there, got a link"):
        made(root)
    assert list(outside.iterdir()) == []
