"""Whatever bytes a server sends, reading them raises WireError at the most and keeps its word."""

import json
import re
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.api.account import HISTORY_PAGE, Listed, read_history, read_number
from batchgen.api.outcome import Fate, PollProblem, Refusal, read_poll, read_submit, retry_after
from batchgen.api.wire import (
    MAX_ERROR_CHARACTERS,
    Prediction,
    WireError,
    decode,
    encode,
    read_answer,
    read_prediction,
    read_time,
)
from tests.api.page import ID, PAGE

GOOD = {**PAGE, "created_at": "2025-05-19T06:09:15.948268264Z", "code": 1200}
NAMES = [*GOOD, "get", "url", "message", "msg", "detail", "inference", "data", "items", "inputs"]
calm = settings(deadline=None)  # a busy machine is no failure
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["completed", "failed", ID, "a/b", "\x1b[2J", "\u202e", "\ud800", "0001-01-01T00:00:00Z"]
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)
odd_data = st.builds(lambda some: {**GOOD, **some}, st.dictionaries(st.sampled_from(NAMES), values))
items = st.lists(odd_data | st.just(GOOD) | values, max_size=4)
data = odd_data | values | st.builds(lambda found: {"items": found}, items)
answers = st.builds(
    lambda found, more: {"code": 200, "message": "success", "data": found, **more},
    data,
    st.dictionaries(st.sampled_from(["code", "message", "error", "detail"]), values),
)


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


@st.composite
def cut(draw: Any) -> bytes:
    """The bytes of an answer with a hole, or a part of it twice."""
    whole = dumped(draw(answers))
    start, end = sorted(draw(st.integers(0, len(whole))) for _ in range(2))
    between: bytes = draw(st.binary(max_size=3))
    return whole[:end] + between + whole[start:]


bodies = (
    st.binary(max_size=200)
    | st.text(alphabet='{}[]",:\\ud80-e1 ').map(str.encode)
    | answers.map(dumped)
    | cut()
)
statuses = st.sampled_from([200, 200, 200, 201, 302, 400, 404, 429, 503]) | st.integers(100, 999)
headers = st.dictionaries(st.sampled_from(["Retry-After", "Location"]), st.text(max_size=300))


def check_prediction(found: Prediction) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,128}", found.id)
    assert len(found.status) > 0
    assert not UNSEEN.search(found.status + found.error + found.model)
    assert len(found.error) <= MAX_ERROR_CHARACTERS
    assert all(isinstance(url, str) for url in found.outputs)
    assert {type(found.nsfw(index)) for index in range(9)} <= {bool, type(None)}
    assert found.created_at is None or re.fullmatch(
        r"(1999|20\d\d|2100)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.created_at
    )
    assert found.inference_ms is None or 0 < found.inference_ms < 2**53
    assert found.error_code is None or abs(found.error_code) < 2**53
    # Everything of it can be written to a file and to the ledger.
    encode({"all": [found.error, found.model, found.status, *found.outputs]})


@calm
@given(bodies)
def test_any_bytes_are_a_prediction_or_refused(body):
    with suppress(WireError):
        check_prediction(read_prediction(read_answer(200, body).data))


@calm
@given(bodies)
def test_what_is_decoded_can_be_written_again(body):
    with suppress(WireError):
        json.dumps(decode(body), ensure_ascii=False).encode()


@calm
@given(statuses, headers, bodies)
def test_no_answer_to_a_submit_raises_or_is_taken_for_more_than_it_is(status, sent, body):
    found = read_submit(status, sent, body)
    if isinstance(found, Prediction):
        assert status < 300
        check_prediction(found)
        return
    assert isinstance(found, Refusal)
    assert not UNSEEN.search(found.reason)
    assert len(found.reason) < MAX_ERROR_CHARACTERS + 100
    assert found.retry_after is None or 0 <= found.retry_after <= 120


codes = st.none() | st.integers(0, 999) | st.sampled_from([200, 401, 429, 503])


@calm
@given(statuses, codes, st.text(), values)
def test_an_answer_that_names_a_prediction_lets_no_submit_be_sent_again(status, code, words, odd):
    data = {**GOOD, "status": str(odd)}
    answer = {"code": code, "message": words, "data": data}
    found = read_submit(status, {"Retry-After": "1"}, dumped(answer))
    assert isinstance(found, Prediction) or found.fate is Fate.UNCERTAIN


@calm
@given(statuses, headers, bodies)
def test_no_answer_to_a_poll_raises_or_is_about_another_prediction(status, sent, body):
    found = read_poll(status, sent, body, ID)
    if isinstance(found, Prediction):
        check_prediction(found)
        assert (status, found.id) == (200, ID)
        return
    assert isinstance(found, PollProblem)
    assert not UNSEEN.search(found.reason)
    assert found.retry_after is None or 0 <= found.retry_after <= 120


@calm
@given(bodies)
def test_any_history_is_a_list_of_predictions_or_refused(body):
    with suppress(WireError):
        found = read_history(read_answer(200, body).data)
        assert len(found) <= HISTORY_PAGE
        for item in found:
            assert isinstance(item, Listed)
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,128}", item.id)
            assert item.created_at is None or read_time(item.created_at) == item.created_at


@calm
@given(st.dictionaries(st.sampled_from(["balance", "price"]), values))
def test_any_amount_is_a_sum_of_money_or_unknown(told):
    found = read_number(told, "balance", "price")
    assert found is None or 0 <= found < 1e12


dates = st.lists(
    st.sampled_from(["Mon,", "Jan", "GMT", "00:00:00", ":", "-", "+9999", "2024", "1", "T", "Z"])
    | st.integers(-(10**30), 10**30).map(str),
    max_size=7,
)


@calm
@given(st.text(st.characters()) | dates.map(" ".join))
def test_any_wait_is_within_its_bounds(value):
    found = retry_after(value)
    assert found is None or 0 <= found <= 120


iso = st.datetimes().map(lambda moment: moment.isoformat())
offsets = st.sampled_from(["", "Z", "+14:00", "-23:59", "+00:00:01", "123456789Z", "x"])


@calm
@given(values | dates.map("".join) | st.tuples(iso, offsets).map("".join))
def test_any_time_is_a_time_of_this_century_or_unknown(value):
    found = read_time(value)
    if found is not None:
        assert re.fullmatch(r"(1999|2\d{3})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found)
