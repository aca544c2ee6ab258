"""Job files and prompt files made to do harm: one clear sentence, exit 2, and nothing is sent."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.bench import Bench

MEMORY = 1_000 * 2**20  # bytes of address space; the command needs a third of it for itself
HEAD = "name: k\nprompts:\n  - A cup\n"
FREE = "name: k\nmodel: some/model\nprompts:\n  - A cup\n"
ENDPOINT = "which is another endpoint of the API"
MODEL_ID = "expected a model id such as"
MANY = "many prompts go into a file of their own"
RANGE = "0..999999999999999999"
LARGE = 15 * 2**20


LIMITED = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
import batchgen.cli
batchgen.cli.main()
"""


def plan(folder: Path) -> cli.Done:
    """``batchgen plan``, in a part of the time and of the memory that harm would take."""
    began = time.monotonic()
    done = cli.run_forked(LIMITED, "plan", "job.yaml", cwd=folder, timeout=30)
    assert "Traceback" not in done.stderr, done.stderr[-2_000:]
    assert time.monotonic() - began < 20
    return done


def refused(folder: Path, text: str | bytes) -> str:
    """What is said of a job file that is refused; nothing is left beside it."""
    path = folder / "job.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    before = sorted(folder.iterdir())
    done = plan(folder)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-2_000:]
    assert len(done.stderr) < 10_000
    assert "nothing was sent" in done.stderr or done.stderr.startswith("batchgen: usage: ")
    assert done.stderr.isascii() or all(c.isprintable() or c == "\n" for c in done.stderr)
    assert sorted(folder.iterdir()) == before
    return done.stderr


YAML: dict[str, tuple[str | bytes, str]] = {
    "a python object": (HEAD + "run: !!python/object/apply:os.system [id]\n", "tags are not"),
    "a binary": (HEAD + "params: {negative_prompt: !!binary aGk=}\n", "tags are not"),
    "a billion laughs": (
        "a: &a [x, x]\n"
        + "".join(f"a{i}: &a{i} [{', '.join(['*a'] * 9)}]\n" for i in range(2_000)),
        "aliases are not supported",
    ),
    "aliases on one line": ("name: k\nprompts: [" + "*a," * 1_000_000 + "]\n", "too many mistakes"),
    "a merge key": (HEAD + "run:\n  <<: {rate: 1}\n", "merge keys are not supported"),
    "a deep nest": ("name: k\nprompts: " + "[" * 100, "at most 50 levels of nesting"),
    # Some releases of libyaml look ahead and refuse it before we do.
    "a very deep nest": ("name: k\nprompts: " + "[" * 100_000, " nesting"),
    "a key given twice": (HEAD + "name: j\n", "key 'name' was given before, on line 1"),
    "a key given very often": (HEAD + "name: j\n" * 300_000, "too many mistakes"),
    "a long key": (HEAD + f'? "{"k" * LARGE}"\n: 1\n', "unknown key 'kkk"),
    "many unknown keys": (HEAD + "".join(f"k{i}: 1\n" for i in range(10_000)), "unknown key 'k0'"),
    "many unknown axes": (
        HEAD + "matrix:\n" + "".join(f"  k{i}: [1]\n" for i in range(10_000)),
        "has no parameter 'k0'",
    ),
    "many values": ("name: k\nprompts: [" + "1," * 400_000 + "]\n", MANY),
    "many lines": (HEAD + "\n" * LARGE, MANY),
    "a long text": (f"name: k\nprompts: ['{'x' * LARGE}']\n", "at most 1,000,000 characters"),
    "a large file": (HEAD + "#" + "x" * 16 * 2**20, "at most 16 MiB"),
    "a zero byte": (HEAD + "  - a\0b\n", "U+0000"),
    "a control character": (HEAD + "  - \x1b[2J\n", "U+001B"),
    "UTF-16": (HEAD.encode("utf-16"), "expected UTF-8 text"),
    "no text": (os.urandom(64) + b"\xff", "expected UTF-8 text"),
    "two documents": (HEAD + "---\n" + HEAD, "expected one YAML document"),
    "a number of many digits": (HEAD + "params: {seed: " + "9" * 1_000_000 + "}\n", "19 digits"),
    "a yes of YAML 1.1": (HEAD + "run: {max_variants: 1_000}\n", "got the text '1_000'"),
    "a huge matrix": (FREE + f"matrix: {{a: {RANGE}, b: {RANGE}}}\n", f"got 1{',000' * 12}"),
    "a huge count": (FREE + "matrix: {a: {start: 0, count: 1000000000000}}\n", f"1{',000' * 4} ("),
    "an endless count": (
        FREE + "matrix: {a: {start: 0, count: 9999999999999999999}}\n",
        "expected a count of at most",
    ),
    "more than can be counted": (
        FREE + f"run: {{max_variants: 9999999999999999999}}\nmatrix: {{a: {RANGE}, b: 0..9}}\n",
        "expected at most",
    ),
}


