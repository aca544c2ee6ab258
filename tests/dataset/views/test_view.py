"""The view of the rows: one order, one type for each column, and never null."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.dataset.folder import DatasetFolder, json_line
from batchgen.dataset.views.view import LeftError, View
from batchgen.errors import StorageError
from tests.dataset.made import make_dataset, row, write_manifest


def kinds(folder: DatasetFolder, name: str, values: list[object]) -> tuple[str, list[object]]:
    """The kind of a column with these values, and what the view shows of them."""
    write_manifest(folder, [row(n) | {"bytes": 1, name: value} for n, value in enumerate(values)])
    with View.open(folder) as view:
        kind = next(column.kind for column in view.columns if column.source == name)
        shown = {str(r.asked["file_name"]): r.values[name] for r in view.rows()}
    return kind, [shown[str(row(n)["file_name"])] for n in range(len(values))]


@pytest.mark.parametrize(
    ("name", "values", "kind", "shown"),
    [
        ("style", ["oil", None], "text", ["oil", ""]),
        ("style", [None, None], "text", ["", ""]),
        ("steps", [3, None], "int", [3, -1]),
        ("steps", [3, 0.5], "float", [3.0, 0.5]),
        ("steps", [None, 0.5], "float", [-1.0, 0.5]),
        ("steps", [3, "many"], "text", ["3", "many"]),
        ("hd", [True, False], "bool", [True, False]),
        ("hd", [None, True], "text", ["", "true"]),  # never a guessed false
        ("hd", [True, 1], "text", ["true", "1"]),
        ("size", [[1, 2], {"a": "é"}], "text", ["[1, 2]", '{"a": "é"}']),
        ("seed", [1, None], "int", [1, -1]),
        ("seed", [2**63, 1], "text", ["9223372036854775808", "1"]),
        ("nsfw", [True, False, None], "text", ["true", "false", ""]),
    ],
)
def test_a_column_has_one_type_and_no_null(folder, name, values, kind, shown):
    assert kinds(folder, name, values) == (kind, shown)
    assert kinds(folder, name, values[::-1]) == (kind, shown[::-1])


values_of_an_axis = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text("ab", max_size=3)
)


@given(st.lists(values_of_an_axis, min_size=1, max_size=6))
def test_all_values_of_a_column_are_of_its_kind(tmp_path_factory, values):
    folder = DatasetFolder(tmp_path_factory.mktemp("kinds"))
    kind, shown = kinds(folder, "axis", values)
    types = {"text": str, "int": int, "float": float, "bool": bool}
    assert {type(value) for value in shown} == {types[kind]}


@pytest.mark.parametrize("name", ["image", "text", "file_names", "mask_file_name"])
def test_a_parameter_does_not_take_the_place_of_what_readers_look_for(folder, name):
    write_manifest(folder, [row(0) | {"bytes": 1, name: "https://example.org/a.png"}])
    with View.open(folder) as view:
        values = next(view.rows()).values
    assert values[f"param_{name}"] == "https://example.org/a.png"
    assert values["text"] == values["prompt"]
    assert next(key for key in values if key.endswith("file_name")) == "file_name"


def test_the_order_is_that_of_what_was_asked_for(tmp_path):
    rows = [row(n) for n in range(12)]
    orders = []
    for seed in range(3):
        with View.open(make_dataset(tmp_path / str(seed), rows, shuffled=seed)) as view:
            orders.append([dict(r.values) for r in view.rows()])
            assert list(view.sizes()) == [(".png", r["bytes"]) for r in orders[-1]]
            assert view.bytes == sum(int(str(r["bytes"])) for r in orders[-1])
            assert (view.count, view.prompts, view.endings) == (12, 6, [".png"])
    assert orders[0] == orders[1] == orders[2]
    assert Counter(r["file_name"] for r in orders[0]) == Counter(r["file_name"] for r in rows)


def test_how_an_image_came_about_is_left_to_the_manifest(folder):
    write_manifest(folder, [row(0) | {"bytes": 1}])
    with View.open(folder) as view:
        names = {column.name for column in view.columns}
    assert not names & {"prediction_id", "saved_at", "polls", "cost_usd"}


@pytest.mark.parametrize(
    "line",
    [
        "{}", "[1]", "no JSON", json_line(row(0) | {"variant_key": 7}),
        json_line(row(0) | {"bytes": 1, "variant_key": "../../elsewhere"}),
        json_line(row(0) | {"bytes": 1, "image_index": 2**63}),
        json.dumps(row(0) | {"bytes": 1, "prompt_id": "\ud800"}),
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_said(folder, line):
    folder.manifest_jsonl.write_text(json_line(row(0) | {"bytes": 1}) + line.strip() + "\n")
    with pytest.raises(StorageError, match=r"no row of an image; batchgen verify .* --repair"):
        View.open(folder)


def test_a_row_that_is_being_written_is_left_out(folder):
    whole = json_line(row(0) | {"bytes": 1})
    folder.manifest_jsonl.write_text(whole + whole[:-1])
    with View.open(folder) as view:
        assert view.count == 1


def test_no_manifest_is_said(folder):
    with pytest.raises(StorageError, match=r"cannot read .*manifest\.jsonl"):
        View.open(folder)


def test_a_manifest_that_changes_meanwhile_is_said(folder):
    write_manifest(folder, [row(n) | {"bytes": 1} for n in range(2)])
    with View.open(folder) as view:
        folder.manifest_jsonl.write_text(json.dumps({}) + "\n")
        with pytest.raises(StorageError, match="no row of an image"):
            list(view.rows())


def test_reading_ends_when_there_is_no_time(folder):
    write_manifest(folder, [row(n) | {"bytes": 1} for n in range(4)])
    left = iter([True] * 5 + [False] * 9)
    with View.open(folder, lambda: next(left)) as view, pytest.raises(LeftError):
        list(view.rows())
