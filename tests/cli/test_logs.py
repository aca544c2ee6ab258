"""What the rooms log: one line for each event in run.log, the first warnings on the screen."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from batchgen.api.key import ApiKey
from batchgen.cli.logs import MAX_LOG_LINE, SHOWN_WARNINGS, logging_to
from tests.ledger.made import full_disk

SECRET = "logged-0123456789-key"
log = logging.getLogger("batchgen.somewhere")


def ignore(*_: str) -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    ApiKey(SECRET)
    return tmp_path / "run.log"


def lines(file: Path) -> list[str]:
    return [line.split(" ", 1)[1] for line in file.read_text("utf-8").splitlines()]


def test_an_event_is_one_line_without_the_key_whatever_is_in_it(file):
    with logging_to(file, ignore):
        log.warning("a %s\nINFO b\x1b[2J\u202e", SECRET)
        try:
            int(f"two\nlines, {SECRET}")
        except ValueError:
            log.exception("a bug")
    first, second = lines(file)
    assert first == r"WARNING a ***\x0aINFO b\x1b[2J\u202e"
    assert second.startswith(r"ERROR a bug\x0aTraceback (most recent call last):\x0a")
    assert second.endswith(r"with base 10: 'two\nlines, ***'")


def test_an_event_of_any_length_is_a_line_of_bounded_length(file):
    with logging_to(file, ignore):
        log.warning("%s", "x" * 1_000_000)
    (line,) = file.read_text("utf-8").splitlines()
    assert len(line) < MAX_LOG_LINE + 50
    assert line.endswith(" characters more)")


@pytest.mark.parametrize("kind", ["a link", "a pipe"])
def test_a_log_that_is_no_file_of_its_own_is_left_alone(file, kind):
    outside = file.with_name("outside")
    outside.write_text("not ours")
    if kind == "a link":
        file.symlink_to(outside)
    else:
        os.mkfifo(file)
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    shown: list[str] = []
    with logging_to(file, lambda line, _: shown.append(line)):
        log.warning("a word")
    with os.fdopen(reader, "rb") as read:
        assert read.read() == (b"not ours" if kind == "a link" else b"")
    assert shown == ["batchgen: warning: a word"]


async def test_what_the_event_loop_catches_is_logged_without_the_key(file):
    with logging_to(file, ignore):
        headers: dict[str, str] = {}
        asyncio.get_running_loop().call_soon(headers.__getitem__, f"Bearer {SECRET}")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    (line,) = lines(file)
    assert line.startswith("ERROR Exception in callback ")
    assert line.endswith("KeyError: 'Bearer ***'")
    assert SECRET not in line


@pytest.mark.parametrize("name", ["asyncio", "aiohttp.client", "urllib3"])
def test_libraries_are_heard_when_they_warn_and_not_before(file, name):
    shown: list[str] = []
    with logging_to(file, lambda line, _: shown.append(line), verbose=True):
        logging.getLogger(name).info("headers: %s", SECRET)
        logging.getLogger(name).error("trouble with %s", SECRET)
    assert lines(file) == ["ERROR trouble with ***"]
    assert len(shown) == 1


def test_the_screen_hears_warnings_the_file_also_what_is_not(file):
    shown: list[str] = []
    with logging_to(file, lambda line, _: shown.append(line)):
        log.debug("one")
        log.info("two")
        log.warning("three")
    assert lines(file) == ["INFO two", "WARNING three"]
    assert shown == ["batchgen: warning: three"]


def test_verbose_is_one_step_more_on_both_and_never_cut_short(file):
    shown: list[str] = []
    with logging_to(file, lambda line, _: shown.append(line), verbose=True):
        log.debug("one")
        for _ in range(SHOWN_WARNINGS + 5):
            log.info("two")
    assert lines(file)[0] == "DEBUG one"
    assert shown == ["batchgen: info: two"] * (SHOWN_WARNINGS + 5)


def test_an_exception_is_shown_in_its_own_words_and_not_by_its_repr(file):
    shown: list[str] = []
    with logging_to(None, lambda line, _: shown.append(line)):
        log.error("it ended", exc_info=OSError(28, "No space"))
    assert shown == ["batchgen: error: it ended: OSError: [Errno 28] No space"]


def test_a_log_that_cannot_be_written_ends_nothing_and_says_nothing(file, capsys):
    with logging_to(file, ignore):
        log.info("there is room")
        with full_disk(file.stat().st_size):
            log.info("there is none")
    with logging_to(file / "no folder", ignore):
        log.info("no folder")
    assert lines(file)[0] == "INFO there is room"
    assert capsys.readouterr() == ("", "")


def test_a_log_that_is_full_to_its_end_can_be_closed(file):
    with full_disk(10), logging_to(file, ignore):
        log.info("longer than that")
