"""Answers of the v3 API, good, odd and hostile, and the addresses and bodies sent to it."""

import json
import time
from typing import Any

import pytest

from batchgen.api import wire
from batchgen.api.wire import (
    WireError,
    encode,
    read_answer,
    read_prediction,
    read_time,
    result_path,
    submit_path,
)
from tests.api.page import ID, PAGE


def prediction(**changes: Any) -> wire.Prediction:
    return read_prediction({"id": ID, "status": "processing", **changes})


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def test_every_field_of_the_api_page_is_read():
    answer = read_answer(200, body({"code": 200, "message": "success", "data": PAGE}))
    assert (answer.code, answer.message) == (200, "success")
    assert read_prediction(answer.data) == wire.Prediction(
        id=ID,
        model="wavespeed-ai/imagen4",
        status="completed",
        outputs=("https://cdn.example/1.png", "https://cdn.example/2.png"),
        has_nsfw_contents=(False, True),
        created_at="2023-04-01T12:34:56.789Z",
        error="",
        error_code=None,
        inference_ms=2345,
    )


def test_a_submit_answer_has_no_outputs_and_no_time_yet():
    found = prediction(status="created", outputs=[], has_nsfw_contents=[], timings={"inference": 0})
    assert (found.outputs, found.nsfw(0), found.inference_ms) == ((), None, None)
    assert not found.completed
    assert not found.ended_badly


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("created pending Processing", "waiting"),
        ("completed COMPLETED", "completed"),
        ("failed Cancelled canceled timeout deleted", "ended_badly"),
        ("unheard-of", None),
    ],
)
def test_a_status_is_waiting_done_over_or_unknown(statuses, expected):
    for found in (prediction(status=status) for status in statuses.split()):
        for name in ("waiting", "completed", "ended_badly"):
            assert getattr(found, name) is (name == expected)


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({"code": 400, "message": "bad"}, 400, "bad"),
        ({"code": 400.0}, 400, ""),
        ({"error": "why"}, 502, "why"),
        ({"error": {"code": 3, "message": "why"}}, 502, "why"),
        ({"message": "", "error": "why"}, 502, "why"),
        ({"message": 7, "error": [7], "detail": "why"}, 502, "why"),
        ({"detail": [{"msg": "a", "loc": ["b"]}, {"message": "c"}, "d", 7]}, 502, "a; c; d"),
        ({"error": [{"msg": "a"}]}, 502, "a"),
        ({"error": {"msg": "why"}}, 502, "why"),
        ({"error": {"message": {"message": "x"}}, "errors": [{"message": "why"}]}, 502, "why"),
        ({"message": "x" * 5000}, 502, "x" * 2000),
        ({"message": "\x1b" * 5000}, 502, r"\x1b" * 500),
        ({"error": ["x" * 1500] * 99}, 502, "x" * 1500 + "; " + "x" * 498),
    ],
)
def test_the_code_of_the_body_goes_before_the_status(value, code, message):
    answer = read_answer(502, body(value))
    assert (answer.code, answer.message, answer.data) == (code, message, None)


@pytest.mark.parametrize("code", ["200", True, None, 10**300, [200]])
def test_a_code_that_is_no_number_leaves_the_status(code):
    assert read_answer(502, body({"code": code})).code == 502


@pytest.mark.parametrize("data", [None, [], "x", 7, True])
def test_data_that_is_no_object_is_none(data):
    answer = read_answer(200, body({"data": data}))
    assert answer.data is None
    with pytest.raises(WireError, match="the answer has no data"):
        read_prediction(answer.data)


@pytest.mark.parametrize("wrong", [None, 7, "", "a/b", "../x", "a b", "a\n", "é", "x" * 129, ["a"]])
def test_an_id_that_could_leave_its_place_is_refused(wrong):
    with pytest.raises(WireError, match="the answer has no usable prediction id"):
        prediction(id=wrong)


@pytest.mark.parametrize("wrong", [None, "", 7, True, ["completed"], {"status": "completed"}])
def test_an_answer_without_a_status_is_refused(wrong):
    with pytest.raises(WireError, match="the answer has no status"):
        prediction(status=wrong)


def test_ids_are_opaque():
    ids = ["pred_abc123", "task-abc", "7", "x" * 128, ID]
    assert [prediction(id=good).id for good in ids] == ids


@pytest.mark.parametrize(
    ("outputs", "urls"),
    [
        (None, ()),
        ([], ()),
        ("https://h/1.png", ("https://h/1.png",)),
        ([{"url": "https://h/1.png", "type": "image"}], ("https://h/1.png",)),
        (["a", 7, None, {"url": 7}, {}, ["b"]], ("a", "", "", "", "", "")),
        ({"url": "a"}, ()),
    ],
)
def test_outputs_keep_their_places_in_every_shape(outputs, urls):
    assert prediction(outputs=outputs).outputs == urls


def test_nsfw_flags_belong_to_outputs_in_order():
    found = prediction(has_nsfw_contents=[False, None, True])
    assert [found.nsfw(i) for i in range(4)] == [False, None, True, None]


