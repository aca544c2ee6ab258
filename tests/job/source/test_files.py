"""Reading files that may be anything: regular ones of a fixed size only, and of no more."""

import os
from pathlib import Path

import pytest

from batchgen.errors import UsageError
from batchgen.job.source.files import Place, read_regular_file


def read(path, max_bytes: int = 2**20) -> bytes:
    return read_regular_file(path, max_bytes=max_bytes, what="a job file")


@pytest.mark.parametrize("size", [0, 1, 2**20])
def test_a_file_is_read_up_to_its_limit(tmp_path, size):
    (tmp_path / "f").write_bytes(b"x" * size)
    assert read(tmp_path / "f") == b"x" * size


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    with (tmp_path / "f").open("wb") as file:
        file.truncate(2**43)  # no memory holds as much
    with pytest.raises(UsageError, match="of at most 1 MiB at "):
        read(tmp_path / "f")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda p: p.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_refused_unread(tmp_path, make):
    make(tmp_path / "f")
    with pytest.raises(UsageError, match=r"but that is (a folder|not a regular file)$"):
        read(tmp_path / "f")


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/cmdline"])
def test_files_of_the_system_that_show_a_process_are_refused(path):
    with pytest.raises(UsageError, match="that has no fixed size"):
        read(path)


def test_a_message_that_quotes_megabytes_is_cut_in_its_middle():
    problem = Place(file="j", line=1, column=1).problem(f"unknown key '{'k' * 10**6}'; why")
    assert len(problem.message) < 700
    assert problem.message.startswith("unknown key 'kkk")
    assert problem.message.endswith("kkk'; why")
