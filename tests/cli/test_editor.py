"""What an editor makes of the schema: with the real YAML language server, where it is installed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import run_batchgen
from tests.support.languageserver import LanguageServer, language_server

PROGRAM = shutil.which("yaml-language-server")
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="needs Node.js and: npm install -g yaml-language-server"
)
MODELINE = "# yaml-language-server: $schema=batchgen.schema.json\n"
RIGHT = """\
name: kitchen
prompts:
  - A pear
  - id: plum
    text: A plum
    seed: [1, 2]
  - file: prompts.txt
  - {id: door, text: "A {red|blue} door", sample: 2}
matrix:
  seed: "0..9"
  aspect_ratio: [1:1, 16:9]
  look: [{name: ink, style: ink wash, params: {num_images: 2}}, {name: oil}]
run:
  rate: 60
vars: {style: ink}
zip: {light: [dawn, dusk], mood: [calm, wild]}
exclude: [{prompt: plum, light: dusk}]
set: [{when: {light: dawn}, then: {num_images: 2}}]
add: [{text: A fig, seed: 5}]
repeat: 2
"""
WRONG = """\
name: Kitchen!
service: here
prompts: []
matrix: {seed: 7}
run: {concurency: 3, budget: lots}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("editor")
    assert run_batchgen("init", cwd=made).returncode == 0
    (made / "right.yaml").write_text(f"{MODELINE}{RIGHT}\n", "utf-8")
    (made / "wrong.yaml").write_text(MODELINE + WRONG, "utf-8")
    (made / "begun.yaml").write_text(f"{MODELINE}name: x\n\n", "utf-8")
    (made / "section.yaml").write_text(f"{MODELINE}name: x\nrun:\n  \nmatrix:\n  \n", "utf-8")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LanguageServer]:
    assert PROGRAM
    with language_server(PROGRAM, folder) as running:
        yield running


@pytest.mark.parametrize("name", ["job.yaml", "right.yaml"])
def test_a_right_job_has_no_mistake(server: LanguageServer, name: str):
    assert server.diagnostics(name) == []


def test_mistakes_are_marked_on_their_lines(server: LanguageServer):
    found = server.diagnostics("wrong.yaml")
    assert [line for line, _ in found] == [2, 3, 4, 5, 6, 6]
    assert any("concurency is not allowed" in message for _, message in found)


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        (2, 2, "Names the job"),
        (9, 45, "Read wildcards"),
        (10, 2, "several values"),
        (11, 4, "The random seed"),
        (12, 4, "Width to height"),
        (14, 2, "Pace and limits"),
        (15, 4, "Images per minute"),
        (18, 2, "leave out"),
        (19, 10, "Which variants"),
    ],
)
def test_a_key_explains_itself(server: LanguageServer, line: int, column: int, words: str):
    server.diagnostics("right.yaml")
    assert words in server.hover("right.yaml", line, column)


def test_keys_and_values_are_offered(server: LanguageServer):
    server.diagnostics("begun.yaml")
    offered = server.complete("begun.yaml", 3, 1)
    assert {"prompts", "service", "matrix", "run", "output"} <= {*offered}
    server.diagnostics("section.yaml")
    assert {"budget", "tier", "concurrency"} <= {*server.complete("section.yaml", 4, 3)}
    assert {"seed", "aspect_ratio"} <= {*server.complete("section.yaml", 6, 3)}
