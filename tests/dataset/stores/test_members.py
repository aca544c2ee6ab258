"""Where packed images stand: by indexes, by the shards themselves, and by nothing that lies."""

import importlib.util
import json
import os
from dataclasses import replace

import pytest

from batchgen.dataset.exports.mending import damaged_shards, mend_listing
from batchgen.dataset.exports.packed import open_packed
from batchgen.dataset.exports.shards import Limits
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.holdings import Holdings
from batchgen.dataset.stores.members import Members, contents, index_of, read_listing, write_listing
from batchgen.dataset.treatment import Treatment
from batchgen.dataset.views.view import View
from batchgen.errors import StorageError
from tests.dataset.made import make_dataset, row

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
FORMS = ["webdataset", pytest.param("parquet", marks=needs_pyarrow)]


def named(number: int) -> dict[str, object]:
    made = row(number)
    return {**made, "file_name": f"images/{made['variant_key']}_{made['image_index']}.png"}


def pack(folder: DatasetFolder, form: str = "webdataset", *batches: int) -> dict[str, bytes]:
    """Pack all images into as many shards as there are *batches*; returns what they were."""
    with View.open(folder) as view:
        found = [dict(row.asked) for row in view.rows()]
        packed = open_packed(
            folder, form, "p", limits=Limits(), columns=view.columns, treatment=Treatment()
        )
    kept = {str(r["file_name"]): (folder.root / str(r["file_name"])).read_bytes() for r in found}
    for batch in batches or (0,):
        size = len(found) // len(batches or (0,))
        packed.pack(batch, found[batch * size : (batch + 1) * size], done=True)
    return kept


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_an_image_is_where_the_index_says_and_without_it_where_it_is(tmp_path, form, lost):
    folder = make_dataset(tmp_path / "kit", map(named, range(8)))
    kept = pack(folder, form, 0, 1)
    assert not list(folder.images.iterdir())
    if lost:
        for index in folder.shards.glob("*.jsonl"):
            index.write_text("{}\n")
    holdings = Holdings(folder)
    assert {name: holdings.read(name) for name in kept} == kept
    assert {name: holdings.size(name) for name in kept} == {n: len(d) for n, d in kept.items()}
    assert (holdings.read("images/no_0.png"), holdings.size("images/no_0.png")) == (None, None)


def test_whoever_looks_follows_what_a_run_packs_and_packs_again(tmp_path):
    folder = make_dataset(tmp_path / "kit", map(named, range(4)))
    holdings, members = Holdings(folder), Members(folder)
    names = [str(named(n)["file_name"]) for n in range(4)]
    before = {name: holdings.read(name) for name in names}
    kept = pack(folder)
    assert {name: holdings.read(name) for name in names} == before == kept
    assert members.batch_of(str(row(0)["variant_key"])) == 0
    listing = read_listing(folder)
    assert listing
    write_listing(folder, replace(listing, shards=()))
    assert members.batch_of(str(row(0)["variant_key"])) is None
    assert holdings.read(names[0]) is None


def test_a_shard_that_is_cut_gives_what_is_left(tmp_path):
    folder = make_dataset(tmp_path / "kit", map(named, range(4)))
    kept = pack(folder)
    (shard,) = folder.shards.glob("*.tar")
    first, *_, last = sorted(contents(shard), key=lambda found: found[1])
    with shard.open("r+b") as file:
        file.truncate(last[1])
    holdings = Holdings(folder)
    assert holdings.size(f"images/{first[0]}") == first[2]
    assert holdings.size(f"images/{last[0]}") is None
    assert holdings.read(f"images/{first[0]}") == kept[f"images/{first[0]}"]
    assert damaged_shards(folder) == [shard.name]
    shard.unlink()
    name = f"images/{first[0]}"
    assert (holdings.size(name), holdings.read(name)) == (None, None)
    assert damaged_shards(folder) == [shard.name]


@pytest.mark.parametrize(
    "change",
    [
        {"format": "zip"},
        {"first": "0"},
        {"shards": [{"file": "../secret.tar"}]},
        {"shards": [{"file": 7}]},
        {"shards": [{"file": ""}]},
        {"shards": [{"file": "shards.json"}]},
        {"shards": [{"file": "a\0.tar"}]},
        {"shards": ["x"]},
        {"shards": 7},
        {"more": 1},
    ],
)
def test_a_list_that_lies_is_refused(tmp_path, change):
    folder = make_dataset(tmp_path / "kit", map(named, range(2)))
    pack(folder)
    path = folder.shards / "shards.json"
    told = json.loads(path.read_bytes())
    if isinstance(change.get("shards"), list) and isinstance(change["shards"][0], dict):
        change = {"shards": [{**told["shards"][0], **change["shards"][0]}]}
    path.write_text(json.dumps({**told, **change}))
    with pytest.raises(StorageError, match=r"shards\.json is damaged or gone.*--repair makes it"):
        Holdings(folder).read("images/no_0.png")


