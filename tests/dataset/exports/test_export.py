"""Exports: the same bytes for the same images, resumed where they were, and never half."""

import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from batchgen.dataset.exports import shards
from batchgen.dataset.exports.export import export_dataset
from batchgen.dataset.exports.shards import Limits
from batchgen.dataset.folder import json_line
from batchgen.dataset.treatment import FORMATS
from batchgen.errors import LockedError, StorageError, UsageError
from tests.dataset.made import make_dataset, row, write_manifest

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
FORMS = [pytest.param(f, marks=[needs_pyarrow] if f == "parquet" else []) for f in FORMATS]
ROWS = [row(n) for n in range(14)] + [row(n, form="JPEG") for n in range(14, 18)]
SMALL = Limits(images=4)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, README aside, which names the folder it is of."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "README.md")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def times(monkeypatch) -> list[str]:
    """The shards that are written, not kept."""
    written: list[str] = []
    own = shards.write_shard

    def write(path, *rest, **more):
        written.append(path.name)
        return own(path, *rest, **more)

    monkeypatch.setattr(shards, "write_shard", write)
    return written


@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_give_the_same_bytes(tmp_path, form):
    found = []
    for seed in range(2):
        folder = make_dataset(tmp_path / str(seed) / "kit", ROWS, shuffled=seed)
        done = export_dataset(folder.root, to=form, limits=SMALL)
        assert done.folder == folder.root.with_name(f"kit-{form}")
        assert done.images == len(ROWS)
        found.append(contents(done.folder))
    assert found[0] == found[1]
    assert not [name for name in found[0] if name.endswith(".new")]


