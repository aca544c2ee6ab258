"""The API key: found, checked, and never shown."""

import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from batchgen.api.key import MAX_KEY_FILE_BYTES, ApiKey, learn_key, read_key
from batchgen.errors import UsageError
from batchgen.text import redact

SECRET = "wsk-0123456789-Geheim!"


def test_only_the_header_gives_the_key_away():
    key = ApiKey(SECRET)
    assert key.header() == f"Bearer {SECRET}"
    shown = [repr(key), str(key), f"{key}", f"{key!r}", f"{[key]}", "%s" % key]  # noqa: UP031
    assert all(text.strip("[]") == "***" for text in shown)
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("text", [f"{SECRET}\n", f"  {SECRET}\r\n", f"\t{SECRET}"])
def test_white_space_around_a_pasted_key_is_dropped(text):
    assert ApiKey(text).header() == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "odd", ["", " ", "a b", "a\nX-Evil: 1", "a\rb", "é", "a\0b", "a\x7f", "\u2018a\u2019"]
)
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_echo(odd):
    text = f"{SECRET}{odd}{SECRET}" if odd.strip() else odd
    with pytest.raises(UsageError) as caught:
        ApiKey(text)
    assert str(caught.value) == "expected a key of visible ASCII characters, without spaces"


@pytest.mark.parametrize(
    ("data", "redacted"),
    [
        (b"", b""),
        (b"nothing to hide", b"nothing to hide"),
        (f"Bearer {SECRET}, {SECRET}".encode(), b"Bearer ***, ***"),
        (b"\xff" + SECRET.encode() + b"\xfe", b"\xff***\xfe"),
        (SECRET[:-1].encode(), SECRET[:-1].encode()),
    ],
)
def test_the_key_is_replaced_in_the_words_of_a_server(data, redacted):
    assert ApiKey(SECRET).redact(data) == redacted


AWKWARD = "wsk-\"quoted\\/100%'key"


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD,
        json.dumps(AWKWARD)[1:-1],
        json.dumps(json.dumps(AWKWARD)[1:-1])[1:-1],
        "".join(f"\\u{ord(c):04x}" for c in AWKWARD),
        "".join(f"\\u{ord(c):04X}" for c in AWKWARD),
        quote(AWKWARD, safe=""),
        quote(AWKWARD, safe="").lower(),
        repr(AWKWARD),
    ],
)
def test_every_key_of_the_process_is_replaced_in_every_form(form):
    ApiKey(AWKWARD)
    assert "quoted" not in redact(f"before {form} after")
    assert redact(f"before {form} after").strip("'\"").startswith("before ")
    assert redact(f"before {form} after").endswith(" after")
    assert "***" in ApiKey(SECRET).redact(form.encode()).decode()


def test_a_key_in_the_environment_is_known_before_it_is_used():
    text = "early-0123456789"
    assert redact(text) == text
    learn_key({"WAVESPEED_API_KEY": f"{text}\n"})
    assert redact(text) == "***"
    learn_key({"WAVESPEED_API_KEY": "no key"})
    learn_key({})
    assert redact("no key") == "no key"


def test_a_stand_in_for_a_key_is_left_in_words_it_is_a_part_of():
    assert ApiKey("any").redact(b"too many requests") == b"too many requests"


def file_of(tmp_path: Path, content: bytes = f"{SECRET}\n".encode(), mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_key_comes_from_the_environment_or_else_from_a_file(tmp_path):
    names = {"WAVESPEED_API_KEY": "from-environment", "WAVESPEED_API_KEY_FILE": file_of(tmp_path)}
    environment = {name: str(value) for name, value in names.items()}
    assert read_key(environment).header() == "Bearer from-environment"
    assert read_key({**environment, "WAVESPEED_API_KEY": " "}).header() == f"Bearer {SECRET}"
    del environment["WAVESPEED_API_KEY"]
    assert read_key(environment).header() == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "environment", [{}, {"WAVESPEED_API_KEY": " ", "WAVESPEED_API_KEY_FILE": ""}]
)
def test_without_a_key_both_ways_are_named(environment):
    with pytest.raises(UsageError, match="WAVESPEED_API_KEY, or in a file named by WAVESPEED_API_"):
        read_key(environment)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_file_that_others_may_use_is_refused(tmp_path, mode):
    path = file_of(tmp_path, mode=mode)
    with pytest.raises(UsageError, match=f"others may read .*; run: chmod 600 {path}$") as caught:
        read_key({"WAVESPEED_API_KEY_FILE": str(path)})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_file_of_the_owner_alone_is_read(tmp_path, mode):
    path = file_of(tmp_path, mode=mode)
    assert read_key({"WAVESPEED_API_KEY_FILE": str(path)}).header() == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a key of visible ASCII characters"),
        (b"\xff" + SECRET.encode(), "cannot read the key file .*: it is no ASCII text$"),
        (f"{SECRET}\n{SECRET}".encode(), "expected a key of visible ASCII characters"),
        (b"x" * (MAX_KEY_FILE_BYTES + 1), "expected a key in .*, got more than 4,096 bytes$"),
    ],
)
def test_a_file_that_holds_no_key_is_refused_without_echo(tmp_path, content, message):
    path = file_of(tmp_path, content)
    with pytest.raises(UsageError, match=message) as caught:
        read_key({"WAVESPEED_API_KEY_FILE": str(path)})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the key file .*/none: No such file or dir"):
        read_key({"WAVESPEED_API_KEY_FILE": str(tmp_path / "none")})


def test_a_key_file_of_another_user_is_refused(tmp_path, monkeypatch):
    path = file_of(tmp_path)
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if user == 1:  # a file of root is as good as one of our own
        os.chown(path, 2, -1)
    with pytest.raises(UsageError, match="belongs to another user"):
        read_key({"WAVESPEED_API_KEY_FILE": str(path)})


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    with pytest.raises(UsageError, match=f"expected the key file {path} to be a regular file$"):
        read_key({"WAVESPEED_API_KEY_FILE": str(path)})


def test_a_folder_is_no_key_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the key file .*: Is a directory$"):
        read_key({"WAVESPEED_API_KEY_FILE": str(tmp_path)})
