"""Prompts from the job file and from files beside it: what becomes of them, what is refused."""

import os

import pytest

from batchgen.job.load import Job
from batchgen.job.source.document import MAX_PROBLEMS
from batchgen.job.texts import promptfiles

FILE = "name: k\nprompts:\n  - file: {}\n"
HAS = "it has negative_prompt, aspect_ratio, num_images, seed"
SEED = "expected a whole number from -1 to 2147483647"
NO_TEXT = "expected a text, got nothing"


def texts(job: Job) -> list[str]:
    return [prompt.text for prompt in job.prompts]


def requests(job: Job) -> list[dict[str, object]]:
    return [dict(variant.request) for variant in job.variants]


def test_a_text_file_gives_a_prompt_for_each_line(load):
    job = load(FILE.format("p.txt"), p_txt="# about cups\n\n  A cup  \n#x\nA # b, c\r\n\u2028\nD")
    assert texts(job) == ["A cup", "A # b, c", "D"]
    assert [(p.place.file, p.place.line) for p in job.prompts] == [
        ("p.txt", 3),
        ("p.txt", 5),
        ("p.txt", 7),
    ]


def test_a_byte_order_mark_is_no_part_of_a_prompt(load):
    assert texts(load(FILE.format("p.txt"), p_txt=b"\xef\xbb\xbfA cup\n")) == ["A cup"]


