"""The seal of a ledger that was closed in order: what it spares, and what breaks it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from batchgen.errors import StorageError
from batchgen.ledger.entry import State
from batchgen.ledger.seal import is_sealed
from batchgen.ledger.store import DamagedError, Ledger
from tests.ledger.made import bring, full_disk, untouched


@pytest.fixture
async def sealed(path: Path) -> Path:
    """A ledger that was found sound, got a record and was closed."""
    with Ledger(path) as ledger:
        ledger.check()
        await bring(ledger, "k1", State.SUBMITTED)
    assert is_sealed(path)
    return path


def looked_through(path: Path, *, read_only: bool = False) -> bool:
    """Whether a check of the ledger at *path* looks through all of it."""
    asked: list[str] = []
    with Ledger(path, read_only=read_only) as ledger:
        ledger._reader.set_trace_callback(asked.append)
        ledger.check()
        ledger._reader.set_trace_callback(None)
    return any("integrity_check" in sql for sql in asked)


def test_what_is_still_sealed_is_not_looked_through_again(sealed):
    assert not looked_through(sealed)
    assert is_sealed(sealed)
    assert not looked_through(sealed, read_only=True)
    assert sealed.with_name(sealed.name + ".seal").stat().st_mode & 0o777 == 0o600


async def test_a_ledger_that_was_never_checked_is_not_sealed(path):
    with Ledger(path) as ledger:
        await bring(ledger, "k1", State.SUBMITTED)
    assert not is_sealed(path)
    assert looked_through(path)
    assert not looked_through(path)


def test_a_byte_that_changed_is_found_again(sealed):
    data = bytearray(sealed.read_bytes())
    at = data.index(b"k1")
    data[at] ^= 1
    sealed.write_bytes(data)
    with pytest.raises(DamagedError), Ledger(sealed) as ledger:
        ledger.check()
    assert not is_sealed(sealed)


def test_a_record_of_somebody_else_breaks_the_seal(sealed):
    with closing(sqlite3.connect(sealed)) as db, db:
        db.execute("UPDATE variants SET polls = 7")
    assert not is_sealed(sealed)


def test_commits_that_wait_beside_the_file_break_the_seal(sealed):
    files = [sealed, *(sealed.with_name(sealed.name + end) for end in ("-wal", ".seal"))]
    with Ledger(sealed) as ledger:
        ledger.check()
        ledger.set_meta(job="k")
        left = [file.read_bytes() for file in files]
    for file, content in zip(files, left, strict=True):  # as a run that was killed leaves them
        file.write_bytes(content)
    assert not is_sealed(sealed)
    files[1].unlink()
    assert is_sealed(sealed)
    files[1].write_bytes(left[1])
    with closing(sqlite3.connect(sealed)) as other, Ledger(sealed) as ledger:
        other.execute("SELECT * FROM meta").fetchall()
        ledger.check()
        ledger.set_meta(job="l")
    assert looked_through(sealed)  # another reader kept the log


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 900, b"\xff", b'{"crc32": 2}'])
def test_a_seal_that_is_odd_is_none(sealed, content):
    seal = sealed.with_name(sealed.name + ".seal")
    seal.write_bytes(content)
    assert not is_sealed(sealed)
    assert looked_through(sealed)
    assert is_sealed(sealed)


def test_a_link_in_the_place_of_the_seal_is_not_followed(sealed, tmp_path):
    seal, other = sealed.with_name(sealed.name + ".seal"), tmp_path / "other"
    seal.rename(other)
    seal.symlink_to(other)
    kept = other.read_bytes()
    assert looked_through(sealed)
    with Ledger(sealed) as ledger:
        ledger.check()
        ledger.set_meta(job="k")
    assert other.read_bytes() == kept
    assert not is_sealed(sealed)


async def test_a_ledger_that_could_not_be_written_is_not_sealed(sealed):
    with Ledger(sealed) as ledger:
        ledger.check()
        ledger.set_meta(job="k")
        with full_disk(), pytest.raises(StorageError):
            await ledger.write(untouched("k2").move(State.SUBMITTING))
    assert not is_sealed(sealed)
