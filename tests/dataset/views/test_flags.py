"""What may be wrong with an image is flagged, and nothing is dropped for it."""

import hashlib
import io
import json

import pytest
from PIL import Image

from batchgen.dataset.exports.huggingface import write_views
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.holdings import Holdings
from batchgen.dataset.views.flags import near_blank, wrong_size
from batchgen.dataset.views.view import View
from tests.dataset.made import make_dataset, row, write_manifest
from tests.dataset.pictures import noisy


@pytest.mark.parametrize(
    ("ratio", "width", "height", "wrong"),
    [
        ("16:9", 1408, 768, False),  # as Imagen 4 returns it, 3 % off
        ("3:4", 896, 1280, False),  # 7 % off
        ("9:16", 768, 1408, False),
        ("16:9", 768, 1408, True),
        ("1:1", 1024, 896, True),
        (None, 7, 1000, False),
        ("auto", 7, 1000, False),
        ("0:1", 7, 1000, False),
        ("-1:1", 7, 7, False),
        ("1:1", None, 7, False),
        ("1:1", 0, 7, False),
        (f"{'9' * 5000}:1", 7, 7, False),  # too long for a number
        ("1:1", 10**400, 7, True),
    ],
)
def test_a_size_that_contradicts_the_ratio(ratio, width, height, wrong):
    assert wrong_size({"aspect_ratio": ratio, "width": width, "height": height}) is wrong


def save(folder: DatasetFolder, image: Image.Image, form: str) -> dict[str, object]:
    file = io.BytesIO()
    image.save(file, form)
    path = folder.images / "a.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file.getvalue())
    size = len(file.getvalue())
    return {
        "file_name": "images/a.bin",
        "bytes": size,
        "width": image.width,
        "height": image.height,
    }


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_with_hardly_anything_on_it(folder, form):
    blank = Image.new("RGB", (512, 512), (250, 248, 240))
    assert near_blank(Holdings(folder), save(folder, blank, form))
    blank.paste((246, 244, 238), (100, 100, 300, 300))
    assert near_blank(Holdings(folder), save(folder, blank, form))
    blank.paste((20, 20, 90), (100, 100, 300, 300))
    assert not near_blank(Holdings(folder), save(folder, blank, form))
    gradient = Image.linear_gradient("L").resize((512, 512)).convert("RGB")
    assert not near_blank(Holdings(folder), save(folder, gradient, form))


@pytest.mark.parametrize("name", ["images/none.png", "images/../../a.png", "images/text.png"])
def test_what_is_no_picture_of_the_dataset_is_not_judged(folder, name):
    folder.images.mkdir()
    (folder.images / "text.png").write_text("text")
    (folder.root.parent / "a.png").write_bytes(b"")
    asked = {"file_name": name, "bytes": 10, "width": 512, "height": 512}
    assert not near_blank(Holdings(folder), asked)


def test_flags_are_in_the_view_and_counted(tmp_path):
    """Of six images two are the same, under variants of their own; one of them is odd as well."""
    folder = make_dataset(tmp_path / "kit", [row(n) for n in range(6)])
    rows = [json.loads(line) for line in folder.manifest_jsonl.read_text("utf-8").splitlines()]
    data = noisy()
    for one in (rows[0], rows[3]):
        (folder.root / one["file_name"]).write_bytes(data)
        one.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        one.update(width=1000, height=1000)
    for one in (rows[1], rows[2], rows[4], rows[5]):
        one.update(sha256=one["file_name"], width=7, height=7, bytes=100)
    rows[3]["aspect_ratio"] = "16:9"
    for order in (rows, rows[::-1]):
        write_manifest(folder, order)
        with View.open(folder) as view:
            flags = {r.values["file_name"]: r.values["flags"] for r in view.rows()}
        assert flags.pop(rows[0]["file_name"]) == "identical"
        assert flags.pop(rows[3]["file_name"]) == "identical size"
        assert set(flags.values()) == {""}
        found = write_views(folder, "kit")
        assert found == {"flags": {"identical": 2, "size": 1}, "nsfw_by_prompt": {"p0": 2}}
