import pytest

from batchgen.job.units import read_duration, read_failures


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
