"""Prompts from Parquet files and from standard input."""

import io
import sys
from typing import Any

import pytest

from batchgen.errors import UsageError
from batchgen.job.load import load_job
from batchgen.job.texts import promptfiles

FILE = "name: k\nprompts: [{file: '%s'}]\nparams: {num_images: 1}\n"


@pytest.fixture
def typed(monkeypatch):
    """Put bytes on standard input."""

    def send(raw: bytes, *, terminal: bool = False) -> None:
        stream = io.TextIOWrapper(io.BytesIO(raw))
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
        monkeypatch.setattr(sys, "stdin", stream)

    return send


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("-", b"# pears\nA pear\n\nA plum\n"),
        ("-.txt", b"A pear\nA plum"),
        ("-.csv", b"text\nA pear\nA plum\n"),
        ("-.tsv", b"text\tid\nA pear\t\nA plum\t\n"),
        ("-.jsonl", b'{"text": "A pear"}\n{"prompt": "A plum"}\n'),
    ],
)
def test_prompts_may_come_from_standard_input(load, typed, name, raw):
    typed(raw)
    job = load(FILE % name)
    assert [prompt.text for prompt in job.prompts] == ["A pear", "A plum"]
    assert {prompt.place.file for prompt in job.prompts} == {"standard input"}


def test_a_terminal_and_too_much_of_standard_input_are_refused(refusals, typed, monkeypatch):
    typed(b"", terminal=True)
    assert refusals(FILE % "-") == [
        "job.yaml:2:18: expected prompts on standard input, got a terminal; send a file there"
    ]
    monkeypatch.setattr(promptfiles, "MAX_FILE_BYTES", 1 << 20)
    typed(b"x" * ((1 << 20) + 1))
    assert refusals(FILE % "-") == ["job.yaml:2:18: expected at most 1 MiB on standard input"]
    typed(b"text,seed\na,x\n")
    assert refusals(FILE % "-.csv")[0].startswith("standard input:2:1: expected a whole number")


def parquet(path: str, **columns: Any) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path)


def test_columns_of_a_parquet_file_become_fields(load, tmp_path):
    parquet(
        f"{tmp_path}/p.parquet",
        id=[1, 2],
        text=["A pear", "A {kind} plum"],
        seed=[7, None],
        kind=[None, "blue"],
    )
    job = load(FILE % "p.parquet")
    assert [prompt.id for prompt in job.prompts] == ["1", "2"]
    first, second = (dict(variant.request) for variant in job.variants)
    assert first == {"prompt": "A pear", "seed": 7, "num_images": 1}
    assert second["prompt"] == "A blue plum"
    assert job.variants[1].labels == {"kind": "blue"}


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"words": ["a"]}, "p.parquet:1:1: expected a column called text or prompt, got the text "),
        ({"text": ["a", "b"], "seed": [1, -5]}, "p.parquet:2:1: expected a whole number from -1"),
        ({"text": [b"a"]}, "p.parquet:1:1: expected a text, a number, true or false in text, got"),
        ({"text": ["a"], "n": [float("nan")]}, "p.parquet:1:1: expected a text, a number, true or"),
        ({"text": ["a"], "n": [float("inf")]}, "p.parquet:1:1: expected a text, a number, true or"),
        ({"text": ["a"], "n": [[b"x"]]}, "p.parquet:1:1: expected a text, a number, true or false"),
    ],
)
def test_a_wrong_row_of_a_parquet_file_is_said_with_its_number(
    refusals, tmp_path, columns, problem
):
    parquet(f"{tmp_path}/p.parquet", **columns)
    (found,) = refusals(FILE % "p.parquet")
    assert found.startswith(problem)


def test_what_is_no_parquet_file_is_refused(refusals):
    pytest.importorskip("pyarrow")
    (found,) = refusals(FILE % "p.parquet", p_parquet="PAR1 and more")
    assert found.startswith("job.yaml:2:18: cannot read the prompt file p.parquet: ")


def test_without_pyarrow_a_parquet_file_is_refused_in_words(refusals, monkeypatch, tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (found,) = refusals(FILE % "p.parquet")
    assert found.endswith(
        "p.parquet needs pyarrow, which is not installed; run pip install 'batchgen[parquet]'"
    )


def test_no_standard_input_is_as_a_terminal(tmp_path, monkeypatch):
    (tmp_path / "job.yaml").write_text(FILE % "-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="got a terminal"):
        load_job(tmp_path / "job.yaml")