def test_an_ending_may_be_in_capitals(load, tmp_path):
    (tmp_path / "P.TXT").write_text("A cup\n")
    assert texts(load(FILE.format("P.TXT"))) == ["A cup"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_columns_of_a_table_become_fields(load, end):
    rows = [
        "id,text,seed,aspect_ratio,negative_prompt",
        "a,A cup,7,16:9,null",
        '"b","A, ""big"" cup",0..2,,',
        "",
        "c,A box",
    ]
    job = load(FILE.format("p.csv") + "matrix: {seed: [9]}\n", p_csv=end.join(rows))
    assert [p.id for p in job.prompts] == ["a", "b", "c"]
    assert requests(job) == [
        {"prompt": "A cup", "seed": 7, "aspect_ratio": "16:9", "negative_prompt": "null"},
        {"prompt": 'A, "big" cup', "seed": 0},
        {"prompt": 'A, "big" cup', "seed": 1},
        {"prompt": 'A, "big" cup', "seed": 2},
        {"prompt": "A box", "seed": 9},
    ]


def test_a_quoted_cell_keeps_its_lines_and_the_rows_their_places(load, refusals):
    table = 'text,seed\n"two\nlines",1\nb,-5\n'
    assert refusals(FILE.format("p.csv"), p_csv=table) == [
        "p.csv:4:1: expected a whole number from -1 to 2147483647, got the number -5"
    ]
    assert texts(load(FILE.format("p.csv"), p_csv=table[:-5]))[0] == "two\nlines"


def test_a_table_may_have_tabs_and_call_its_column_prompt(load):
    job = load(FILE.format("p.tsv"), p_tsv="prompt\tnum_images\nA cup, blue\t2\n")
    assert requests(job)[0].items() >= {"prompt": "A cup, blue", "num_images": 2}.items()


def test_a_cell_of_200_000_characters_is_read(load):
    assert texts(load(FILE.format("p.csv"), p_csv=f"text\n{'x' * 200_000}\n")) == ["x" * 200_000]


def test_objects_by_line_become_fields(load):
    lines = (
        '{"text": "a\u2028b\x85c", "seed": [1, 2]}\n\n'
        '{"prompt": "D", "id": 7, "seed": {"start": 5, "count": 1}, "negative_prompt": null}\r\n'
        '{"text": "E", "seed": "8..8", "negative_prompt": ""}'
    )
    job = load(FILE.format("p.jsonl"), p_jsonl=lines)
    assert job.prompts[1].id == "7"
    assert requests(job) == [
        {"prompt": "a\u2028b\x85c", "seed": 1},
        {"prompt": "a\u2028b\x85c", "seed": 2},
        {"prompt": "D", "seed": 5},
        {"prompt": "E", "seed": 8, "negative_prompt": ""},
    ]


def test_parameters_beside_a_file_hold_for_the_rows_without_them(load):
    text = "name: k\nprompts:\n  - {file: p.csv, num_images: 3, seed: [1, 2]}\n"
    job = load(text, p_csv="text,seed\na,9\nb,\n")
    assert requests(job) == [
        {"prompt": "a", "num_images": 3, "seed": 9},
        {"prompt": "b", "num_images": 3, "seed": 1},
        {"prompt": "b", "num_images": 3, "seed": 2},
    ]


@pytest.mark.parametrize(
    ("name", "content", "problems"),
    [
        ("p.csv", "", ["1:1: expected a first line with a column called text or prompt"]),
        ("p.csv", "words\na\n", ["1:1: expected a first line with a column called text or prompt"]),
        ("p.csv", "text, text\na,b\n", ["1:1: expected every column to have a name of its own"]),
        (
            "p.csv",
            "text\na, b, c\n",
            ["2:1: expected 1 column, got 3; a text with a comma needs quotes"],
        ),
        (
            "p.tsv",
            "text\tseed\na\t1\t2\n",
            ["2:1: expected 2 columns, got 3; a text with a tab needs quotes"],
        ),
        ("p.csv", 'text\n"a\nb\n', ["2:1: expected a table: a quote in this row is never closed"]),
        ("p.csv", 'text\n"a"b\n', ["2:1: expected a table: ',' expected after '\"'"]),
        (
            "p.csv",
            "text,notes\na,b\nc,d\n",
            [f"2:1: wavespeed-ai/imagen4 has no parameter 'notes'; {HAS}"],
        ),
        ("p.csv", "text,prompt\na,b\n", ["2:1: expected either text or prompt, got both"]),
        ("p.csv", "text,seed\n,5\n  ,6\n", [f"2:1: {NO_TEXT}", "3:1: expected a text that is "]),
        ("p.csv", "text,id\na,1\nb,1\n", ["3:1: the id '1' was given before, at p.csv:2"]),
        (
            "p.csv",
            f"text,id\na,{'x' * 101}\n",
            ["2:1: expected an id of 1 to 100 characters, got 101"],
        ),
        ("p.csv", "text,id\na,\x1b[2J\n", ["2:1: expected an id of visible characters"]),
        (
            "p.csv",
            f"text,seed\na,{'9' * 20}\n",
            [f"2:1: {SEED}, got the text '99999999999999999999'"],
        ),
        ("p.jsonl", "[1]\n", ["1:1: expected a JSON object, got a list"]),
        ("p.jsonl", "\n{'a'}\n", ["2:1: expected valid JSON: Expecting property name"]),
        (
            "p.jsonl",
            '{"text": "a", "seed": NaN}\n',
            ["1:1: expected valid JSON: NaN, or a number that is too large"],
        ),
        (
            "p.jsonl",
            '{"text": "a", "seed": 1e999}\n',
            ["1:1: expected valid JSON: NaN, or a number that is too large"],
        ),
        (
            "p.jsonl",
            '{"text": "a", "seed": ' + "9" * 5000 + "}\n",
            ["1:1: expected valid JSON: a number of more than 19 digits"],
        ),
        ("p.jsonl", "[" * 100_000, ["1:1: expected valid JSON: too deeply nested"]),
        (
            "p.jsonl",
            '{"text": "\\ud800"}\n',
            ["1:1: expected valid JSON: half of a surrogate pair in a text"],
        ),
        (
            "p.jsonl",
            '{"text": {}}\n{"seed": 1}\n{"text": null}',
            ["1:1: expected a text, got a mapping", f"2:1: {NO_TEXT}", f"3:1: {NO_TEXT}"],
        ),
        (
            "p.jsonl",
            '{"text": "a", "id": ["x"]}\n{"text": "a", "id": ""}\n{"text": "a", "id": true}\n',
            [
                "1:1: expected an id as a text, got a list",
                "2:1: expected an id of 1 to 100 characters, got 0",
                "3:1: expected an id as a text, got true",
            ],
        ),
        (
            "p.txt",
            b"a\nb \xff\n",
            ["2:3: expected UTF-8 text, got the byte 0xff; save it as UTF-8"],
        ),
    ],
)
def test_a_wrong_row_is_said_with_its_place(refusals, name, content, problems):
    found = refusals(FILE.format(name), **{name.replace(".", "_"): content})
    assert len(found) == len(problems)
    for said, problem in zip(found, problems, strict=True):
        assert said.startswith(f"{name}:{problem}")


def test_a_file_with_a_mistake_in_every_row_is_not_read_to_its_end(refusals):
    found = refusals(FILE.format("p.csv"), p_csv="text,seed\n" + "a,x\n" * 1000)
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == "p.csv:21:1: too many mistakes; nothing more was read"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{file: no.txt}", "3:12: expected a prompt file at no.txt, but there is no such file"),
        (
            "{file: p.pdf}",
            "3:12: expected a prompt file ending in .txt, .csv, .tsv, .jsonl, .parquet, got p.pdf",
        ),
        (
            "{file: dir.txt}",
            "3:12: expected a prompt file at dir.txt, but that is a folder",
        ),
        (
            "{file: pipe.txt}",
            "3:12: expected a prompt file at pipe.txt, but that is not a regular file",
        ),
        (
            '{file: "\\e[2J\\0.txt"}',
            "3:12: cannot read a prompt file at \ufffd[2J\ufffd.txt: embedded null byte",
        ),
        ("{file: 7}", "3:12: expected a text, got the number 7; put it in quotes"),
        ("{file: p.txt, text: b, id: c}", "3:28: expected either file or id, got both"),
        (
            "{file: empty.txt, sed: 1}",
            "3:3: expected at least one prompt, got files without any",
        ),
        ("{file: p.txt, seed: x}", "3:25: expected a whole number from -1 to 2147483647, got "),
        ("{file: p.txt, sed: 1}", "3:19: wavespeed-ai/imagen4 has no parameter 'sed'; did you "),
        ("{text: a, sed: 1}", "3:15: wavespeed-ai/imagen4 has no parameter 'sed'; did you "),
        ("{text: a, prompt: b}", "3:15: expected either text or prompt, got both"),
        ("{id: a, txt: x}", "3:5: expected the key 'text', got none; is it called 'txt'?"),
        ("{id: 7, text: a}", "3:10: expected a text, got the number 7; put it in quotes"),
        ('{id: "", text: a}', "3:10: expected a text, got an empty one"),
        ('{id: "a\\tb", text: a}', "3:10: expected an id of visible characters"),
        ("{text: 7}", "3:12: expected a text, got the number 7; put it in quotes"),
        ('{text: ""}', "3:12: expected a text that is not empty"),
        ("{text: a, seed: [1, x]}", "3:21: expected a whole number from -1 to 2147483647, got "),
    ],
)
def test_a_wrong_entry_is_said_with_its_place(refusals, tmp_path, entry, problem):
    (tmp_path / "dir.txt").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    os.mkfifo(tmp_path / "pipe.txt")
    (found,) = refusals(f"name: k\nprompts:\n  - {entry}\n", p_txt="a\n")
    assert found.startswith(f"job.yaml:{problem}")


