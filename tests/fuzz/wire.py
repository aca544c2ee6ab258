"""Coverage-guided fuzzing of what reads the answers of a service.

Needs atheris, which the project does not depend on::

    pip install atheris
    python -m tests.fuzz.wire -max_total_time=600 [folder of inputs]
"""

import json
import re
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["batchgen"]):
    from batchgen.api import account, outcome, wire

ID = "0123456789abcdef0123456789abcdef"
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
FIELDS = ["code", "message", "error", "detail", "data", "id", "status", "outputs", "url", "items"]
FIELDS += ["has_nsfw_contents", "created_at", "timings", "inference", "msg", "model", "inputs"]
TIMES = ["2025-05-19T06:09:15.948268264Z", "0001-01-01T00:00:00Z", "2099-12-31T23:59:59-14:00"]


def made(given: Any, depth: int = 4) -> object:
    """A value of any shape, often of the right one."""
    kind = given.ConsumeIntInRange(0, 9 if depth else 6)
    if kind > 7:
        names = [given.PickValueInList(FIELDS) for _ in range(given.ConsumeIntInRange(0, 8))]
        return {name: made(given, depth - 1) for name in names}
    if kind > 6:
        return [made(given, depth - 1) for _ in range(given.ConsumeIntInRange(0, 4))]
    plain = (None, given.ConsumeBool(), given.ConsumeInt(9), given.ConsumeFloat())
    texts = (ID, given.ConsumeUnicode(30), given.PickValueInList([*TIMES, "completed", "failed"]))
    return (*plain, *texts)[kind]


def check_prediction(found: wire.Prediction) -> None:
    """What the rest of the program may rely on."""
    assert wire.PREDICTION_ID.fullmatch(found.id)
    assert not UNSEEN.search(found.status + found.error + found.model)
    assert len(found.error) <= wire.MAX_ERROR_CHARACTERS
    assert all(flag in {True, False, None} for flag in found.has_nsfw_contents)
    assert found.created_at is None or wire.read_time(found.created_at) == found.created_at
    assert found.inference_ms is None or 0 < found.inference_ms < 2**53
    "".join((*found.outputs, found.error)).encode()


def one_input(data: bytes) -> None:
    """Read *data* as every kind of answer there is."""
    if len(data) < 4:
        return
    status = 100 + int.from_bytes(data[:2], "big") % 500
    headers = {
        "Retry-After": data[2:40].decode("latin-1"),
        "Location": data[2:40].decode("latin-1"),
    }
    body = data[3:]
    if data[2] % 2:
        # Bytes alone seldom become an answer: the JSON reader is C, and shows no coverage.
        body = json.dumps(made(atheris.FuzzedDataProvider(body))).encode()
    submitted = outcome.read_submit(status, headers, body)
    if isinstance(submitted, wire.Prediction):
        check_prediction(submitted)
        assert status < 300
    else:
        assert not UNSEEN.search(submitted.reason)
        assert submitted.retry_after is None or 0 <= submitted.retry_after <= 120
    polled = outcome.read_poll(status, headers, body, ID)
    if isinstance(polled, wire.Prediction):
        check_prediction(polled)
        assert polled.id == ID
    try:
        answer = wire.read_answer(status, body)
        listed = account.read_history(answer.data)
    except wire.WireError:
        return
    assert len(listed) <= account.HISTORY_PAGE
    assert all(wire.PREDICTION_ID.fullmatch(item.id) for item in listed)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
