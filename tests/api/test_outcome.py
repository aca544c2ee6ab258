"""What an answer means, above all whether a submit may have cost money."""

import json

import pytest

from batchgen.api.outcome import Fate, Poll, PollProblem, Refusal, read_poll, read_submit
from batchgen.api.wire import MAX_ANSWER_BYTES, Prediction

ID = "0123456789abcdef0123456789abcdef"
GOOD = {"id": ID, "status": "created"}
PAGES = [b"<html>Bad gateway</html>", b"", b"null", b"[]", b'{"code": 2', b"\xff\xfe", b"NaN"]
WAIT = {"Retry-After": "7"}


def body(code: int | None = None, message: object = "", data: object = None) -> bytes:
    envelope = {"code": code, "message": message, "data": data}
    return json.dumps({k: v for k, v in envelope.items() if v is not None}).encode()


def fate(status: int, content: bytes, **headers: str) -> Fate | str:
    found = read_submit(status, {k.replace("_", "-"): v for k, v in headers.items()}, content)
    return found.fate if isinstance(found, Refusal) else found.id


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("code", [200, 201, None])
def test_a_usable_id_means_submitted(status, code):
    found = read_submit(status, {}, body(code, "success", GOOD))
    assert found == Prediction(id=ID, status="created")


REJECTED, ACCOUNT, MISDIRECTED = Fate.REJECTED, Fate.ACCOUNT, Fate.MISDIRECTED
THROTTLED, UNCERTAIN = Fate.THROTTLED, Fate.UNCERTAIN
BY_CODE = {
    **dict.fromkeys([400, 405, 409, 413, 415, 422], REJECTED),
    **dict.fromkeys([401, 402, 403], ACCOUNT),
    **dict.fromkeys([429, 503], THROTTLED),
    404: MISDIRECTED,
    **dict.fromkeys([408, 500, 501, 502, 504, 520, 522, 524, 599], UNCERTAIN),
}


@pytest.mark.parametrize(("code", "expected"), BY_CODE.items())
def test_the_status_of_an_answer_of_the_api_decides(code, expected):
    found = read_submit(code, WAIT, body(code, "no such luck"))
    assert found == Refusal(
        fate=expected, reason=f"HTTP {code}: no such luck", status=code, retry_after=7
    )
    assert fate(code, body(200, "success")) is UNCERTAIN  # it says no and yes at once


# Only a status of 503 says that the service as a whole turned the submit away.
INSIDE = {**BY_CODE, 503: UNCERTAIN, 418: REJECTED, 499: REJECTED}


@pytest.mark.parametrize(("code", "expected"), INSIDE.items())
def test_a_code_inside_an_ok_decides_too(code, expected):
    found = read_submit(200, {}, body(code, "no such luck", {"status": "failed"}))
    assert found == Refusal(fate=expected, reason="HTTP 200: no such luck", status=code)


@pytest.mark.parametrize("code", [*BY_CODE, 300, 302, 307, 600, 999])
def test_an_answer_that_says_no_but_names_a_prediction_is_uncertain(code):
    for status, content in ((code, body(200, "ok", GOOD)), (200, body(code, "no", GOOD))):
        found = read_submit(status, WAIT, content)
        assert isinstance(found, Refusal)
        assert (found.fate, found.retry_after) == (UNCERTAIN, None)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("name", ["id", "outputs"])
@pytest.mark.parametrize("value", ["of another kind/", 7, 0, ["https://x/a.png"], {"url": "x"}])
def test_an_id_or_outputs_of_any_kind_anywhere_make_a_refusal_uncertain(status, name, value):
    given = {name: value}
    for content in (given, {"data": given}, {"data": [None, given]}, {"code": status, **given}):
        assert fate(status, json.dumps(content).encode(), Retry_After="1") is UNCERTAIN
    assert fate(200, body(429, "no", given)) is UNCERTAIN


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_an_id_or_outputs_that_are_empty_name_nothing(nothing):
    content = {"code": 429, "id": nothing, "data": {"id": nothing, "outputs": nothing}}
    assert fate(429, json.dumps(content).encode()) is THROTTLED


@pytest.mark.parametrize("status", [100, 101, 199, 430, 451, 600, 999])
def test_a_status_nobody_knows_proves_nothing(status):
    assert fate(status, body(status, "no")) is UNCERTAIN
    assert fate(status, b"<html>") is UNCERTAIN
    assert isinstance(read_poll(status, {}, b"<html>", ID), PollProblem)


