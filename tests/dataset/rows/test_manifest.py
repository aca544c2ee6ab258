"""The manifest: both files say the same, exactly what the ledger vouches for, whatever happened."""

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.manifest import Manifest, Row, columns, is_exact
from batchgen.dataset.rows.row import ImageRow
from batchgen.dataset.stores.holdings import Holdings
from batchgen.errors import StorageError
from batchgen.job.values.sweep import MADE_COLUMNS
from tests.ledger.made import full_disk

PROMPTS = [
    'plain, with "quotes", and commas',
    "two\nlines\r\nand\rthree",
    " leading; \ttabs\u2028separators\u0085\x0b\x0c ",
    "日本のキッチン 🫖 é e\u0301",
    "",
    '"',
    "=1+1",
]
# The last four are the full-width forms of the first.
FORMULAS = ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
COLUMNS = columns(["seed", "aspect_ratio", "style"])


def row(number: int, **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "file_name": f"images/{number}.png",
        "prompt_id": "espresso",
        "prompt": PROMPTS[number % len(PROMPTS)],
        "seed": number,
        "style": "oil",
        "nsfw": [True, False, None][number % 3],
        "bytes": 1_000 + number,
        "cost_usd": 0.04,
    }
    return {**values, **changes}


ROWS = [row(number) for number in range(8)]


def reopen(
    folder: DatasetFolder,
    rows: Iterable[Row] = ROWS,
    names: Any = COLUMNS,
    csv_safe: bool = True,
    mark: object = None,
) -> None:
    given_rows = list(rows)
    manifest = Manifest.open(folder, names, lambda: iter(given_rows), csv_safe=csv_safe, mark=mark)
    manifest.close()


def jsonl(folder: DatasetFolder) -> list[dict[str, object]]:
    text = folder.manifest_jsonl.read_text("utf-8")
    assert text.splitlines() == text.split("\n")[:-1]
    return [json.loads(line) for line in text.splitlines()]


def table(folder: DatasetFolder) -> list[dict[str, str]]:
    with folder.manifest_csv.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value[:1] in FORMULAS:
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def both(folder: DatasetFolder) -> tuple[bytes, bytes]:
    return folder.manifest_jsonl.read_bytes(), folder.manifest_csv.read_bytes()


def test_the_columns_are_those_of_the_contract():
    assert ", ".join(columns(["style", "seed", "bytes"])) == (
        "file_name, prompt_id, prompt, negative_prompt, seed, aspect_ratio, style, image_index, "
        "nsfw, width, height, bytes, sha256, media_type, model, prediction_id, variant_key, "
        "created_at, submitted_at, completed_at, saved_at, queue_ms, inference_ms, total_ms, "
        "polls, attempts, cost_usd"
    )
    assert "style" not in columns()


def test_every_column_is_an_attribute_of_a_row_and_no_word_of_a_job():
    row = ImageRow(dict.fromkeys(columns()), Holdings(DatasetFolder(Path())))
    assert all(getattr(row, name) is None for name in columns())
    parameters = {"negative_prompt", "seed", "aspect_ratio", "model"}
    assert {*columns()} == MADE_COLUMNS | parameters


def test_rows_that_land_are_in_both_files_at_once(folder):
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(()))
    manifest.append(ROWS[:2])
    manifest.append(iter(ROWS[2:]))
    found = jsonl(folder)
    assert found == [{name: made.get(name) for name in COLUMNS} for made in ROWS]
    assert [list(line) for line in found] == [list(COLUMNS)] * len(ROWS)
    assert table(folder) == [{k: cell(v) for k, v in line.items()} for line in found]
    manifest.close()
    assert jsonl(folder) == found


def test_rows_appended_are_the_rows_a_later_start_expects(folder):
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(()))
    manifest.append(ROWS)
    manifest.close()
    streamed = both(folder)
    for path in (folder.manifest_jsonl, folder.manifest_csv):
        path.unlink()
    reopen(folder)
    assert both(folder) == streamed


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(texts, min_size=1, max_size=5))
def test_any_prompt_comes_back_from_both_files(tmp_path_factory, prompts):
    folder = DatasetFolder(tmp_path_factory.mktemp("any"))
    reopen(folder, [row(n, prompt=prompt) for n, prompt in enumerate(prompts)], csv_safe=False)
    assert [line["prompt"] for line in jsonl(folder)] == prompts
    assert [line["prompt"] for line in table(folder)] == prompts


