"""JSON from outside: what is refused, and what is just within the bounds."""

import time
from contextlib import suppress

import pytest

from batchgen.api import wire
from batchgen.api.wire import WireError, decode, read_answer


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<html>504</html>", "not JSON: JSONDecodeError"),
        (b'{"code": 200', "not JSON: JSONDecodeError"),
        (b"\xef\xbb\xbf{}", "not JSON: JSONDecodeError"),
        (b'"\xff"', "not JSON: UnicodeDecodeError"),
        ("{}".encode("utf-16"), "not JSON: UnicodeDecodeError"),
        (b'{"a": NaN}', "not JSON: ValueError"),
        (b'{"a": -Infinity}', "not JSON: ValueError"),
        (b'{"a": Infinity}', "not JSON: ValueError"),
        (b'{"a": ' + b"9" * 401 + b"}", "a number of more than 400 digits"),
        (b"[" * 100_000, "not JSON: RecursionError"),
        (b'{"a":' * 100_000, "not JSON: RecursionError"),
        (b"[" * 800 + b'"\\ud800"' + b"]" * 800, "an answer of more than 100 levels"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "an answer of more than 100 levels"),
        (b'[{"a":' * 51 + b"1" + b"}]" * 51, "an answer of more than 100 levels"),
        (b'{"code": 200, "data": {"id": "a", "id": "b"}}', "the answer gives a field twice"),
        (b'{"code": 200, "code": 200}', "the answer gives a field twice"),
        (rb'{"id": "a", "\u0069d": "b"}', "the answer gives a field twice"),
        (b'"' + b"x" * wire.MAX_ANSWER_BYTES + b'"', "an answer of more than 2097152 bytes"),
        (b"[]", "expected a JSON object"),
    ],
)
def test_what_is_no_envelope_is_refused(raw, message):
    with pytest.raises(WireError) as caught:
        read_answer(200, raw)
    assert str(caught.value) == message


def test_what_is_just_within_the_bounds_is_read():
    for deep in (b"[" * 100 + b"%s" + b"]" * 100, b'{"a":' * 100 + b"%s" + b"}" * 100):
        assert decode(deep % b"0")
        assert decode(deep % rb'"\ud800"')
    assert decode(b"9" * 400) == 10**400 - 1
    assert decode(b'[{"a": 1}, {"a": 1}]') == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize("raw", [b"9" * 2_000_000, b"9" * 2_000_000 + b".0", b"1e" + b"9" * 10**6])
def test_a_huge_number_costs_no_time(raw):
    start = time.process_time()
    with suppress(WireError):
        decode(raw)
    assert time.process_time() - start < 1


def test_two_mebibytes_are_read():
    assert len(str(decode(b'"' + b"x" * (wire.MAX_ANSWER_BYTES - 2) + b'"'))) == 2097150


def test_lone_surrogates_become_replacement_characters_and_pairs_stay():
    raw = rb'{"a\ud800": ["\uDFFFx", {"b": "\ud83d\ude00"}], "c": "\\ud800", "n": 1}'
    assert decode(raw) == {"a\ufffd": ["\ufffdx", {"b": "😀"}], "c": "\\ud800", "n": 1}
    assert decode(rb'"\uDFFF"') == "\ufffd"
