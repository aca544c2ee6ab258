from datetime import time

import pytest

from batchgen.job.grammar.units import read_duration, read_failures, read_size, read_window


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6h", 21_600),
        ("90m", 5_400),
        ("1h30m", 5_400),
        ("45", 45),
        ("0.5s", 0.5),
        ("1d", 86_400),
        (" 2H ", 7_200),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float):
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "0", "5 h", "1h-2m", "h", "1.5h"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError, match="expected a duration such as 6h"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "planned", "allowed"),
    [("20", 1000, 20), ("5%", 1000, 50), ("0", 10, 0), ("2.5%", 1000, 25), ("100%", 7, 7)],
)
def test_failure_limits_are_counts_or_percentages(text: str, planned: int, allowed: int):
    assert read_failures(planned, text) == allowed


@pytest.mark.parametrize("text", ["", "-1", "101%", "many", "5 %%", "1.5", "%"])
def test_what_is_no_failure_limit_is_refused(text: str):
    with pytest.raises(ValueError, match="a number of variants or a percentage"):
        read_failures(100, text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("2GB", 2 * 10**9), ("500 mb", 5 * 10**8), ("1.5g", 15 * 10**8), ("7k", 7000)],
)
def test_sizes_as_people_write_them(text: str, size: int):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "many", "2GiB", "GB", "1e9", "9" * 16])
def test_what_is_no_size_is_refused(text: str):
    with pytest.raises(ValueError, match="expected a size such as 500MB or 2GB"):
        read_size(text)


@pytest.mark.parametrize(
    ("window", "at", "left"),
    [
        ("22:00-06:00", time(22), 8 * 3600),
        ("22:00-06:00", time(5, 59, 30), 30),
        ("22:00-06:00", time(6), 0),
        ("22:00-06:00", time(21, 59, 59), 0),
        ("22:00-06:00", time(0), 6 * 3600),
        ("9:00 - 17:30", time(9), 8.5 * 3600),
        ("9:00 - 17:30", time(17, 30), 0),
        ("9:00 - 17:30", time(3), 0),
    ],
)
def test_a_window_may_go_past_midnight(window: str, at: time, left: float):
    assert read_window(window).seconds_left(at) == left


@pytest.mark.parametrize("text", ["", "22-6", "22:00", "24:00-06:00", "22:60-06:00", "6:00-06:00"])
def test_what_is_no_window_is_refused(text: str):
    with pytest.raises(ValueError, match="expected a window such as 22:00-06:00"):
        read_window(text)