@pytest.mark.parametrize("sign", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_has_an_apostrophe_in_the_table_alone(folder, sign):
    text = f"{sign}HYPERLINK(1)"
    made = row(0, prompt=text, style=sign, seed=-7, cost_usd=-0.5, prediction_id="a=b")
    reopen(folder, [made])
    (line,) = table(folder)
    assert (line["prompt"], line["style"]) == (f"'{text}", f"'{sign}")
    assert (line["seed"], line["cost_usd"], line["prediction_id"]) == ("-7", "-0.5", "a=b")
    assert jsonl(folder)[0]["prompt"] == text
    reopen(folder, [made], csv_safe=False)
    assert table(folder)[0]["prompt"] == text


def test_a_column_that_a_spreadsheet_would_run_has_an_apostrophe(folder):
    reopen(folder, names=columns(["=axis"]))
    assert "'=axis" in table(folder)[0]


def test_rows_appended_are_as_safe_as_those_of_the_start(folder):
    Manifest.open(folder, COLUMNS, lambda: iter(())).close()
    for safe in (True, False):
        manifest = Manifest.open(folder, COLUMNS, lambda: iter(()), csv_safe=safe)
        manifest.append([row(6)])
        manifest.close()
        assert is_exact(folder, COLUMNS, lambda: iter([row(6)]), csv_safe=safe)
        assert not is_exact(folder, COLUMNS, lambda: iter([row(6)]), csv_safe=not safe)


def test_an_empty_manifest_has_a_header_in_the_table_alone(folder):
    reopen(folder, [])
    assert both(folder) == (b"", (",".join(COLUMNS) + "\n").encode())


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda b: b[:-5],
    "torn at the line end": lambda b: b[:-1],
    "torn early": lambda b: b[: len(b) // 3],
    "torn in a character": lambda b: b[: b.index("日".encode()) + 1],
    "doubled at the end": lambda b: b + _lines(b)[-1],
    "doubled at the start": lambda b: b"".join([*_lines(b)[:2], *_lines(b)[1:]]),
    "missing at the end": lambda b: b"".join(_lines(b)[:-3]),
    "missing in the middle": lambda b: b"".join([*_lines(b)[:3], *_lines(b)[5:]]),
    "foreign in the middle": lambda b: b"".join([*_lines(b)[:4], b"x\n", *_lines(b)[4:]]),
    "foreign at the end": lambda b: b + b'{"file_name": "mine.png"}\n',
    "swapped": lambda b: b"".join([*_lines(b)[:2], *reversed(_lines(b)[2:])]),
    "edited": lambda b: b.replace(b"oil", b"ink"),
    "zeros": lambda b: b[:200] + bytes(len(b) - 200),
    "zeros behind": lambda b: b + bytes(4_096),
    "longer lines": lambda b: b.replace(b"\n", b"\r\n"),
    "empty": lambda b: b"",
}


@pytest.mark.parametrize("name", ["manifest_jsonl", "manifest_csv"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_mended(folder, damage, name):
    reopen(folder)
    right = both(folder)
    path = getattr(folder, name)
    path.write_bytes(damage(path.read_bytes()))
    assert both(folder) != right
    reopen(folder)
    assert both(folder) == right


@pytest.mark.parametrize("names", [["manifest_jsonl"], ["manifest_csv"], ["manifest_jsonl"] * 2])
def test_a_deleted_file_is_made_again(folder, names):
    reopen(folder)
    right = both(folder)
    for name in {*names}:
        getattr(folder, name).unlink()
    reopen(folder)
    assert both(folder) == right


def test_files_that_are_right_are_left_as_they_are(folder):
    reopen(folder)
    paths = (folder.manifest_jsonl, folder.manifest_csv)
    before = both(folder), [path.stat().st_ino for path in paths]
    with full_disk():  # not a byte could be written
        reopen(folder)
    assert (both(folder), [path.stat().st_ino for path in paths]) == before


def test_right_rows_at_the_start_are_not_written_again(folder):
    reopen(folder)
    right = both(folder)
    for path in (folder.manifest_jsonl, folder.manifest_csv):
        path.write_bytes(path.read_bytes()[:-3])
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(ROWS))
    assert both(folder) == right
    manifest.append([row(99)])
    manifest.close()
    assert [line["file_name"] for line in jsonl(folder)][-2:] == ["images/7.png", "images/99.png"]
    assert [line["file_name"] for line in table(folder)][-2:] == ["images/7.png", "images/99.png"]


def test_a_new_axis_gives_every_row_its_column(folder):
    reopen(folder, names=columns())
    assert "style" not in table(folder)[0]
    reopen(folder)
    assert [line["style"] for line in table(folder)] == ["oil"] * len(ROWS)
    assert [line["style"] for line in jsonl(folder)] == ["oil"] * len(ROWS)


@pytest.mark.parametrize("name", ["manifest_jsonl", "manifest_csv"])
def test_a_file_that_cannot_be_opened_is_a_storage_error_and_the_other_is_closed(folder, name):
    getattr(folder, name).mkdir()
    with pytest.raises(StorageError, match=f"^cannot write .*{name.replace('_', '.')}: Is a dir"):
        reopen(folder)


def test_rows_that_cannot_be_had_leave_no_file_open(folder):
    def broken() -> Iterable[Row]:
        yield ROWS[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Manifest.open(folder, COLUMNS, broken)


def test_a_full_disk_is_a_storage_error_at_the_start(folder):
    with full_disk(10), pytest.raises(StorageError, match=r"^cannot write "):
        reopen(folder)


def test_a_full_disk_is_a_storage_error_while_running_and_mended_later(folder):
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(ROWS[:2]))
    size = folder.manifest_jsonl.stat().st_size
    with full_disk(size + 10), pytest.raises(StorageError, match=r"^cannot write "):
        manifest.append(ROWS[2:])
    with pytest.raises(StorageError, match=r"^cannot write "):
        manifest.append([row(99)])  # it would stand behind half a row
    assert b"images/99" not in b"".join(both(folder))
    with pytest.raises(StorageError, match=r"^cannot write "):
        manifest.close()
    reopen(folder)
    assert [line["file_name"] for line in jsonl(folder)] == [made["file_name"] for made in ROWS]