def test_an_archive_holds_picture_row_and_caption(tmp_path):
    folder = make_dataset(tmp_path / "kit", ROWS)
    done = export_dataset(
        str(folder.root), to="webdataset", out=str(tmp_path / "a/b"), limits=SMALL
    )
    listed = json.loads((done.folder / "export.json").read_bytes())["shards"]
    names = [shard["file"] for shard in listed]
    assert names == ["jpg-000000.tar", *(f"png-00000{n}.tar" for n in range(4))]
    found: dict[str, bytes] = {}
    for shard in listed:
        path = done.folder / shard["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard["sha256"]
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file
                found[member.name] = file.read()
        with path.open("rb") as raw:  # the index beside it
            for line in path.with_suffix(".jsonl").read_text().splitlines():
                place = json.loads(line)
                raw.seek(place["offset"])
                assert hashlib.sha256(raw.read(place["bytes"])).hexdigest() == place["sha256"]
    assert len(found) == 3 * len(ROWS)
    for line in folder.manifest_jsonl.read_text("utf-8").splitlines():
        image = json.loads(line)
        key = f"{image['variant_key']}_{image['image_index']}"
        told = json.loads(found[f"{key}.json"])
        assert told["sha256"] == image["sha256"]
        assert found[f"{key}.txt"].decode() == image["prompt"] == told["text"]
        ending = Path(image["file_name"]).suffix
        assert found[f"{key}{ending}"] == (folder.root / image["file_name"]).read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_provenance_is_put_into_every_picture_when_asked(tmp_path, form):
    folder = make_dataset(tmp_path / "kit", ROWS)
    plain = contents(export_dataset(folder.root, to=form, limits=SMALL).folder)
    done = export_dataset(folder.root, to=form, limits=SMALL, embed=True)
    made = contents(done.folder)
    assert export_dataset(folder.root, to=form, limits=SMALL, embed=True) == done
    assert contents(done.folder) == made
    assert made.keys() == plain.keys()
    assert sum(data.count(b"trainedAlgorithmicMedia") for data in plain.values()) == 0
    if form == "huggingface":  # the others compress or repeat
        for line in made["metadata.jsonl"].splitlines():
            image = json.loads(line)
            data = made[image["file_name"]]
            assert (image["bytes"], image["sha256"]) == (
                len(data),
                hashlib.sha256(data).hexdigest(),
            )
            assert b"trainedAlgorithmicMedia" in data
            assert hashlib.sha256(plain[image["file_name"]]).hexdigest() == image["source_sha256"]
    # And back again: the same command without it makes what it made at first.
    assert contents(export_dataset(folder.root, to=form, limits=SMALL).folder) == plain


@pytest.mark.parametrize("form", FORMS[:2])
def test_a_second_export_writes_only_what_has_changed(tmp_path, times, form):
    folder = make_dataset(tmp_path / "kit", ROWS)
    first = export_dataset(folder.root, to=form, limits=SMALL)
    before = contents(first.folder)
    count = len(times)
    assert count == first.shards
    assert export_dataset(folder.root, to=form, limits=SMALL) == first
    assert len(times) == count
    # A shard that was cut short, and one that is gone.
    names = [name for name in sorted(before) if name.endswith((".tar", ".parquet"))]
    (first.folder / names[0]).write_bytes(b"short")
    (first.folder / names[1]).unlink()
    export_dataset(folder.root, to=form, limits=SMALL)
    assert sorted(times[count:]) == names[:2]
    assert contents(first.folder) == before


@pytest.mark.parametrize("form", FORMS)
def test_what_the_dataset_no_longer_has_goes(tmp_path, form):
    folder = make_dataset(tmp_path / "kit", ROWS)
    lines = folder.manifest_jsonl.read_text("utf-8").splitlines(keepends=True)
    done = export_dataset(folder.root, to=form, limits=SMALL)
    (done.folder / "notes.txt").write_text("mine")
    folder.manifest_jsonl.write_text("".join(lines[:2]))
    export_dataset(folder.root, to=form, limits=SMALL)
    fresh = export_dataset(folder.root, to=form, limits=SMALL, out=tmp_path / "fresh")
    assert contents(done.folder) == {**contents(fresh.folder), "notes.txt": b"mine"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("point", range(1, 9))
def test_an_export_that_fails_anywhere_leaves_nothing_half(tmp_path, monkeypatch, form, point):
    folder = make_dataset(tmp_path / "kit", ROWS)
    whole = contents(
        export_dataset(folder.root, to=form, limits=SMALL, out=tmp_path / "whole").folder
    )
    out = tmp_path / "out"
    replace, left = Path.replace, [point]

    def fail(path: Path, target: Path) -> Path:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageError, match="No space left on device"):
        export_dataset(folder.root, to=form, limits=SMALL, out=out)
    monkeypatch.undo()
    if (out / "export.json").exists():
        for shard in json.loads((out / "export.json").read_bytes())["shards"]:
            assert (out / shard["file"]).read_bytes() == whole[shard["file"]]
    else:
        out.rmdir()  # there is nothing in it
    export_dataset(folder.root, to=form, limits=SMALL, out=out)
    assert contents(out) == whole


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("harm", ["edit", "remove", "link out"])
def test_an_image_that_is_not_what_was_saved_is_never_packed(tmp_path, form, harm):
    folder = make_dataset(tmp_path / "kit", ROWS[:2])
    path = folder.root / str(ROWS[0]["file_name"])
    data = path.read_bytes()
    path.unlink()
    if harm == "edit":
        path.write_bytes(data + b"x")
    if harm == "link out":
        (tmp_path / "other.png").write_bytes(data)
        path.symlink_to(tmp_path / "other.png")
    with pytest.raises(StorageError, match=r"is not the image that was saved; batchgen verify"):
        export_dataset(folder.root, to=form)


def test_a_name_that_leads_out_of_the_dataset_is_not_followed(tmp_path):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    image = json.loads(folder.manifest_jsonl.read_text("utf-8"))
    (tmp_path / "out.png").write_bytes((folder.root / image["file_name"]).read_bytes())
    folder.manifest_jsonl.write_text(json_line({**image, "file_name": "images/../../out.png"}))
    with pytest.raises(StorageError, match="is not the image that was saved"):
        export_dataset(folder.root, to="webdataset")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("kit", "beside the dataset"),
        ("kit/inside", "beside the dataset"),
        (".", "beside the dataset"),
        ("file", "got a file"),
        ("full", "holds files that no export has made; give another --out"),
        ("other", "holds an export to huggingface; give another --out"),
        ("pipe", "holds files that no export has made; give another --out"),
    ],
)
def test_a_folder_that_is_not_its_own_is_refused(tmp_path, out, message):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/export.json")
    export_dataset(folder.root, to="huggingface", out=tmp_path / "other")
    with pytest.raises(UsageError, match=message):
        export_dataset(folder.root, to="webdataset", out=tmp_path / out)


@pytest.mark.parametrize("form", FORMATS[::2])
def test_no_word_of_a_manifest_names_a_file_elsewhere(tmp_path, form):
    folder = make_dataset(tmp_path / "kit", [row(0, variant_key="../../../elsewhere")])
    with pytest.raises(StorageError, match="no row of an image"):
        export_dataset(folder.root, to=form)
    assert not list(tmp_path.rglob("*elsewhere*"))


@pytest.mark.parametrize("rows", [[], ROWS[:1]])
def test_what_is_behind_a_link_in_an_export_stays(tmp_path, rows):
    folder = make_dataset(tmp_path / "kit", rows)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").touch()
    done = export_dataset(folder.root, to="huggingface", out=tmp_path / "out")
    if rows:
        (done.folder / "images").rename(tmp_path / "old")
    (done.folder / "images").symlink_to(mine)
    with pytest.raises(StorageError, match="got a link"):
        export_dataset(folder.root, to="huggingface", out=tmp_path / "out")
    assert [path.name for path in mine.iterdir()] == ["letter"]