@pytest.mark.parametrize("case", YAML)
def test_a_hostile_job_file_is_refused_quickly_and_in_words(tmp_path: Path, case: str):
    text, words = YAML[case]
    assert words in refused(tmp_path, text)


PATTERNS = (
    *("../{key}_{index}", "/tmp/{key}_{index}", "a/../../{key}_{index}", "{key}/./{index}"),
    *("{key.__class__}_{index}", "{0}{key}{index}", "{key!r}_{index}", "{key:>99999999}_{index}"),
    *("%n{key}_{index}", "{{key}}_{index}", "a\\\\b{key}_{index}", "a\\0{key}_{index}"),
    *("a\\n{key}_{index}", "{key}", "{prompt}_{key}_{index}", "~/{key}_{index}:x"),
)
MODELS = {
    **dict.fromkeys(
        ("a/b?webhook=http://x", "a/b#c", "../a", "a/../b", "a/b/..", "a//b"), MODEL_ID
    ),
    **dict.fromkeys(("A/b", "a/%2e%2e/b", "a/b\\u0000", "a/\uff42", "a", "a/b/", "/a/b"), MODEL_ID),
    **dict.fromkeys(("a/b\\nc", "http://a/b", "a" * 300 + "/b", "a\\\\b/c", "a/b;c"), MODEL_ID),
    **dict.fromkeys(("predictions/x", "balance/x", "media/upload", "model/price"), ENDPOINT),
    **dict.fromkeys(("billings/search", "user/x", "webhook/x", "account/x", "models/x"), ENDPOINT),
}


