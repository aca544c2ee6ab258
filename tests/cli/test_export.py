"""``batchgen export`` as a user meets it."""

import json

import pytest
from click.testing import CliRunner

from batchgen.cli.export import export
from tests.dataset.made import make_dataset, row


@pytest.fixture
def kit(tmp_path):
    """A dataset of six images."""
    return make_dataset(tmp_path / "kit", [row(n) for n in range(6)]).root


def test_it_says_what_it_has_made(kit):
    done = CliRunner().invoke(export, [str(kit), "--to", "webdataset", "--shard-images", "4"])
    assert (done.exit_code, done.stdout) == (0, f"6 images in 2 shards in {kit}-webdataset\n")
    assert done.stderr == "batchgen: ok: exported to webdataset\n"


def test_it_says_it_in_json(kit, tmp_path):
    options = ["--to", "huggingface", "--out", str(tmp_path / "hf"), "--json"]
    done = CliRunner().invoke(export, [str(kit), *options])
    assert json.loads(done.stdout) == {
        "format": "huggingface",
        "folder": str(tmp_path / "hf"),
        "images": 6,
        "shards": 0,
    }


@pytest.mark.parametrize(("size", "shards"), [("1", 6), ("1kB", 1), ("1 mb", 1), ("1.5GB", 1)])
def test_a_size_is_read(kit, size, shards):
    done = CliRunner().invoke(export, [str(kit), "--to", "webdataset", "--shard-size", size])
    assert f"6 images in {shards} shard" in done.stdout


@pytest.mark.parametrize("size", ["-1", "1PB", "much"])
def test_a_size_that_is_none_is_refused(kit, size):
    done = CliRunner().invoke(export, [str(kit), "--to", "webdataset", "--shard-size", size])
    assert done.exit_code == 2
    assert f"expected a size such as 500MB or 2GB, got '{size}'" in done.stderr


def test_a_size_of_nothing_is_refused(kit):
    done = CliRunner().invoke(export, [str(kit), "--to", "webdataset", "--shard-size", "0MB"])
    assert (done.exit_code, "expected a size of more than 0" in done.stderr) == (2, True)
