"""The examples of README and docs do what the text beside them says."""

import os
import re
from pathlib import Path

import pytest

from batchgen.errors import ExitCode
from batchgen.job.load import load_job
from tests.report.made import dataset, image_row
from tests.support.cli import run_batchgen
from tests.support.objectstore import object_store

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


def jobs() -> list[tuple[str, str]]:
    found = [(page.name, text) for page in PAGES for text in blocks(page, "yaml")]
    return [(name, text) for name, text in found if not text.startswith(("# wrong.", "# base."))]


@pytest.mark.parametrize(("page", "text"), jobs())
def test_a_job_in_the_docs_is_a_job(page: str, text: str, tmp_path: Path):
    (tmp_path / "prompts.txt").write_text("A pear\n")
    (tmp_path / "landscapes.csv").write_bytes((ROOT / "jobs/landscapes.csv").read_bytes())
    (tmp_path / "woods.txt").write_text("oak\npine\n")
    (base,) = (t for t in blocks(ROOT / "docs/jobs.md", "yaml") if t.startswith("# base.yaml"))
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "job.yaml").write_text(text)
    made = len(load_job(tmp_path / "job.yaml").variants)
    assert made > 0
    for said in re.findall(r"^# makes (\d+) variants$", text, re.MULTILINE):
        assert made == int(said)


def test_the_job_in_the_readme_makes_the_number_of_variants_it_says(tmp_path: Path):
    (tmp_path / "kitchen.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0])
    job = load_job(tmp_path / "kitchen.yaml")
    assert len(job.variants) == 12
    names = [job.image_name(variant, 0) + ".png" for variant in job.variants]
    assert any(name.endswith("espresso/7_16x9_bc8925c2_0.png") for name in names)


def test_mistakes_are_reported_as_the_docs_show(tmp_path: Path):
    page = ROOT / "docs/jobs.md"
    (wrong,) = (text for text in blocks(page, "yaml") if text.startswith("# wrong.yaml"))
    (tmp_path / "wrong.yaml").write_text(wrong)
    done = run_batchgen("plan", "wrong.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert f"$ batchgen plan wrong.yaml\n{done.stderr}" in page.read_text("utf-8")


def test_every_exit_code_is_in_the_docs():
    table = (ROOT / "docs/schedules.md").read_text("utf-8").partition("## Exit codes")[2]
    told = re.findall(r"^\| ([\d, ]+) \| (\w+) \|", table, re.MULTILINE)
    found = {int(code): word for codes, word in told for code in codes.split(", ")}
    assert found == {int(code): code.word for code in ExitCode}
    readme = (ROOT / "README.md").read_text("utf-8").partition("## Exit codes")[2]
    assert all(f"{int(code)} {code.word}" in readme for code in ExitCode if code < 100)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = re.findall(r"`((?:batchgen|tests|jobs|docs|benchmarks)/[\w./-]+)`", text)
    linked = [target.partition("#")[0] for target in re.findall(r"\]\(([^):]+)\)", text)]
    made = {name for name in named if "NAME" in name}
    missing = [name for name in {*named} - made if not (ROOT / name).exists()]
    missing += [name for name in linked if name and not (page.parent / name).exists()]
    assert not missing


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_job_to_keep_plans_without_a_warning(path: Path):
    job = load_job(path)
    assert job.warnings == ()
    assert os.path.commonpath([job.folder, ROOT / "jobs"]) == str(ROOT / "jobs")


def test_the_first_job_goes_as_its_page_shows(tmp_path: Path):
    said = ""
    for line in "".join(blocks(ROOT / "docs/first-job.md", "")).splitlines():
        if not line.startswith("$ batchgen "):
            assert line in said.splitlines()
            continue
        if "variants  8 of 8 saved" in said:  # the change that the page tells of
            job = tmp_path / "job.yaml"
            job.write_text(job.read_text("utf-8").replace("seed: [1, 2] ", "seed: [1, 2, 3] "))
        done = run_batchgen(*line.split()[2:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said = done.stdout + done.stderr


PYTHON = ROOT / "docs/python.md"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, r"OK 3 0.0\na-[\w-]+ (True|False) images/.*\n(.*\n){2}"),
        (1, r"incomplete: this run was limited to 1 submit; 2 variants are left, .*\n"),
        (2, r"(20\d\d-.*Z images/.*\n){3}ok: every one of 3 variants has its images\n"),
        (3, r"run \w{8} of three\n(saved images/.* (True|False)\n){3}"),
        (4, r"wrong.yaml:3:10: .* has no parameter 'sed'; did you mean 'seed'\?\n(.*\n){2}"),
    ],
)
def test_a_python_example_runs_and_says_what_it_is_to_say(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    said: str,
):
    (tmp_path / "job.yaml").write_text(blocks(PYTHON, "yaml")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    exec(compile(blocks(PYTHON, "python")[number], PYTHON, "exec"), {})
    assert re.fullmatch(said, capsys.readouterr().out)


def test_the_example_of_the_report_runs_and_makes_the_sheets_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    root = tmp_path / "out/sample"
    root.mkdir(parents=True)
    points = [(p, s, r) for p in range(4) for s in (7, 8, 9) for r in ("1:1", "16:9", "9:16")]
    dataset(root, [image_row(root, number, prompt_id=f"p{p}", seed=s, aspect_ratio=r)
                   for number, (p, s, r) in enumerate(points)])  # fmt: skip
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/report.md"
    exec(compile(blocks(page, "python")[0], page, "exec"), {})
    said = capsys.readouterr().out
    assert said == "out/sample/report.html 36 0 0\n3 sheets\n"
    made = {str(path.relative_to(tmp_path)) for path in root.glob("sheets/*.png")}
    shown = page.read_text("utf-8").partition("--sheet\n")[2].partition("```")[0].split()
    assert {"out/sample/report.html", *made} == set(shown)


def test_the_example_of_a_bucket_runs_and_says_what_the_page_shows(tmp_path: Path):
    pytest.importorskip("obstore")
    page = ROOT / "docs/storage.md"
    (tmp_path / "kitchen.yaml").write_text(blocks(page, "yaml")[0])
    with object_store() as store:
        done = run_batchgen("run", "kitchen.yaml", cwd=tmp_path, env=store.env)
        assert len(store.names("sets/kitchen/images/")) == 6
    shown = page.read_text("utf-8").partition("$ batchgen run kitchen.yaml\n")[2]
    shown = shown.partition("```")[0].replace("/home/you", str(tmp_path))
    assert _without_times(done.stdout + done.stderr) == _without_times(shown)


def _without_times(said: str) -> str:
    return re.sub(r"in \d+ s|\d+ polls", "", said)
