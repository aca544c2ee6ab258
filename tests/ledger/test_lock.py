"""The lock of a dataset: one holder, named to the next, gone with its process."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchgen.errors import LockedError, StorageError
from batchgen.ledger.lock import locked
from tests.ledger.made import full_disk

HOLD = """
import sys
from pathlib import Path
from batchgen.ledger.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    folder = tmp_path / "kitchen" / ".batchgen"
    folder.mkdir(parents=True)
    return folder / "lock"


@contextmanager
def another_run(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_second_run_is_told_who_holds_the_lock(lock):
    with another_run(lock) as holder:
        with pytest.raises(LockedError) as caught, locked(lock):
            pass
        assert f"process {holder.pid} on {socket.gethostname()}, since 20" in str(caught.value)
        assert str(lock.parent.parent) in str(caught.value)
    with locked(lock):
        pass


def test_a_killed_run_frees_the_lock_whatever_the_file_says(lock):
    with another_run(lock) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert json.loads(lock.read_text())["pid"] == holder.pid
    with locked(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_a_refused_run_leaves_the_holder_its_name(lock):
    with locked(lock):
        held = lock.read_bytes()
        with pytest.raises(LockedError), locked(lock):
            pass
        assert lock.read_bytes() == held
        with pytest.raises(LockedError), locked(lock):
            pass


def test_the_content_is_cleared_at_release(lock):
    with locked(lock):
        assert lock.stat().st_mode & 0o777 == 0o600
        assert json.loads(lock.read_text()).keys() == {"pid", "host", "since"}
    assert lock.read_bytes() == b""


def test_an_error_in_the_block_frees_the_lock(lock):
    with pytest.raises(ZeroDivisionError), locked(lock):
        raise ZeroDivisionError
    with locked(lock):
        pass


def test_a_long_name_of_an_earlier_holder_does_not_show_through(lock):
    lock.write_text("x" * 900)
    with locked(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": 1}', "7", "\xff"])
def test_a_holder_that_left_no_name_is_another_process(lock, content):
    with locked(lock):
        lock.write_bytes(content.encode("latin-1"))
        with pytest.raises(LockedError, match="in use by another process; wait"), locked(lock):
            pass


def test_a_symbolic_link_is_not_followed(lock, tmp_path):
    target = tmp_path / "precious"
    target.write_text("x")
    lock.symlink_to(target)
    with pytest.raises(StorageError, match=r"^cannot open the lock "), locked(lock):
        pass
    assert target.read_text() == "x"


def test_some_may_share_a_lock_and_nobody_has_it_alone_meanwhile(lock):
    with locked(lock, shared=True), locked(lock, shared=True):
        with pytest.raises(LockedError, match="in use by another process"), locked(lock):
            pass
        assert lock.read_bytes() == b""
    with locked(lock), pytest.raises(LockedError), locked(lock, shared=True):
        pass


def test_the_lock_of_a_part_names_the_dataset(lock):
    part = lock.parent / "ledgers" / "07.lock"
    part.parent.mkdir()
    where = rf"^the dataset {lock.parent.parent} is in use by process"
    with locked(part), pytest.raises(LockedError, match=where), locked(part):
        pass


def test_a_disk_that_knows_no_locks_is_a_storage_error(lock, monkeypatch):
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    why = r"^cannot lock .*: No locks available; use a local folder$"
    with pytest.raises(StorageError, match=why), locked(lock):
        pass


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"), locked(tmp_path / "no" / "lock"):
        pass


def test_a_full_disk_is_a_storage_error_and_holds_nothing(lock):
    with full_disk(), pytest.raises(StorageError, match=r"^cannot write the lock "), locked(lock):
        pass
    with locked(lock):
        pass
