"""Commands that look at a dataset say what was meant when they are given a file."""

import pytest

from batchgen.cli import main


def said(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    words: str = capsys.readouterr().err
    return words


@pytest.mark.parametrize(
    "command", ["status", "report", "verify", "merge", "reconcile", "export --to parquet"]
)
def test_of_a_job_file_the_dataset_is_named(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text("name: k\nprompts: [a]\noutput: {dir: made/here}\n")
    words = said(capsys, *command.split(), "job.yaml")
    assert "got the job file job.yaml; its dataset is made/here" in words
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]


def test_of_a_job_file_with_mistakes_it_is_said_where_its_dataset_would_be(capsys, tmp_path):
    (tmp_path / "job.yaml").write_text("name: k\n")
    assert "its dataset is its output.dir, or out/" in said(
        capsys, "status", str(tmp_path / "job.yaml")
    )


def test_another_file_is_no_dataset(capsys, tmp_path):
    (tmp_path / "manifest.jsonl").touch()
    words = said(capsys, "status", str(tmp_path / "manifest.jsonl"), "--runs")
    assert "expected the folder of a dataset, got the file " in words


@pytest.mark.parametrize(
    "command", ["status", "report", "verify", "merge", "reconcile", "export --to parquet"]
)
def test_of_a_folder_that_is_not_there_that_is_said(capsys, tmp_path, command):
    words = said(capsys, *command.split(), str(tmp_path / "nowhere"))
    assert words.endswith("nowhere, but there is no such folder\n")


def test_runs_of_what_is_no_dataset_are_a_mistake(capsys, tmp_path):
    assert "but it has no .batchgen" in said(capsys, "status", str(tmp_path), "--runs")


def test_choices_that_are_missing_are_named_on_one_line(capsys, tmp_path):
    words = said(capsys, "export", str(tmp_path))
    assert "Choose from: webdataset, parquet, huggingface; batchgen export --help" in words