@pytest.mark.parametrize("damage", [b"", b"[", b"[" * 99_999, None])
def test_a_list_is_made_anew_from_the_shards(tmp_path, damage):
    folder = make_dataset(tmp_path / "kit", map(named, range(4)))
    kept = pack(folder, "webdataset", 0, 1)
    path, before = folder.shards / "shards.json", read_listing(folder)
    path.unlink() if damage is None else path.write_bytes(damage)
    mend_listing(folder)
    after = read_listing(folder)
    assert before
    assert after
    assert (after.format, after.first) == ("webdataset", 2)
    assert [(s.file, s.batch, s.images, s.bytes, s.sha256) for s in after.shards] == [
        (s.file, s.batch, s.images, s.bytes, s.sha256) for s in before.shards
    ]
    holdings = Holdings(folder)
    assert {name: holdings.read(name) for name in kept} == kept


def test_a_shard_with_the_only_copy_of_an_image_is_put_aside_and_not_deleted(tmp_path):
    folder = make_dataset(tmp_path / "kit", map(named, range(2)))
    pack(folder)
    (shard,) = folder.shards.glob("*.tar")
    data, listing = shard.read_bytes(), read_listing(folder)
    assert listing
    write_listing(folder, replace(listing, shards=()))
    open_packed(folder, "webdataset", "p", limits=Limits(), columns=(), treatment=Treatment())
    (aside,) = folder.quarantine.iterdir()
    assert aside.read_bytes() == data
    assert [path.name for path in folder.shards.iterdir()] == ["shards.json"]


def test_a_packer_clears_what_a_kill_has_left_and_nothing_else(tmp_path):
    folder = make_dataset(tmp_path / "kit", map(named, range(2)))
    pack(folder)
    kept = {path.name for path in folder.shards.iterdir()}
    for name in ("png-000009-00-abcdef01.tar", "png-000009-00-abcdef01.jsonl", ".x.tar.new", "me"):
        (folder.shards / name).write_bytes(b"half")
    open_packed(folder, "webdataset", "p", limits=Limits(), columns=(), treatment=Treatment())
    assert {path.name for path in folder.shards.iterdir()} == {*kept, "me"}
    assert all(index_of(path).exists() for path in folder.shards.glob("*.tar"))


@pytest.mark.parametrize(
    "lie",
    [
        {"offset": 2**70},
        {"offset": -1},
        {"offset": float("1e999")},
        {"bytes": -1},
        {"bytes": 10**30},
        {"file_name": "\ud800"},
    ],
)
def test_an_index_that_lies_is_not_asked(tmp_path, lie):
    folder = make_dataset(tmp_path / "kit", map(named, range(2)))
    kept = pack(folder)
    (index,) = folder.shards.glob("*.jsonl")
    rows = [json.loads(line) for line in index.read_bytes().splitlines()]
    index.write_text("".join(json.dumps({**row, **lie}) + "\n" for row in rows))
    holdings = Holdings(folder)
    assert {name: holdings.read(name) for name in kept} == kept
    index.write_text("".join(json.dumps({**row, "bytes": 10**15}) + "\n" for row in rows))
    listing = read_listing(folder)
    assert listing
    write_listing(folder, replace(listing, first=9))
    assert {Holdings(folder).read(name) for name in kept} == {None}  # and no room is made for it


@pytest.mark.parametrize("odd", ["link", "pipe"])
def test_a_shard_that_is_no_file_of_its_own_is_not_read(tmp_path, odd):
    folder = make_dataset(tmp_path / "kit", map(named, range(2)))
    kept = pack(folder)
    (shard,) = folder.shards.glob("*.tar")
    index = index_of(shard)
    if odd == "link":
        shard.rename(tmp_path / "secret")
        shard.symlink_to(tmp_path / "secret")
    else:
        for path in (shard, index):
            path.unlink()
            os.mkfifo(path)
    holdings = Holdings(folder)
    assert {holdings.size(name) for name in kept} == {None}
    assert {holdings.read(name) for name in kept} == {None}
    assert damaged_shards(folder) == [shard.name]


def test_a_damaged_shard_is_put_aside_when_it_is_written_anew(tmp_path):
    folder = make_dataset(tmp_path / "kit", map(named, range(2)))
    with View.open(folder) as view:
        asked = [dict(found.asked) for found in view.rows()]
        packed = open_packed(
            folder, "webdataset", "p", limits=Limits(), columns=view.columns, treatment=Treatment()
        )
    packed.pack(0, asked, done=True)
    (shard,) = folder.shards.glob("*.tar")
    data = bytearray(shard.read_bytes())
    start = min(place for _, place, _ in contents(shard))
    data[start + 40] ^= 1  # in the first of two images, which cannot be had again
    shard.write_bytes(data)
    packed.doubt(damaged_shards(folder))
    packed.pack(0, asked[1:], done=False)
    (aside,) = folder.quarantine.iterdir()
    assert aside.read_bytes() == data
    assert not shard.exists()