def test_a_link_in_the_place_of_half_an_image_is_not_followed(tmp_path):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    done = export_dataset(folder.root, to="huggingface")
    (image,) = (done.folder / "images").iterdir()
    data = image.read_bytes()
    image.unlink()
    (tmp_path / "mine").touch()
    image.with_name(f".{image.name}.new").symlink_to(tmp_path / "mine")
    export_dataset(folder.root, to="huggingface")
    assert (image.read_bytes(), (tmp_path / "mine").read_bytes()) == (data, b"")


@pytest.mark.parametrize("name", [".png-000000.tar.new", "png-000001.tar"])
def test_a_folder_in_the_place_of_a_shard_is_said(tmp_path, name):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    done = export_dataset(folder.root, to="webdataset")
    (done.folder / "png-000000.tar").unlink()
    (done.folder / name).mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        export_dataset(folder.root, to="webdataset")


def test_what_is_no_picture_is_not_embedded_into(tmp_path):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    (image,) = folder.images.rglob("*.png")
    image.write_bytes(b"RIFF")
    digest = hashlib.sha256(b"RIFF").hexdigest()
    write_manifest(folder, [json.loads(folder.manifest_jsonl.read_bytes()) | {"sha256": digest}])
    with pytest.raises(StorageError, match=r"png: expected a PNG, JPEG or WebP image"):
        export_dataset(folder.root, to="webdataset", embed=True)


def test_an_index_that_is_gone_is_written_again(tmp_path):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    done = export_dataset(folder.root, to="webdataset")
    before = contents(done.folder)
    (done.folder / "png-000000.jsonl").unlink()
    export_dataset(folder.root, to="webdataset")
    assert contents(done.folder) == before


def test_two_exports_do_not_write_the_same_folder(tmp_path):
    folder = make_dataset(tmp_path / "kit", ROWS[:1])
    done = export_dataset(folder.root, to="webdataset")
    descriptor = os.open(done.folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(LockedError, match="another export"):
        export_dataset(folder.root, to="webdataset")
    os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "form", "message"),
    [("kit", "zip", "expected one of"), ("none", "webdataset", "no such folder")],
)
def test_what_cannot_be_exported_is_said(tmp_path, path, form, message):
    make_dataset(tmp_path / "kit", ROWS[:1])
    with pytest.raises(UsageError, match=message):
        export_dataset(tmp_path / path, to=form)


@pytest.mark.parametrize("form", FORMS)
def test_a_dataset_without_images_is_exported_as_such(tmp_path, form):
    folder = make_dataset(tmp_path / "kit", [])
    done = export_dataset(folder.root, to=form)
    assert (done.images, done.shards) == (0, 1 if form == "parquet" else 0)


def test_a_larger_folder_is_divided(tmp_path, monkeypatch):
    monkeypatch.setattr("batchgen.dataset.exports.imagefolder._IN_A_FOLDER", 1)
    folder = make_dataset(tmp_path / "kit", ROWS)
    done = export_dataset(folder.root, to="huggingface")
    names = [
        json.loads(x)["file_name"]
        for x in (done.folder / "metadata.jsonl").read_bytes().splitlines()
    ]
    assert all(len(name.split("/")) == 3 for name in names)
    assert all((done.folder / name).is_file() for name in names)


def peak(tmp_path: Path, images: int, shard: int = 100) -> int:
    """Bytes of Python's memory while so many images are exported, so many in a shard."""
    folder = make_dataset(tmp_path / f"{images}/kit", [])
    one = make_dataset(tmp_path / "one", [row(0)])
    found = json.loads(one.manifest_jsonl.read_text("utf-8"))
    (folder.images / "p0").mkdir(parents=True)
    (folder.root / found["file_name"]).write_bytes((one.root / found["file_name"]).read_bytes())
    rows = ({**found, "image_index": n, "seed": n} for n in range(images))
    write_manifest(folder, list(rows))
    tracemalloc.start()
    export_dataset(folder.root, to="webdataset", limits=Limits(images=shard))
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    few, many = peak(tmp_path, 200), peak(tmp_path, 1_000)
    assert many < few * 1.2 + 100_000, (few, many)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_is_the_same_for_a_hundred_thousand_images(tmp_path):
    # Of many small shards the list would be what is measured.
    few, many = peak(tmp_path, 1_000, shard=1_000), peak(tmp_path, 100_000, shard=1_000)
    # Rows that were held would be 50 MB; a table of Python's own may grow once, by 4 MiB.
    assert many < few + 8_000_000, (few, many)
