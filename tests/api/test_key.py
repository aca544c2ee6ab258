"""The API key: found, checked, and never shown."""

from pathlib import Path

import pytest

from batchgen.api.key import ApiKey, read_key
from batchgen.errors import UsageError

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
        (b"\xff" + SECRET.encode(), "cannot read the key file .*: UnicodeDecodeError$"),
        (f"{SECRET}\n{SECRET}".encode(), "expected a key of visible ASCII characters"),
    ],
)
def test_a_file_that_holds_no_key_is_refused_without_echo(tmp_path, content, message):
    path = file_of(tmp_path, content)
    with pytest.raises(UsageError, match=message) as caught:
        read_key({"WAVESPEED_API_KEY_FILE": str(path)})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the key file .*/none: FileNotFoundError$"):
        read_key({"WAVESPEED_API_KEY_FILE": str(tmp_path / "none")})
