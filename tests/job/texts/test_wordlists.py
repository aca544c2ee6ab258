"""Word lists beside the job file: which lines count, globs, lists in lists, what is refused."""

import os
from pathlib import Path

import pytest

from batchgen.job.texts.choices import stream
from batchgen.job.texts.wildcards import WildcardError, parse
from batchgen.job.texts.wordlists import MAX_LINES, WordLists


def _write(folder: Path, **files: str) -> WordLists:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return WordLists(folder)


def _expand(text: str, lists: WordLists) -> list[str]:
    tree = parse(text, lists.find)
    return [tree.nth(index) for index in range(tree.count())]


def _refused(text: str, lists: WordLists) -> str:
    with pytest.raises(WildcardError) as caught:
        parse("see " + text, lists.find)
    assert caught.value.offset == 4
    return str(caught.value)


def test_a_line_each_without_comments_and_empty_lines(tmp_path: Path):
    lists = _write(tmp_path, col="\ufeff# colours\n red \r\n\r\n3::blue\ndark {a|b}\n#x\nTüte|x")
    assert _expand("__col__", lists) == ["red", "blue", "dark a", "dark b", "Tüte|x"]
    assert lists.find("col").weights == (10**6, 4 * 10**6, 5 * 10**6, 6 * 10**6)
    assert lists.find("col") is lists.find("col")


def test_a_glob_stands_for_the_lines_of_all_files_in_order(tmp_path: Path):
    (tmp_path / "f").mkdir()
    lists = _write(tmp_path / "f", nb="3", na="1\n2", x="9")
    lists = WordLists(tmp_path)
    assert _expand("__f/n*__", lists) == ["1", "2", "3"]
    assert _expand("__*/?__", lists) == ["9"]
    assert _expand("{2$$__f/n*__}", lists) == ["1, 2", "1, 3", "2, 3"]


def test_lists_may_nest_ten_deep(tmp_path: Path):
    chain = {f"n{i}": f"{i}__n{i + 1}__" for i in range(1, 11)}
    lists = _write(tmp_path, n0="__n1__", **chain, n11="x")
    message = _refused("__n1__", lists)
    assert "expected word lists at most 10 deep" in message
    assert message.startswith("n1.txt:1: n2.txt:1:")
    assert _expand("__n2__", lists) == ["2345678910x"]  # ten files, now known
    assert "10 deep" in _refused("__n1__", lists)
    assert "10 deep" in _refused("__n0__", lists)


def test_what_nests_deepest_is_still_expanded(tmp_path: Path):
    def line(inside: str) -> str:
        return "{1-2$$" * 20 + inside + "|b}" * 20

    files = {f"n{i}": line(f"__n{i + 1}__") for i in range(9)}
    lists = _write(tmp_path, **files, n9=line("x"))
    tree = parse(line("__n0__"), lists.find)
    assert [tree.nth(0)[0], tree.nth(tree.count() - 1)[0]] == ["x", "x"]
    assert all(tree.draw(stream(1, "p", draw)) for draw in range(10))


def test_lists_in_a_circle_are_refused(tmp_path: Path):
    lists = _write(tmp_path, a="x\n__b__", b="{y|__c__}", c="__a__", own="__ow*__")
    for _ in range(2):
        assert "in a circle: a.txt -> b.txt -> c.txt -> a.txt" in _refused("__a__", lists)
    assert "own.txt -> own.txt" in _refused("__own__", lists)
    assert _expand("__d__", _write(tmp_path, d="z")) == ["z"]


def test_a_list_that_is_not_there_is_told_with_the_nearest_name(tmp_path: Path):
    (tmp_path / "paint").mkdir()
    _write(tmp_path / "paint", colours="x")
    lists = _write(tmp_path, animals="x")
    assert _refused("__animal__", lists).endswith("no such file; did you mean 'animals'?")
    assert _refused("__paint/colors__", lists).endswith("did you mean 'paint/colours'?")
    assert _refused("__zzz*__", lists).endswith("zzz*.txt, but there is no such file")
    assert "no such file" in _refused("__no/such/folder__", lists)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../x", "a..b", "a//b", "**/x", "a/", "é" * 101]
)
def test_a_name_outside_the_folder_is_refused(tmp_path: Path, name):
    folder = tmp_path / "job"
    folder.mkdir()
    _write(tmp_path, x="secret")
    assert "in the folder of the job file" in _refused(f"__{name}__", WordLists(folder))


def test_a_file_that_is_no_list_of_words_is_refused(tmp_path: Path):
    lists = _write(tmp_path, empty="\n# x\n", zero="a\0b", bad="a\n\n{b|c")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    (tmp_path / "latin.txt").write_bytes(b"a\n\xff")
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(2**24 + 1)
    for name, message in {
        "empty": "expected words in",
        "zero": "a zero byte",
        "bad": "bad.txt:3: expected a } for this {",
        "pipe": "not a regular file",
        "folder": "that is a folder",
        "device": "not a regular file",
        "latin": "latin.txt:2:1: expected UTF-8 text",
        "large": "at most 16 MiB",
    }.items():
        assert message in _refused(f"__{name}__", lists)


@pytest.mark.timeout(20)
def test_a_hundred_thousand_lines_are_the_most(tmp_path: Path):
    lines = "".join(f"word {i}\n" for i in range(MAX_LINES))
    lists = _write(tmp_path, most=lines, more=lines + "x", one="x")
    tree = parse("{2$$__most__}", lists.find)
    assert tree.count() == MAX_LINES * (MAX_LINES - 1) // 2
    assert tree.nth(tree.count() - 1) == "word 99998, word 99999"
    assert "at most 100,000 lines, got 100,001" in _refused("__more__", lists)
    (tmp_path / "moist.txt").write_text("x")
    assert "at most 100,000 lines for" in _refused("__mo*st__", lists)


def test_lists_that_swell_beyond_all_measure_are_refused_at_once(tmp_path: Path):
    files = {f"n{i}": f"__n{i + 1}__" * 1000 for i in range(9)}
    assert "more than 1,000,000 characters" in _refused(
        "__n0__", _write(tmp_path, **files, n9="{|}")
    )