def test_a_prompt_file_of_more_than_its_limit_is_refused(refusals, monkeypatch):
    monkeypatch.setattr(promptfiles, "MAX_FILE_BYTES", 1024 * 1024)
    (found,) = refusals(FILE.format("p.txt"), p_txt="x" * (1024 * 1024 + 1))
    assert found == "job.yaml:3:11: expected a prompt file of at most 1 MiB at p.txt"


def test_an_id_given_twice_is_refused_with_the_first_place(refusals):
    text = "name: k\nprompts:\n  - {id: a, text: b}\n  - {file: p.csv}\n"
    assert refusals(text, p_csv="id,text\na,c\n") == [
        "p.csv:2:1: the id 'a' was given before, at job.yaml:3"
    ]


def test_an_id_is_made_of_the_words_and_the_content(load):
    job = load(
        "name: k\nprompts: [Ein Töpfchen – of 3 blue flowers and more, 日本語, "
        "{text: A cup, seed: 1}, {text: A cup, seed: 2}]\n"
    )
    made = [p.id for p in job.prompts]
    assert made[0].startswith("ein-topfchen-of-3-blue-flowers-")
    assert len(made[1]) == 6
    assert made[2][:6] == made[3][:6] == "a-cup-"
    assert len(set(made)) == 4
    assert made == [p.id for p in load((job.file).read_text()).prompts]
