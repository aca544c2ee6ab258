"""What goes to the screen is on one line, shows as itself, and holds no key."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.api.key import ApiKey
from batchgen.cli.screen import MAX_LINE, fitted, tell_problem
from batchgen.errors import Problem
from batchgen.text import aligned, plain
from tests.support.cli import KEY, ROOT, environment

CLI = ROOT / "batchgen" / "cli"
PRINTERS = {"echo", "secho", "write", "print", "print_exc", "print_exception", "show"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;mine\x07", r"\x1b[2J\x1b]0;mine\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("50 %\rbatchgen: ok", r"50 %\x0dbatchgen: ok"),
        ("no\nbatchgen: ok\x85\u2028\u2029", r"no\x0abatchgen: ok\x85\u2028\u2029"),
        ("a\tb\x00\x7f", r"a\x09b\x00\x7f"),
        ("gnp.\u202etxt", r"gnp.\u202etxt"),
        ("\u2066\u2069\u200e\u200f\u061c", r"\u2066\u2069\u200e\u200f\u061c"),
        ("a\u200bb\u00ad\u2060\ufeff", r"a\u200bb\xad\u2060\ufeff"),
        ("hid\U000e0041den", r"hid\U000e0041den"),
        ("half \ud83d", r"half \ud83d"),
        ("a\u200db", r"a\u200db"),
    ],
)
def test_what_could_fool_a_terminal_is_shown_by_its_code(text, shown):
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    ["é e\u0301 ñ", "日本のキッチン", "مرحبا שלום", "🫖 👩‍🍳 ❤️‍🔥 🏳️‍🌈", "a × b … “c”", r"\x1b"],
)
def test_ordinary_text_of_any_language_stays_as_it_is(text):
    assert plain(text) == text


@given(st.text())
def test_any_text_is_one_line_that_can_be_written(text):
    shown = plain(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert plain(shown) == shown


@given(st.text())
def test_any_text_can_be_made_one_line_of_the_same_length(text):
    shown = aligned(text)
    assert len(shown) == len(text)
    assert plain(shown.replace("\t", " ")) == shown.replace("\t", " ")


def test_a_long_line_is_cut_and_says_how_much_is_left_out():
    assert fitted("x" * MAX_LINE) == "x" * MAX_LINE
    assert fitted("x" * (MAX_LINE + 1_234)) == "x" * MAX_LINE + "… (1,234 characters more)"


def test_the_key_is_hidden_before_a_line_is_cut():
    key = ApiKey("screen-test-0123456789")
    line = fitted("x" * (MAX_LINE - 5) + "screen-test-0123456789")
    assert line == "x" * (MAX_LINE - 5) + str(key)


def test_a_mistake_keeps_its_layout_and_nothing_else_makes_lines(capsys):
    problem = Problem(
        file="a\nb.yaml", line=3, column=4, message="got \x1b[1m\nok", source="\tx\u202ey: 1"
    )
    tell_problem(problem, "warning: ")
    assert capsys.readouterr().err.splitlines() == [
        r"warning: a\x0ab.yaml:3:4: got \x1b[1m\x0aok",
        r"     x\u202ey: 1",
        "       ^",
    ]


def test_a_key_is_hidden_before_a_part_of_its_line_is_shown(capsys):
    key = "screen-test-9876543210"
    ApiKey(key)
    for column in range(1, 160):
        source = f"a: {'x' * 90}{key}{'y' * 90}"
        tell_problem(Problem(file="j", line=1, column=column, message="no", source=source))
        shown = capsys.readouterr().err
        assert not any(key[at : at + 4] in shown for at in range(len(key) - 3))
        assert shown.splitlines()[2].index("^") == min(column, 41) + 3


HOOKS = """
import sys, threading
from batchgen.api.key import ApiKey
from batchgen.cli.screen import guard_tracebacks

class Falling:
    def __del__(self): raise KeyError(KEY)

KEY = sys.argv[1]
ApiKey(KEY)
guard_tracebacks()
Falling()
thread = threading.Thread(target=lambda: {}["\\x1b in a thread: " + KEY])
thread.start()
thread.join()
raise ValueError("in main: " + KEY) from KeyError(KEY)
"""


def test_tracebacks_of_pythons_own_hold_no_key_wherever_they_come_from(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HOOKS, KEY],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 3
    assert done.stderr.count("KeyError: '***'") == 2
    assert r"KeyError: '\x1b in a thread: ***'" in done.stderr
    assert done.stderr.splitlines()[-1] == "ValueError: in main: ***"
    assert KEY not in done.stderr


def test_output_that_is_only_ascii_gets_codes_for_the_rest(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "batchgen", "models"],
        env=environment(tmp_path, PYTHONIOENCODING="ascii"),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"1408 \xd7 768 pixels" in done.stdout


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.name)
def test_only_the_screen_prints(path: Path):
    calls = [
        node.func
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]
    printing = [
        ast.unparse(call)
        for call in calls
        if (isinstance(call, ast.Attribute) and call.attr in PRINTERS)
        or (isinstance(call, ast.Name) and call.id == "print")
    ]
    allowed = {
        "screen.py": {"click.echo", "tqdm.write"},
        "init.py": {"file.write"},
        "progress.py": {"self.write"},  # by way of the screen
    }
    assert set(printing) <= allowed.get(path.name, set())
