"""The wait that a service asks for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from batchgen.api.outcome import retry_after as seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("7", 7),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("120", 120),
        ("121", 120),
        ("999999", 120),
        ("9" * 5_000, 120),
        ("inf", 120),
        ("1e999", 120),
        ("-1", 0),
        ("-inf", 0),
        ("nan", 0),
        ("soon", None),
        ("7 seconds", None),
        ("\x00", None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2001 00:00:00 -0000", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 120),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 120),
        ("Mon, 99 Foo 2001 99:99:99 GMT", None),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
        ("Mon, 01 Jan 2024 99999999999999999999:00:00 GMT", None),
    ],
)
def test_a_wait_is_a_number_of_seconds_between_0_and_120(value, expected):
    assert seconds(value) == expected


def test_a_wait_may_be_a_date():
    found = seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert found is not None
    assert 50 < found <= 60
