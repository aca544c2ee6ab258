"""What a working folder remembers of its bucket."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from batchgen.dataset.files.images import ImageStore
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.bucket import Object
from batchgen.dataset.stores.uploads import Uploads, bucket_of, dataset_path, uploads_of
from batchgen.errors import StorageError, UsageError
from tests.dataset.pictures import picture


def test_a_path_stands_for_itself_and_an_address_for_its_working_folder(tmp_path: Path):
    assert dataset_path(tmp_path / "x") == tmp_path / "x"
    home = {"HOME": str(tmp_path)}
    root = dataset_path("s3://pictures/job", home)
    assert root.is_relative_to(tmp_path / ".local/share/batchgen")
    assert root.joinpath(".batchgen").stat().st_mode & 0o777 == 0o700
    assert bucket_of(DatasetFolder(root)) == "s3://pictures/job"
    assert dataset_path("s3://pictures/job", home) == root
    assert bucket_of(DatasetFolder(tmp_path)) == ""
    with pytest.raises(UsageError, match="give it as a text"):
        dataset_path(Path("s3://pictures/job"), home)
    with pytest.raises(UsageError, match="set HOME or XDG_DATA_HOME"):
        dataset_path("s3://pictures/job", {})


def test_it_is_remembered_by_whoever_opens_it_next(tmp_path: Path):
    uploads = Uploads(tmp_path / "bucket.sqlite3")
    assert uploads.none
    uploads.add("images/a.png", 3)
    uploads.add("manifest.jsonl", 9, "9:1")
    uploads.tell(claims=["a"])
    again = Uploads(tmp_path / "bucket.sqlite3")
    assert not again.none
    assert again.fact("claims") == ["a"]
    assert again.fact("other") is None
    assert (again.size("images/a.png"), again.size("images/b.png")) == (3, None)
    assert (again.stamp("manifest.jsonl"), again.stamp("images/a.png")) == ("9:1", "")
    assert list(again.stamped()) == ["manifest.jsonl"]
    again.forget("manifest.jsonl")
    assert uploads.size("manifest.jsonl") is None


def test_a_listing_replaces_it_and_keeps_what_files_are_known_by(tmp_path: Path):
    uploads = Uploads(tmp_path / "bucket.sqlite3")
    uploads.add("gone.png", 3)
    uploads.add("same.csv", 5, "5:1")
    uploads.add("other.csv", 5, "5:1")
    there = [("same.csv", 5), ("other.csv", 6), ("new.png", 7)]
    uploads.relist(Object(name=name, bytes=size) for name, size in there)
    assert {name: uploads.size(name) for name, _ in there} == dict(there)
    assert uploads.size("gone.png") is None
    assert list(uploads.stamped()) == ["same.csv"]

    def fails() -> Iterator[Object]:
        yield Object(name="x", bytes=1)
        raise StorageError("the store does not answer")

    with pytest.raises(StorageError):
        uploads.relist(fails())
    assert {name: uploads.size(name) for name, _ in there} == dict(there)
    uploads.relist([])
    assert uploads.none


def test_a_file_that_is_no_memory_is_said_and_a_link_not_followed(tmp_path: Path):
    folder = DatasetFolder(tmp_path / "job")
    folder.prepare()
    path = folder.state / "bucket.sqlite3"
    path.write_bytes(b"nonsense " * 1000)
    with pytest.raises(StorageError, match="cannot be used"):
        uploads_of(folder)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").touch()
    with pytest.raises(StorageError, match="got a link"):
        uploads_of(folder)


async def test_an_image_that_is_in_the_bucket_alone_keeps_its_name(tmp_path: Path):
    folder = DatasetFolder(dataset_path("s3://pictures/job", {"HOME": str(tmp_path)}))

    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        yield data

    def names(whole: bool) -> str:
        return "images/whole" if whole else "images/short"

    uploads = uploads_of(folder)
    assert uploads
    for size, name in ((8, "images/short.png"), (9, "images/whole.png")):
        image = chunks(picture("PNG", (size, size)))
        stored = await ImageStore(folder).store(image, part="p", names=names)
        assert stored.file_name == name
        uploads.add(name, stored.bytes)
        (folder.root / name).unlink()
