"""The rooms import only downwards, without cycles, and stay small enough to read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchgen.cli import commands

PACKAGE = Path(__file__).parents[1] / "batchgen"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Which rooms, or which modules of a room, each room may import besides itself and what is for all.
FOR_ALL = {"errors", "text", "threads"}
ALLOWED: dict[str, set[str]] = {
    **{name: set() for name in FOR_ALL},
    "job": set(),
    "api": {"job"},
    "ledger": set(),
    "dataset": set(),
    "report": {"dataset"},
    "local": {"job.models", "job.tiers", "api.wire"},
    "run": {"job", "api", "ledger", "dataset", "local"},
    "cluster": {"job", "run"},
    "cli": {"job", "api", "ledger", "dataset", "report", "local", "run", "cluster"},
    "__main__": {"cli"},
    "__init__": {"job", "dataset", "run"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imported(path: Path) -> Iterator[str]:
    """The modules of ours that *path* imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("batchgen"):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in KNOWN else str(node.module)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("batchgen"))


KNOWN = {name_of(path) for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_rooms_above_its_own(path: Path):
    room = name_of(path).split(".")[1]
    for target in imported(path):
        inside = target.removeprefix("batchgen").lstrip(".")
        if inside in {"", *FOR_ALL} or inside.split(".")[0] == room:
            continue
        allowed = {inside, inside.split(".")[0]} & ALLOWED[room]
        assert allowed, f"{name_of(path)} may not import {target}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {name_of(path): set(imported(path)) for path in MODULES}
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert not graph, f"a circle among {sorted(graph)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_short(path: Path):
    text = path.read_text("utf-8")
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


FOLDERED = ["dataset", "job", "run"]
"""Rooms with folders, which the docstring of the room lists in their order."""
ROOMS = sorted(
    path.parent
    for pattern in ("*", *(f"{room}/*" for room in FOLDERED))
    for path in PACKAGE.glob(f"{pattern}/__init__.py")
)


def said_of(room: Path) -> str:
    return ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""


@pytest.mark.parametrize("room", FOLDERED)
def test_folders_of_a_room_import_only_from_those_that_it_names_before_them(room: str):
    order = re.findall(r"^\* ``(\w+)``", said_of(PACKAGE / room), re.MULTILINE)
    assert {path.parent.name for path in PACKAGE.glob(f"{room}/*/__init__.py")} == {*order}
    for path in PACKAGE.glob(f"{room}/*/*.py"):
        inside = {t.split(".")[2] for t in imported(path) if t.startswith(f"batchgen.{room}.")}
        below = order[order.index(path.parent.name) + 1 :]
        assert not inside & {*below}, f"what {name_of(path)} may not import"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_each_of_its_modules_is_for(room: Path):
    said = said_of(room)
    inside = {path.stem for path in room.iterdir() if path.suffix == ".py"} - {"__init__"}
    if room.name == "cli":  # where a module is a command, or helps to speak
        inside -= set(commands.commands)
    assert not {name for name in inside if f"``{name}``" not in said}
