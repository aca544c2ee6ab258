"""A name that nothing else has: taken in one step, and never from somebody else."""

import ctypes
import errno
import os
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from batchgen.dataset.files import renaming
from batchgen.dataset.files.renaming import rename_new


def lacking(*_: object) -> int:
    """A file system, or a kernel, without such a step."""
    ctypes.set_errno(errno.EINVAL)
    return -1


@pytest.fixture(params=[None, lacking, "own"])
def folder(request, monkeypatch, tmp_path) -> Iterator[int]:
    if request.param != "own":
        monkeypatch.setattr(renaming, "_step", lambda: request.param)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_free_name_is_taken_and_another_is_left_alone(folder, tmp_path):
    (tmp_path / "part").write_text("a")
    assert rename_new(tmp_path / "part", "a.png", folder)
    assert not (tmp_path / "part").exists()
    (tmp_path / "part").write_text("b")
    assert not rename_new(tmp_path / "part", "a.png", folder)
    (tmp_path / "link.png").symlink_to("nowhere")
    assert not rename_new(tmp_path / "part", "link.png", folder)
    assert [(tmp_path / name).read_text() for name in ("a.png", "part")] == ["a", "b"]


def test_what_is_not_there_is_an_error(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="part"):
        rename_new(tmp_path / "part", "a.png", folder)


NAMES = [f"{number}.png" for number in range(300)]


def _take(root: Path, own: str, together: Barrier) -> None:
    folder = os.open(root, os.O_RDONLY)
    for name in NAMES:
        (root / own).write_text(own)
        together.wait(10)
        if not rename_new(root / own, name, folder):
            (root / own).rename(root / f"{own} {name}")


@pytest.mark.skipif(renaming._step() is None, reason="only Linux has this step")
def test_of_two_processes_that_want_one_name_neither_loses_its_file(tmp_path):
    processes = get_context("fork")
    together = processes.Barrier(2)
    takers = [processes.Process(target=_take, args=(tmp_path, own, together)) for own in "ab"]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(30)
    assert [taker.exitcode for taker in takers] == [0, 0]
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(found) == 2 * len(NAMES)
    for name in NAMES:
        other = "b" if found[name] == "a" else "a"
        assert found[f"{other} {name}"] == other