def test_words_of_a_server_cannot_move_the_cursor_or_end_a_line():
    told = "a\x1b[2J\x07\r\nb\u202ec\u2028d\x9be\x7f"
    found = read_submit(400, {}, body(400, told))
    assert isinstance(found, Refusal)
    seen = r"a\x1b[2J\x07\x0d\x0ab\u202ec\u2028d\x9be\x7f"
    assert found.reason == f"HTTP 400: {seen}"
    moved = read_submit(302, {"Location": f"/{told}"}, b"")
    assert isinstance(moved, Refusal)
    assert moved.reason == f"HTTP 302: redirected to /{seen}"
    problem = read_poll(500, {}, body(500, told), ID)
    assert isinstance(problem, PollProblem)
    assert problem.reason == f"HTTP 500: {seen}"


BY_STATUS = {
    **dict.fromkeys([400, 404, 405, 409, 413, 415, 422], MISDIRECTED),
    **dict.fromkeys([401, 402, 403], ACCOUNT),
    429: THROTTLED,
    **dict.fromkeys([200, 201, 202, 204, 408, 500, 502, 503, 504, 520, 599], UNCERTAIN),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("status", "expected"), BY_STATUS.items())
def test_a_page_that_is_not_of_the_api_proves_only_what_its_status_proves(status, expected, page):
    found = read_submit(status, {}, page)
    assert isinstance(found, Refusal)
    assert (found.fate, found.status) == (expected, status)
    assert found.reason.startswith(f"HTTP {status}: ")


def test_a_503_proves_something_only_when_its_own_code_says_later_too():
    assert fate(503, body(503, "no")) is THROTTLED
    assert fate(503, body(429, "no")) is THROTTLED
    assert fate(503, body(504, "upstream timed out")) is UNCERTAIN
    assert fate(503, body(504, "upstream timed out"), Retry_After="5") is THROTTLED
    assert fate(503, body(200, "success"), Retry_After="5") is UNCERTAIN


# The numbers from 600 are no HTTP statuses: what they mean is the business of the API.
@pytest.mark.parametrize("own", [300, 400, 401, 404, 429, 503, 600, 1015, 5000])
def test_a_429_is_turned_away_when_its_own_code_says_no_too(own):
    assert fate(429, body(own, "slow down")) is THROTTLED