@pytest.mark.parametrize("flags", [None, [], ["true", 1], [0], "true", True, {"0": True}, 1])
def test_an_nsfw_flag_is_never_guessed(flags):
    found = prediction(has_nsfw_contents=flags)
    assert [found.nsfw(i) for i in range(3)] == [None, None, None]


def test_a_status_is_short_and_of_visible_characters():
    assert prediction(status="\x1b[2JDone").status == r"\x1b[2jdone"
    assert prediction(status="x" * 5000).status == "x" * 100
    assert not prediction(status="completed\u202e").completed


def test_what_a_terminal_would_obey_is_seen_and_the_rest_is_left():
    assert prediction(error="\x1b]0;x\x07").error == r"\x1b]0;x\x07"
    assert prediction(error="日本\u3000é👩\u200d🍳 \\").error == "日本\u3000é👩\u200d🍳 \\"


@pytest.mark.parametrize("error", ["why", {"message": "why", "code": 1}, [{"msg": "why"}]])
def test_an_error_is_a_text_or_has_one(error):
    assert prediction(error=error).error == "why"
    assert prediction(error="x" * 5000).error == "x" * 2000


@pytest.mark.parametrize("error", ["", None, 7, [7], [], {}, {"message": {}}, [[{}], None]])
def test_any_other_error_is_empty(error):
    assert prediction(error=error).error == ""


def test_a_business_code_is_a_whole_number():
    largest = 2**53 - 1  # that a JSON number is sure to hold
    codes = (1200, 5000.0, 0, largest, -largest)
    assert [prediction(code=c).error_code for c in codes] == [1200, 5000, 0, largest, -largest]


@pytest.mark.parametrize("value", ["1200", True, None, 2**53, -(2**53), 1e300, [1], {}])
def test_any_other_business_code_is_unknown(value):
    assert prediction(code=value).error_code is None


def test_an_inference_time_is_in_whole_milliseconds():
    assert [prediction(timings={"inference": t}).inference_ms for t in (1, 12.6)] == [1, 13]


@pytest.mark.parametrize("value", [0, -4, "12", True, None, 10**30, [12]])
def test_any_other_inference_time_is_unknown(value):
    assert prediction(timings={"inference": value}).inference_ms is None
    assert prediction(timings=value).inference_ms is None


def test_numbers_where_texts_belong_are_empty_texts():
    found = prediction(model=7, created_at=7, error=7)
    assert (found.model, found.created_at, found.error) == ("", None, "")


def test_an_address_to_poll_at_is_never_taken_from_an_answer():
    there = {"get": "https://evil.example/"}
    assert "evil" not in repr(prediction(urls=there))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-04-01T12:34:56.789Z", "2023-04-01T12:34:56.789Z"),
        ("2025-05-19T06:09:15.948268264Z", "2025-05-19T06:09:15.948Z"),
        ("2025-05-19T08:09:15.123456789+02:00", "2025-05-19T06:09:15.123Z"),
        (" 2025-05-19T06:09:15Z ", "2025-05-19T06:09:15.000Z"),
    ],
)
def test_a_time_is_utc_with_milliseconds(text, expected):
    assert read_time(text) == expected


def test_a_time_without_a_zone_is_utc_wherever_this_machine_stands(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert read_time("2025-05-19T06:09:15") == "2025-05-19T06:09:15.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", ["yesterday", "", "2025-13-01T00:00:00Z", 1747634955, None, []])
def test_what_is_no_time_is_unknown(value):
    assert read_time(value) is None


@pytest.mark.parametrize(
    "text",
    [
        *["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z"],
        *["1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"],
        # It is the year in UTC that counts: what was read can be read again.
        *["2000-01-01T00:00:00+14:00", "2099-12-31T23:59:59-14:00"],
    ],
)
def test_a_time_that_a_server_puts_for_none_is_unknown(text):
    assert read_time(text) is None


def test_the_first_and_the_last_time_are_known():
    assert read_time("1999-12-31T23:00:00-01:00") == "2000-01-01T00:00:00.000Z"
    assert read_time("2099-12-31T23:59:59.9999999Z") == "2099-12-31T23:59:59.999Z"


def test_addresses_are_made_of_quoted_parts():
    assert submit_path("wavespeed-ai/imagen4") == "/api/v3/wavespeed-ai/imagen4"
    assert submit_path("a/b?c#d e") == "/api/v3/a/b%3Fc%23d%20e"
    assert result_path("pred_1") == "/api/v3/predictions/pred_1/result"
    assert result_path("a/../b") == "/api/v3/predictions/a%2F..%2Fb/result"


def test_a_body_is_compact_utf8_in_the_order_of_the_request():
    assert (
        encode({"prompt": "é😀", "seed": 1, "a": ""}) == '{"prompt":"é😀","seed":1,"a":""}'.encode()
    )
    with pytest.raises(ValueError, match="Out of range float"):
        encode({"a": float("nan")})