def test_patterns_and_models_that_lead_astray_are_refused(tmp_path: Path):
    # Read in one process: the start of the command is what takes the time.
    code = """
import sys
from batchgen.errors import JobError
from batchgen.job.load import load_job
for path in sys.argv[1:]:
    try:
        print(repr(load_job(path).variants))
    except JobError as error:
        print(*(problem.message for problem in error.problems))
"""
    jobs = [HEAD + f'output: {{file_name: "{pattern}"}}\n' for pattern in PATTERNS]
    jobs += [HEAD + f'model: "{model}"\n' for model in MODELS]
    for number, job in enumerate(jobs):
        (tmp_path / f"{number}.yaml").write_text(job, "utf-8")
    files = [f"{number}.yaml" for number in range(len(jobs))]
    done = cli.run_forked(code, *files, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    expected = ["expected" for _ in PATTERNS] + list(MODELS.values())
    for job, line, words in zip(jobs, said, expected, strict=True):
        assert words in line or (words == "expected" and "unknown placeholder" in line), job


@pytest.mark.parametrize(
    "job",
    [
        HEAD + 'output: {file_name: "../{key}_{index}"}\n',
        HEAD + "model: wavespeed-ai/imagen4?webhook=http://example.org\n",
        HEAD + "model: predictions/delete\n",
        "a: &a [x]\nname: k\nprompts: *a\n",
        "name: k\nprompts: [{file: /dev/zero}]\n",
    ],
)
def test_a_run_of_a_hostile_job_sends_and_writes_nothing(bench: Bench, job: str):
    (bench.folder / "job.yaml").write_text(job)
    done = bench.run()
    assert done.returncode == 2
    assert "nothing was sent" in done.stderr
    assert bench.service.counts().requests == 0
    assert [path.name for path in bench.folder.iterdir()] == ["job.yaml"]


def _repeated(chunk: bytes, times: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(chunk * times)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a device": ("p.txt", lambda p: p.symlink_to("/dev/zero"), "not a regular file"),
    "standard input": ("p.txt", lambda p: p.symlink_to("/dev/stdin"), "not a regular file"),
    "a pipe": ("p.txt", os.mkfifo, "not a regular file"),
    "a folder": ("p.txt", Path.mkdir, "but that is a folder"),
    "the environment": ("p.txt", lambda p: p.symlink_to("/proc/self/environ"), "no fixed size"),
    "the memory": ("p.txt", lambda p: p.symlink_to("/proc/self/mem"), "cannot read"),
    "a loop": ("p.txt", lambda p: p.symlink_to("p.txt"), "Too many levels"),
    "a terabyte": ("p.txt", _sparse, "at most 256 MiB"),
    "no text": ("p.txt", _repeated(b"\x89PNG\r\n\x1a\n\0", 9), "expected UTF-8 text"),
    "a zero byte": ("p.txt", _repeated(b"a cup\0\n", 9), "got a zero byte"),
    "a line of 50 MB": ("p.txt", _repeated(b"x", 50_000_000), "at most 1,000,000 characters"),
    "many lines": ("p.txt", _repeated(b"a\n", 150_000), "got more than 100,000 prompts"),
    "a million columns": ("p.csv", _repeated(b"text,", 10**6), "at most 1,000 columns"),
    "a row of a million": ("p.csv", _repeated(b"text\n" + b"a," * 10**6, 1), "expected 1 column"),
    "a quote never closed": ("p.csv", _repeated(b'text\n"' + b"a\n" * 10**6, 1), "never closed"),
    "an object of a million": (
        "p.jsonl",
        lambda p: p.write_text(json.dumps({"text": "a"} | {f"c{i}": 1 for i in range(10**5)})),
        "at most 1,000 columns",
    ),
    "a deep nest": ("p.jsonl", _repeated(b"[", 10**6), "too deeply nested"),
    "a key given twice": ("p.jsonl", _repeated(b'{"text": "a", "text": "b"}', 1), "given twice"),
    "NaN": ("p.jsonl", _repeated(b'{"text": "a", "seed": NaN}', 1), "NaN"),
    "a huge number": (
        "p.jsonl",
        _repeated(b'{"text": "a", "seed": ' + b"9" * 10**6 + b"}", 1),
        "more than 19 digits",
    ),
    "another kind": ("p.pem", _repeated(b"secret", 1), "expected a prompt file ending in"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_hostile_prompt_file_is_refused_quickly_and_in_words(tmp_path: Path, case: str):
    name, make, words = FILES[case]
    make(tmp_path / name)
    said = refused(tmp_path, f"name: k\nprompts:\n  - file: {name}\n")
    assert words in said
    assert "PATH=" not in said


def test_a_prompt_file_may_be_a_link(tmp_path: Path):
    (tmp_path / "prompts.txt").write_text("A cup\n")
    (tmp_path / "p.txt").symlink_to("prompts.txt")
    (tmp_path / "job.yaml").write_text("name: k\nprompts:\n  - file: p.txt\n")
    assert plan(tmp_path).returncode == 0


ENORMOUS = {
    "one prompt": FREE + f"matrix: {{a: {RANGE}}}\n",
    "two equal prompts": FREE + f"  - {{id: b, text: A cup}}\nmatrix: {{a: {RANGE}}}\n",
    "two that overlap": FREE + f"  - {{id: b, text: A cup, a: [7, 9]}}\nmatrix: {{a: {RANGE}}}\n",
    "random seeds": HEAD + "matrix: {seed: 0..2147483647, num_images: 1..4}\n",
}


@pytest.mark.parametrize("case", ENORMOUS)
def test_a_plan_of_more_than_anybody_can_make_is_told_line_by_line(tmp_path: Path, case: str):
    limit = "run: {max_variants: 9000000000000000000}\n"
    (tmp_path / "job.yaml").write_text(ENORMOUS[case] + limit)
    with subprocess.Popen(
        [sys.executable, "-c", LIMITED, "plan", "job.yaml", "--json"],
        cwd=tmp_path,
        env=cli.environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        keys = {json.loads(process.stdout.readline())["variant_key"] for _ in range(10)}
        process.stdout.close()
        assert process.wait(20) == 0
        assert b"Traceback" not in process.stderr.read()
    assert len(keys) == 10
