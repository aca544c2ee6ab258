"""A copy of a ledger in use: one file with all that was committed, and its checksum."""

import hashlib

import pytest

from batchgen.errors import StorageError
from batchgen.ledger.copying import copy_ledger
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from tests.ledger.made import bring, full_disk, image


async def test_a_copy_has_what_was_committed_and_is_one_file(ledger, path, tmp_path):
    copy = tmp_path / "copies" / "ledger.sqlite3"
    copy.parent.mkdir()
    copy.write_bytes(b"of an earlier upload")
    await bring(ledger, "k1", State.SAVED, [image()])
    found = copy_ledger(path, copy)
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]
    assert found == hashlib.sha256(copy.read_bytes()).hexdigest()
    await bring(ledger, "k2", State.SUBMITTED)  # which the copy does not learn of
    with Ledger(copy, read_only=True) as copied:
        copied.check()
        assert copied.counts() == {State.SAVED: 1}
        assert list(copied.images()) == [next(ledger.images())]


def test_what_cannot_be_copied_is_a_storage_error(ledger, path, tmp_path):
    why = r"^cannot copy the ledger .*: "
    with pytest.raises(StorageError, match=why):
        copy_ledger(path.with_name("nothing"), tmp_path / "copy")
    with pytest.raises(StorageError, match=why):
        copy_ledger(path, tmp_path / "no" / "copy")
    with full_disk(), pytest.raises(StorageError, match=why):
        copy_ledger(path, tmp_path / "copy")
