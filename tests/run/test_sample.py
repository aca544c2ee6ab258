"""The sample job on the local service, as a user runs it first."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.cli import ROOT, Done, closed_port, failures, rows, run_batchgen, summary

SIZES = {"1:1": (1024, 1024), "16:9": (1408, 768), "9:16": (768, 1408)}
COLUMNS = [
    *("file_name", "prompt_id", "prompt", "negative_prompt", "seed", "aspect_ratio"),
    *("image_index", "nsfw", "width", "height", "bytes", "sha256", "media_type"),
    *("model", "prediction_id"),
    *("variant_key", "created_at", "submitted_at", "completed_at"),
    *("saved_at", "queue_ms", "inference_ms", "total_ms", "polls", "attempts", "cost_usd"),
]
MAY_BE_NULL = {"negative_prompt", "queue_ms"}
TIMES = ["created_at", "submitted_at", "completed_at", "saved_at"]
OF_A_RUN = {"prediction_id", *TIMES, "queue_ms", "inference_ms", "total_ms", "polls"}


def _run(folder: Path, *options: object) -> Done:
    """The sample job with shorter waits between polls; its variants stay what they are."""
    text = (ROOT / "sample_jobs.yaml").read_text("utf-8")
    (folder / "sample_jobs.yaml").write_text(f"{text}  poll: {{min_interval: 0.05}}\n", "utf-8")
    return run_batchgen("run", "sample_jobs.yaml", "--concurrency", 36, *options, cwd=folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    done = _run(folder)
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == "batchgen: ok: every one of 36 variants has its images"
    return folder


@pytest.fixture
def dataset(made: Path) -> Path:
    return made / "out" / "sample"


def test_the_sample_job_makes_36_labelled_images_of_the_true_sizes(dataset: Path):
    found = rows(dataset)
    assert Counter(row["aspect_ratio"] for row in found) == dict.fromkeys(SIZES, 12)
    assert len({row["variant_key"] for row in found}) == 36
    for row in found:
        path = dataset / row["file_name"]
        data = path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (row["bytes"], row["sha256"])
        with Image.open(path) as image:
            image.load()
            assert image.size == (row["width"], row["height"]) == SIZES[row["aspect_ratio"]]
            assert Image.MIME[str(image.format)] == row["media_type"]
    files = {p.relative_to(dataset).as_posix() for p in (dataset / "images").rglob("*.*")}
    assert files == {row["file_name"] for row in found}


def test_every_column_is_filled_with_what_is_true_of_the_image(dataset: Path):
    found = rows(dataset)
    for row in found:
        assert list(row) == COLUMNS
        assert {name for name, value in row.items() if value is None} <= MAY_BE_NULL
        assert [row[time] for time in TIMES] == sorted(row[time] for time in TIMES)
        assert all(row[time].endswith("Z") for time in TIMES)
        assert row["total_ms"] >= row["inference_ms"] > 0
        assert (row["attempts"], row["cost_usd"], row["image_index"]) == (1, 0, 0)
        assert row["model"] == "wavespeed-ai/imagen4"
    negative = {row["prompt_id"]: row["negative_prompt"] for row in found}
    assert negative == {
        "flour": None,
        "lighthouse": "people, text",
        "city": None,
        "sculpture": None,
    }
    flagged = {row["prompt_id"] for row in found if row["nsfw"]}
    assert flagged == {"sculpture"}
    assert {row["nsfw"] for row in found} == {True, False}


def test_both_manifests_agree_cell_by_cell(dataset: Path):
    with (dataset / "manifest.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert table == [{name: _cell(value) for name, value in row.items()} for row in rows(dataset)]


def _cell(value: Any) -> str:
    return "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


def test_the_summary_says_how_it_went(dataset: Path):
    found = summary(dataset)
    assert (found["planned"], found["saved"], found["images"], found["nsfw"]) == (36, 36, 36, 9)
    assert (found["exit_code"], found["class"], found["spent_usd"]) == (0, "ok", 0)
    assert found["bytes"] == sum(row["bytes"] for row in rows(dataset))
    assert failures(dataset) == []


def test_a_finished_job_run_again_makes_no_request_and_changes_no_image_or_row(made: Path):
    dataset = made / "out" / "sample"
    watched = [dataset / name for name in ("manifest.jsonl", "manifest.csv", "failures.jsonl")]
    watched += [dataset / row["file_name"] for row in rows(dataset)]
    before = [(path.read_bytes(), path.stat().st_ino) for path in watched[:2]]
    stamps = [path.stat().st_mtime_ns for path in watched[3:]]
    # Any request to this address would fail.
    done = _run(made, "--service", "local", "--base-url", f"http://127.0.0.1:{closed_port()}")
    assert done.returncode == 0, done.stderr
    assert [(path.read_bytes(), path.stat().st_ino) for path in watched[:2]] == before
    assert [path.stat().st_mtime_ns for path in watched[3:]] == stamps
    assert summary(dataset)["submits"] == summary(dataset)["polls"] == 0


def test_the_same_job_elsewhere_makes_the_same_dataset(dataset: Path, tmp_path: Path):
    assert _run(tmp_path).returncode == 0
    other = tmp_path / "out" / "sample"
    assert _told(other) == _told(dataset)
    for row in rows(other):
        name = row["file_name"]
        assert (other / name).read_bytes() == (dataset / name).read_bytes()


def _told(dataset: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """What the manifest says that does not depend on the run."""
    return {
        (row["variant_key"], row["image_index"]): {
            name: value for name, value in row.items() if name not in OF_A_RUN
        }
        for row in rows(dataset)
    }
