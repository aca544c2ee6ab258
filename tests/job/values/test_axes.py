"""The values of an axis: lists, ranges, counts, and what a model refuses of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job.models import Model, find_model
from batchgen.job.values.axes import AxisError, Values, read_values, several, unknown_parameter

IMAGEN = find_model("wavespeed-ai/imagen4")
OTHER = Model(id="acme/paint")


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ([7, 8], [7, 8]),
        ([7, 8, 7], [7, 8]),
        ("0..3", [0, 1, 2, 3]),
        ("-1..1", [-1, 0, 1]),
        ("5..5", [5]),
        ({"start": 3, "count": 2}, [3, 4]),
        ({"start": 2147483647, "count": 1}, [2147483647]),
    ],
)
def test_each_form_of_an_axis_gives_its_distinct_values(raw, values):
    found, warnings = read_values(raw, name="seed", model=IMAGEN)
    assert (list(found), len(found)) == (values, len(values))
    assert bool(warnings) == (isinstance(raw, list) and len(raw) > len(values))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("0..9223372036854775808", "expected a list,"),
        ("0...3", "expected a list,"),
        (" 0..3", "expected a list,"),
        ("\u0660..\u0663", "expected a list,"),
        (True, "expected a list,"),
        (None, "expected a list,"),
        ({}, "expected the keys start and count, got none"),
        ({"start": 0, "count": 2, "step": 1}, "expected the keys start and count, got start, "),
        ({"start": 0, "count": True}, "expected whole numbers as start and count, got the n"),
        ({"start": 0, "count": -1}, "expected a count of at least 1, got -1"),
        ({"start": 0, "count": 10**18 + 1}, "expected a count of at most 1,000,000,000,000,000,0"),
        ({"start": -5, "count": 9}, "expected a whole number from -1 to 2147483647, got the n"),
    ],
)
def test_what_is_no_axis_is_refused(raw, message):
    with pytest.raises(AxisError) as caught:
        read_values(raw, name="seed", model=IMAGEN)
    assert str(caught.value).startswith(message)
    assert caught.value.index is None


def test_the_first_refused_value_of_a_list_is_named():
    with pytest.raises(AxisError, match="expected a text, a number, true or false, got a map") as e:
        read_values([1, "a", None, {}], name="style", model=OTHER)
    assert e.value.index == 3


def test_values_of_different_types_are_different():
    values, _ = read_values([1, 1.0, True, "1", None], name="style", model=OTHER)
    assert len(values) == 5
    assert True not in Values((1,))
    assert True not in Values((1.0,))
    assert 1.0 in Values((1.0,))
    assert 1.0 not in Values(range(3))
    assert True not in Values(range(3))
    assert 2 in Values(range(3))


def test_only_a_seed_reads_a_range_in_a_text_of_a_prompt():
    assert several("0..9", name="seed", model=IMAGEN)
    assert not several("0..9", name="negative_prompt", model=IMAGEN)
    assert not several("0..9", name="seed", model=OTHER)
    assert several([], name="negative_prompt", model=IMAGEN)
    assert several({}, name="seed", model=OTHER)
    assert not several(7, name="seed", model=IMAGEN)


def test_two_billion_values_are_held_as_a_range():
    values, _ = read_values({"start": 0, "count": 2 * 10**9}, name="seed", model=IMAGEN)
    assert isinstance(values.items, range)
    assert (len(values), values[-1], 5 in values, -5 in values) == (2 * 10**9, 1999999999, True, 0)


def test_as_many_values_and_characters_as_can_be_are_let_through():
    values, _ = read_values({"start": 0, "count": 10**18}, name="style", model=OTHER)
    assert len(values) == 10**18
    read_values(["x" * 10**6], name="style", model=OTHER)
    with pytest.raises(AxisError, match="at most 1,000,000 characters, got 1,000,001"):
        read_values(["x" * (10**6 + 1)], name="style", model=OTHER)


def test_nothing_is_unknown_of_an_unknown_model():
    assert unknown_parameter("anything", OTHER) is None
    assert unknown_parameter("seed", IMAGEN) is None


bounds = st.integers(-8, 8)
ranges = st.builds(range, bounds, bounds).filter(len)
lists = st.lists(bounds, min_size=1, unique=True)


@given(ranges | lists, ranges | lists)
def test_what_two_have_in_common_and_what_is_left_are_told_exactly(own, other):
    mine, others = Values(own), Values(other)
    left = mine.without(mine.common(others))
    assert list(mine.common(others)) == [v for v in own if v in other]
    assert [v for piece in left for v in piece] == [v for v in own if v not in other]
    assert all(left)


def test_ranges_of_any_length_are_compared_without_walking_through_them():
    whole, part = Values(range(10**18)), Values(range(7, 10**17))
    assert whole.common(part).items == range(7, 10**17)
    assert [p.items for p in whole.without(part)] == [range(7), range(10**17, 10**18)]
    assert [p.items for p in whole.without(Values((9, True, "5")))] == [
        range(9),
        range(10, 10**18),
    ]
