"""Put one small mistake after the other into modules, and show those that no test notices.

    python -m tests.mutants batchgen/api/retry.py tests/api/test_retry.py
    python -m tests.mutants --sample 150 batchgen/ledger/*.py tests/ledger

For every mistake a process is forked that imports the module with it and runs the tests, up to the
first one that fails. Commands that tests start as processes of their own do not have the mistakes.
"""

import argparse
import ast
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

OPTIONS = ["-x", "-n0", "--no-cov", "-Wignore::pytest.PytestAssertRewriteWarning"]
SECONDS = 120.0  # for all tests of one mistake

PAIRS = [
    *((ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn), (ast.Lt, ast.LtE)),
    *((ast.Gt, ast.GtE), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv)),
    *((ast.LShift, ast.RShift), (ast.BitAnd, ast.BitOr), (ast.Continue, ast.Break)),
    *((ast.Mod, ast.FloorDiv), (ast.Div, ast.Mult), (ast.BitXor, ast.BitAnd), (ast.Pow, ast.Mult)),
]
OTHER: dict[type[ast.AST], type[ast.AST]] = {b: a for a, b in PAIRS} | dict(PAIRS)
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
SQL = {"AND": "OR", "OR": "AND", "NOT ": "", ">= ": "> ", "> ": ">= ", "<>": "=", "DESC": "ASC"}
IS_SQL = re.compile(r"\b(SELECT|WHERE|UPDATE|AND|IN)\b")
SQL_WORD = re.compile("|".join(rf"(?<!\w){re.escape(word)}" for word in SQL))
TYPES = {"annotation", "returns", "decorator_list"}


def mistakes(node: ast.AST) -> Iterator[str]:
    """Make every mistake in turn and say which: the tree has it until the next one is asked for."""
    for name, value in ast.iter_fields(node):
        slots = value if isinstance(value, list) else [value]
        for place, old in enumerate(slots):
            if name in TYPES or not isinstance(old, ast.AST):
                continue
            if isinstance(old, ast.Expr) and isinstance(old.value, ast.Constant):
                continue  # a docstring
            for new in (*_other(old, node, name), *_without(old)):
                said = f"{getattr(old, 'lineno', getattr(node, 'lineno', 0))}: {_shown(old, node)}"
                ast.fix_missing_locations(ast.copy_location(new, old))
                slots[place] = new
                setattr(node, name, value if isinstance(value, list) else new)
                yield f"{said}  →  {_shown(new, node)}"
                slots[place] = old
                setattr(node, name, value if isinstance(value, list) else old)
            if not isinstance(old, ast.Raise):  # what errors say is prose
                yield from mistakes(old)


def _other(old: Any, parent: ast.AST, name: str) -> Iterator[ast.AST]:
    """What else may stand in the place of *old*, the field *name* of *parent*."""
    if type(old) in OTHER:
        yield OTHER[type(old)]()
    if name in {"test", "ifs"} and not isinstance(old, ast.UnaryOp | ast.Compare):
        yield ast.UnaryOp(ast.Not(), old)
    match old:
        case ast.Constant(str(text)) if IS_SQL.search(text):
            for word in SQL_WORD.finditer(text):
                yield ast.Constant(text[: word.start()] + SQL[word[0]] + text[word.end() :])
        case ast.Constant(str(text)) if not isinstance(parent, ast.JoinedStr):
            yield ast.Constant(f"{text}x")  # the words of an f-string are prose
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Name(word) if word in NAMES:
            yield ast.Name(NAMES[word], ctx=ast.Load())


def _without(old: ast.AST) -> Iterator[ast.AST]:
    """What is left when *old*, or a part of it, is forgotten."""
    match old:
        case ast.UnaryOp(operand=inner):
            yield inner
        case ast.Raise() | ast.AugAssign() | ast.Expr() | ast.Assign([ast.Attribute()]):
            yield ast.Pass()
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.ExceptHandler(kind, name, [first, *_]) if not isinstance(first, ast.Raise):
            yield ast.ExceptHandler(kind, name, [ast.Raise()])
        case ast.Call(func, args, keywords):
            for place in range(len(keywords)):
                yield ast.Call(func, args, keywords[:place] + keywords[place + 1 :])
        case ast.Set(items):
            yield from (ast.Set(items[:n] + items[n + 1 :]) for n in range(len(items)))


def _shown(node: ast.AST, parent: ast.AST) -> str:
    whole = isinstance(node, ast.expr | ast.stmt | ast.excepthandler)
    return " ".join(ast.unparse(node if whole else parent).split())[:100]


def noticed(path: Path, tree: ast.Module, tests: list[str]) -> bool:
    """Whether one of *tests* fails, or takes too long, when the module at *path* is *tree*."""
    if pid := os.fork():
        end, ended, status = time.monotonic() + SECONDS, 0, 1
        while not ended and time.monotonic() < end:
            ended, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return status != 0 if ended else bool(os.waitpid(pid, 0))
    os.setsid()
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    code, right = compile(tree, str(path), "exec"), SourceFileLoader.get_code

    def get_code(loader: Any, name: str) -> Any:
        return code if Path(loader.path) == path else right(loader, name)

    SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]
    os._exit(min(1, pytest.main([*OPTIONS, *tests])))


def main() -> None:
    """Show what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("paths", nargs="+", help="modules of batchgen, and the tests for them")
    parser.add_argument("--sample", type=int, help="so many mistakes only, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    phases = [Phase.explicit, Phase.generate]  # what fails is not made small
    settings.register_profile("mutants", database=None, derandomize=True, phases=phases)
    settings.load_profile("mutants")
    tests = [path for path in given.paths if not path.startswith("batchgen")]
    modules = [path for path in given.paths if path not in tests]
    trees = {path: ast.parse(Path(path).read_text("utf-8")) for path in modules}
    every = [(path, n) for path, tree in trees.items() for n, _ in enumerate(mistakes(tree))]
    chosen = random.Random(given.seed).sample(every, min(len(every), given.sample or len(every)))
    if noticed(Path(modules[0]).resolve(), trees[modules[0]], tests):
        sys.exit("the tests fail, or take too long, without any mistake")
    caught = 0
    for path, tree in trees.items():
        for n, said in enumerate(mistakes(tree)):
            if (path, n) in chosen and noticed(Path(path).resolve(), tree, tests):
                caught += 1
            elif (path, n) in chosen:
                sys.stdout.write(f"{path}:{said}\n")
    sys.stdout.write(f"{caught} of {len(chosen)} mistakes are noticed\n")


if __name__ == "__main__":
    main()
