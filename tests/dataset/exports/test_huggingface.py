"""What lies in the dataset folder for Hugging Face; tests/interop holds it against the library."""

import json
import os
from pathlib import Path

import pytest
import yaml

from batchgen.dataset.exports.huggingface import write_huggingface
from batchgen.dataset.views.card import MARK
from batchgen.dataset.views.view import LeftError
from tests.dataset.made import make_dataset, row, write_manifest


def front_matter(text: str) -> dict[str, object]:
    assert text.startswith("---\n")
    found: dict[str, object] = yaml.safe_load(text.split("---\n")[1])
    return found


def test_one_line_for_each_image_whatever_the_order(tmp_path):
    rows = [row(n) for n in range(20)]
    made = [make_dataset(tmp_path / f"{n}/kit", rows, shuffled=n) for n in range(2)]
    assert [write_huggingface(folder, "kit") for folder in made] == [20, 20]
    first, second = (folder.metadata.read_bytes() for folder in made)
    assert first == second
    assert made[0].card.read_bytes() == made[1].card.read_bytes()
    lines = [json.loads(line) for line in first.splitlines()]
    assert {line["file_name"] for line in lines} == {r["file_name"] for r in rows}
    assert len({tuple(line) for line in lines}) == 1
    assert None not in {value for line in lines for value in line.values()}


def test_the_card_names_the_files_that_there_are(tmp_path):
    folder = make_dataset(tmp_path, [row(0), row(2, form="JPEG")])
    write_huggingface(folder, "kit\u202e")
    text = folder.card.read_text("utf-8")
    files = ["metadata.jsonl", "images/**/*.jpg", "images/**/*.png"]
    front = front_matter(text)
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": files}]}
    ]
    assert front["size_categories"] == ["n<1K"]
    assert "2 images of 2 prompts, made by `wavespeed-ai/imagen4`" in text
    assert "\u202e" not in text


def test_without_images_there_is_nothing_to_load(folder):
    folder.metadata.write_text("{}\n")
    write_manifest(folder, [])
    assert write_huggingface(folder, "kit") == 0
    assert not folder.metadata.exists()
    assert "configs" not in front_matter(folder.card.read_text("utf-8"))


@pytest.mark.parametrize("link", [False, True])
def test_a_readme_of_somebody_else_stays(tmp_path, link):
    folder = make_dataset(tmp_path / "kit", [row(0)])
    own = tmp_path / "own" if link else folder.card
    own.write_text("mine" + (MARK if link else ""))
    if link:
        folder.card.symlink_to(own)
    write_huggingface(folder, "kit")
    assert own.read_text().startswith("mine")
    assert folder.card.is_symlink() is link


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.write_bytes(b"\xff")])
def test_what_is_no_text_in_the_place_of_the_card_stays(tmp_path, make):
    folder = make_dataset(tmp_path, [row(0)])
    make(folder.card)
    before = folder.card.lstat()
    assert write_huggingface(folder, "kit") == 1
    assert folder.card.lstat() == before


def test_a_card_of_ours_is_written_again(tmp_path):
    folder = make_dataset(tmp_path, [row(0)])
    write_huggingface(folder, "kit")
    write_manifest(folder, [])
    write_huggingface(folder, "kit")
    assert "0 images of 0 prompts, made by no model yet" in folder.card.read_text("utf-8")


def test_what_was_there_stays_when_there_is_no_time(tmp_path):
    folder = make_dataset(tmp_path, [row(n) for n in range(4)])
    folder.metadata.write_text("old")
    left = iter([True] * 6 + [False])
    with pytest.raises(LeftError):
        write_huggingface(folder, "kit", lambda: next(left))
    assert folder.metadata.read_text() == "old"
    assert not list(folder.root.glob(".*.new"))
