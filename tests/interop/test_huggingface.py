"""``datasets`` loads the same rows and pixels from the folder itself and from every export."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from PIL import Image

from batchgen.dataset.exports.export import export_dataset
from batchgen.dataset.exports.huggingface import write_huggingface
from tests.dataset.made import make_dataset, row
from tests.interop.conftest import rows

datasets = pytest.importorskip("datasets")
pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="session")
def load(tmp_path_factory) -> Callable[..., Any]:
    """``load_dataset`` that keeps what it loads in a folder of this session."""
    return partial(datasets.load_dataset, cache_dir=str(tmp_path_factory.mktemp("cache")))


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def check(found: Any, expected: list[dict[str, Any]], without: tuple[str, ...] = ()) -> None:
    """The same rows with the same pixels, whatever the order."""
    by_key = {(e["variant_key"], e["image_index"]): e for e in expected}
    left = set(by_key)
    for one in found:
        image = one.pop("image")
        key = (one["variant_key"], one["image_index"])
        wanted = {k: v for k, v in by_key[key].items() if k not in {"data", *without}}
        assert {k: v for k, v in one.items() if k not in without} == wanted
        assert image.convert("RGB").tobytes() == pixels(by_key[key]["data"])
        left.remove(key)
    assert not left


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("builder", [True, False])
@pytest.mark.parametrize("form", ["itself", "huggingface"])
def test_the_folder_loads_as_it_is(load, exported, expected, form, builder, streaming):
    path = str(exported[form])
    found = load(
        "imagefolder" if builder else path,
        data_dir=path if builder else None,
        split="train",
        streaming=streaming,
    )
    check(found, expected, without=("file_name",))


@pytest.mark.parametrize("streaming", [False, True])
def test_parquet_loads_with_its_types(load, exported, expected, streaming):
    found = load(str(exported["parquet"]), split="train", streaming=streaming)
    assert found.features["image"] == datasets.Image()
    check(found, expected)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("builder", [True, False])
def test_archives_load(load, exported, expected, builder, streaming):
    path = str(exported["webdataset"])
    found = load(
        "webdataset" if builder else path,
        data_files=f"{path}/*.tar" if builder else None,
        split="train",
        streaming=streaming,
    )
    check(({"image": one["png"], **one["json"]} for one in found), expected)
    assert [one["txt"] for one in found] == [one["json"]["text"] for one in found]


def test_several_types_of_pictures_are_several_configurations(load, tmp_path):
    mixed = [*rows()[:8], *rows("JPEG")[8:16], *rows("WEBP")[16:24]]
    folder = make_dataset(tmp_path / "kit", mixed)
    write_huggingface(folder, "kit")
    assert len(load(str(folder.root), split="train")) == 24
    done = export_dataset(folder.root, to="webdataset")
    for name in ("png", "jpg", "webp"):
        found = load(str(done.folder), name, split="train")
        assert [one[name].size for one in found] == [
            (one["json"]["width"], one["json"]["height"]) for one in found
        ]
        assert len(found) == 8


def test_a_late_change_of_type_loses_nothing(load, tmp_path):
    """Readers settle on types by the first 10 MB; this has 12 of them."""
    long = "words " * 1_000
    late = [row(n, prompt=long, strength=None if n < 1_990 else n / 3) for n in range(2_000)]
    folder = make_dataset(tmp_path / "kit", late)
    write_huggingface(folder, "kit")
    assert folder.metadata.stat().st_size > 12_000_000
    found = load("imagefolder", data_dir=str(folder.root), split="train")
    wanted = sorted(-1.0 if r["strength"] is None else float(str(r["strength"])) for r in late)
    assert sorted(found["strength"]) == wanted


def test_pictures_with_provenance_show_the_same_pixels(load, dataset, expected, tmp_path):
    done = export_dataset(dataset.root, to="parquet", out=tmp_path / "out", embed=True)
    found = load(str(done.folder), split="train")
    assert [one["source_sha256"] for one in found] == [e["sha256"] for e in expected]
    assert [one["image"].info["parameters"].startswith(one["prompt"]) for one in found]
    check(found, expected, without=("sha256", "bytes", "source_sha256"))