@pytest.mark.parametrize("status", [429, 400, 401, 403, 404, 422])
@pytest.mark.parametrize("own", [0, 100, 200, 299, 408, 500, 502, 504, 524])
def test_a_refusal_whose_own_code_tells_of_more_proves_nothing(status, own):
    found = read_submit(status, WAIT, body(own, "upstream timed out"))
    assert found == Refusal(
        fate=UNCERTAIN,
        reason=f"HTTP {status}: upstream timed out; but its own code is {own}",
        status=status,
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_503_page_proves_nothing_unless_it_says_when_to_come_back(page):
    assert fate(503, page) is UNCERTAIN
    assert fate(503, page, Retry_After="0") is THROTTLED
    assert fate(503, page, Retry_After="soon") is UNCERTAIN
    assert fate(502, page, Retry_After="5") is UNCERTAIN


@pytest.mark.parametrize("status", range(300, 309))
@pytest.mark.parametrize("content", [b"", b"[]", body(200, "success"), body(400)])
def test_a_redirect_is_a_wrong_address_unless_it_follows_what_was_carried_out(status, content):
    meaning = UNCERTAIN if status == 303 else MISDIRECTED
    found = read_submit(status, {"Location": "https://evil.example/" + "x" * 999}, content)
    assert isinstance(found, Refusal)
    assert found.fate is meaning
    assert found.reason.startswith(f"HTTP {status}: redirected to https://evil.example/xxx")
    assert len(found.reason) < 250
    assert fate(status, content) is meaning


@pytest.mark.parametrize(
    "data",
    [None, {}, [], "x", {"status": "created"}, {"id": ID}, {"id": ID, "status": ""}]
    + [{"id": odd, "status": "created"} for odd in ("", 7, None, "a/b", "a b", "é", "x" * 129)],
)
def test_an_accepted_submit_without_a_usable_id_is_uncertain(data):
    found = read_submit(200, {}, body(200, "success", data))
    assert isinstance(found, Refusal)
    assert (found.fate, found.status) == (UNCERTAIN, 200)


def test_an_answer_too_large_to_read_is_uncertain():
    assert fate(200, b'{"data": "' + b"x" * MAX_ANSWER_BYTES + b'"}') is UNCERTAIN


@pytest.mark.parametrize("status", [400, 402, 403, 405, 422])
@pytest.mark.parametrize(
    "message",
    [
        "Insufficient credits",
        "insufficient balance, please recharge",
        "Insufficient account balance",
        "Please top up your account",
        "Please top-up the account",
        "Your balance is too low",
        "quota exceeded",
        "Credits exhausted",
        {"message": "Insufficient funds"},
    ],
)
def test_words_about_money_concern_the_account(status, message):
    assert fate(status, body(status, message)) is ACCOUNT
    assert fate(200, body(status, message)) is ACCOUNT


@pytest.mark.parametrize(
    "message",
    [
        "prompt refused: a balance on a rope",
        "prompt: 'credits roll over a quota board'",
        "insufficient light in the picture",
        "the top of your account book",
        "",
    ],
)
def test_a_message_that_quotes_a_prompt_does_not_stop_the_run(message):
    assert fate(400, body(400, message)) is REJECTED


def test_words_about_money_that_the_request_holds_do_not_stop_the_run():
    request = {"prompt": "a stamp that says Insufficient Funds", "seed": 1}
    quoting = body(400, "refused: 'a stamp that says INSUFFICIENT FUNDS'")
    for own, content, expected in (
        (request, quoting, REJECTED),
        ({"prompt": "a stamp"}, quoting, ACCOUNT),
        (request, body(400, "Please top up your account"), ACCOUNT),
    ):
        found = read_submit(400, {}, content, own)
        assert isinstance(found, Refusal)
        assert found.fate is expected


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_words_about_money_do_not_change_what_a_server_error_means(status):
    expected = BY_CODE[status]
    assert fate(status, body(status, "quota exceeded")) is expected


# Polls ------------------------------------------------------------------------------------------


def test_a_poll_brings_the_prediction_that_was_asked_for():
    assert read_poll(200, {}, body(200, "success", GOOD), ID) == Prediction(id=ID, status="created")
    assert read_poll(200, {}, body(None, "", GOOD), ID) == Prediction(id=ID, status="created")


def test_the_state_of_another_prediction_is_not_taken():
    assert read_poll(200, {}, body(200, "success", GOOD), "other") == PollProblem(
        kind=Poll.TRANSIENT, reason="the answer is about another prediction"
    )


POLLS = {
    **dict.fromkeys([401, 402, 403], Poll.ACCOUNT),
    **dict.fromkeys([404, 410], Poll.MISSING),
    **dict.fromkeys([202, 204, 302, 400, 408, 429, 500, 502, 503, 504, 524], Poll.TRANSIENT),
}


@pytest.mark.parametrize(("status", "expected"), POLLS.items())
@pytest.mark.parametrize("with_page", [True, False])
def test_a_poll_without_a_prediction_leaves_it_as_it_is(status, expected, with_page):
    told = [body(status, "no")]
    untold = [*PAGES, body(None, "no", GOOD)]  # a gateway says nothing of what is behind it
    if with_page and expected is Poll.MISSING:
        expected = Poll.TRANSIENT
    for content in untold if with_page else told:
        found = read_poll(status, WAIT, content, ID)
        assert isinstance(found, PollProblem)
        assert (found.kind, found.retry_after) == (expected, 7)
        assert found.reason.startswith(f"HTTP {status}: ")


@pytest.mark.parametrize(("code", "expected"), [*POLLS.items(), (201, Poll.TRANSIENT)])
def test_a_code_inside_an_ok_decides_for_a_poll_too(code, expected):
    found = read_poll(200, {}, body(code, "no", GOOD), ID)
    assert found == PollProblem(kind=expected, reason="HTTP 200: no")


def test_a_code_inside_anything_else_says_nothing_of_the_prediction():
    for status in (300, 500):
        found = read_poll(status, {}, body(404, "gone"), ID)
        assert isinstance(found, PollProblem)
        assert found.kind is Poll.TRANSIENT


@pytest.mark.parametrize("content", [*PAGES, body(200), body(200, "", {"id": ID})])
def test_a_poll_that_cannot_be_read_is_asked_again(content):
    found = read_poll(200, {}, content, ID)
    assert isinstance(found, PollProblem)
    assert found.kind is Poll.TRANSIENT
