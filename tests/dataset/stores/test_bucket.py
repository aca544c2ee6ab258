"""A place in an object store: addresses, conditional writes, and words for what goes wrong."""

import asyncio

import pytest

pytest.importorskip("obstore")

from batchgen.dataset.stores.bucket import Address, Bucket, TakenError, is_url
from batchgen.errors import StorageError, UsageError
from tests.support.objectstore import SECRET, Store, object_store


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr("batchgen.dataset.stores.bucket._RETRIES", {"max_retries": 0})
    with object_store() as found:
        for name, value in found.env.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///a", "ftp://pictures/a", "s3://pictures/../a", "s3://pictures//a",
     "s3://pictures/a?x=1", "s3://user:secret@pictures/a", "s3://pictures/a\nb", "S3://pictures/a"],
)  # fmt: skip
def test_what_is_no_address(url):
    assert is_url(url)
    with pytest.raises(UsageError, match="expected s3://bucket/prefix") as caught:
        Address.parse(url)
    assert not any(word in str(caught.value) for word in ("x=1", "secret"))


def test_an_address_has_a_folder_of_its_own():
    assert str(Address.parse("s3://pictures/a/b/")) == "s3://pictures/a/b"
    assert str(Address.parse("gs://pictures")) == "gs://pictures"
    slugs = {Address.parse(url).slug for url in ("s3://pics-a/b", "s3://pics/a-b", "gs://pics/a-b")}
    assert len(slugs) == 3
    assert not any("/" in slug for slug in slugs)
    assert not is_url("out/kitchen")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_of_two_writers_one_is_told(store: Store, scheme):
    bucket = Bucket.open(f"{scheme}://pictures/a")
    assert bucket.look("claim") is None
    first = bucket.write("claim", b"1", over=None)
    with pytest.raises(TakenError):
        bucket.write("claim", b"2", over=None)
    second = bucket.write("claim", b"3", over=first)
    with pytest.raises(TakenError):
        bucket.write("claim", b"4", over=first)
    # A write whose answer was lost is sent again, and finds itself.
    assert bucket.write("claim", b"3", over=first).version == second.version
    assert bucket.read("claim") == b"3"


def test_objects_with_odd_names_come_back_as_they_were(store: Store, tmp_path):
    bucket = Bucket.open("s3://pictures/a")
    names = ["images/é x+%/ a?#.png", "images/100%25.png", "images/[x]~.png"]
    for name in names:
        assert asyncio.run(bucket.upload(name, name.encode(), "image/png")) == len(name.encode())
        assert bucket.read(name) == name.encode()
        assert bucket.size(name) == len(name.encode())
    assert sorted(found.name for found in bucket.list()) == sorted(names)
    assert bucket.download(names[0], tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == names[0].encode()
    for _ in range(2):
        bucket.delete(names[0])
    assert bucket.read(names[0]) is None
    assert bucket.size(names[0]) is None
    assert not bucket.download(names[0], tmp_path / "y")
    with pytest.raises(StorageError):
        bucket.read("images/../../other")


def test_what_goes_wrong_is_said_without_what_the_store_quotes(store: Store, monkeypatch):
    bucket = Bucket.open("s3://pictures/a")
    for status, words in ((403, "it is not allowed"), (500, "the store answered 500, InternalErr")):
        store.wrong = {"x": status}
        with pytest.raises(StorageError, match=words) as caught:
            bucket.write("x", b"1", over=None)
        assert SECRET not in str(caught.value)
    with pytest.raises(StorageError, match="no such bucket"):
        list(Bucket.open("s3://nothing/a").list())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="the store does not answer"):
        Bucket.open("s3://pictures/a").read("x")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StorageError, match="plain http"):
        Bucket.open("s3://pictures/a").read("x")


def test_what_the_environment_lacks_is_said(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT_NAME is not set"):
        Bucket.open("az://pictures/a")
