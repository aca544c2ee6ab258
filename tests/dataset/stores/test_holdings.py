"""The bytes of an image are had by its name in the manifest, and no name leads elsewhere."""

import pytest

from batchgen.dataset.stores.holdings import Holdings
from batchgen.errors import StorageError


@pytest.fixture
def holdings(folder):
    """A dataset with one image of three bytes."""
    (folder.images / "a").mkdir(parents=True)
    (folder.images / "a/1.png").write_bytes(b"abc")
    return Holdings(folder)


def test_an_image_that_is_there(holdings):
    assert holdings.size("images/a/1.png") == 3
    assert holdings.read("images/a/1.png") == b"abc"


@pytest.mark.parametrize("name", ["images/a/2.png", "images/a", "images/a/1.png/2.png"])
def test_an_image_that_is_not(holdings, name):
    assert holdings.size(name) is None
    assert holdings.read(name) is None


def test_no_name_leads_out_of_the_dataset(holdings, folder, tmp_path):
    (folder.root.parent / "secret").write_bytes(b"mine")
    (folder.images / "link.png").symlink_to(folder.root.parent / "secret")
    for name in ("../secret", str(folder.root.parent / "secret"), "images/link.png", "a\0b"):
        assert holdings.read(name) is None


def test_an_image_that_cannot_be_read_is_not_called_missing(holdings, folder):
    (folder.images / "loop.png").symlink_to("loop.png")
    for ask in (holdings.size, holdings.read):
        with pytest.raises(StorageError, match=r"cannot read .*loop\.png: Too many levels"):
            ask("images/loop.png")
