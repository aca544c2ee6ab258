"""``batchgen report``, from the ledger where there is one, else from the dataset's files."""

import json
import shutil

from batchgen.dataset.folder import DatasetFolder
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from tests.ledger.made import moves
from tests.report.made import column, dataset
from tests.support.cli import run_batchgen, write_job


def test_a_dataset_of_a_run_has_its_page_and_sheets(tmp_path):
    job = write_job(
        tmp_path / "pears.yaml",
        [{"id": "one", "text": "A pear"}, {"id": "two", "text": "A nude pear"}],
        service="local",
        params={"num_images": 2, "aspect_ratio": "1:1"},
    )
    assert run_batchgen("run", job, cwd=tmp_path).returncode == 0
    done = run_batchgen("report", "out/pears", "--sheet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["out/pears/report.html", "out/pears/sheets/prompt_id.png"]
    text = (tmp_path / "out/pears/report.html").read_text("utf-8")
    assert "2 of 2 variants have all their images." in text
    assert sorted(column(text, "image_index")) == [0, 0, 1, 1]
    assert sorted(column(text, "nsfw")) == [False, False, True, True]
    assert str(tmp_path) not in text  # a page that is shown around tells nothing of its computer

    # Moved to another computer without what batchgen keeps for itself, and not all of it.
    shutil.rmtree(tmp_path / "out/pears/.batchgen")
    next((tmp_path / "out/pears/images").rglob("*.png")).unlink()
    again = run_batchgen("report", "out/pears", "--json", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stderr == (
        "the file of 1 image is not there; batchgen verify out/pears tells which\n"
    )
    found = json.loads(again.stdout)
    assert (found["images"], found["missing"], found["sheets"]) == (4, 1, [])


async def test_before_a_run_has_ended_its_ledger_tells(tmp_path):
    root = dataset(tmp_path / "made", [])
    folder = DatasetFolder(root)
    folder.prepare()
    with Ledger(folder.ledger) as ledger:
        ledger.set_meta(job="pears", service="wavespeed", planned=3, price_micros=40_000)
        moved = (
            *moves("k1", State.FAILED, error_class="rejected", error="no"),
            *moves("k2", State.UNCERTAIN, error_class="unanswered", error="lost"),
            *moves("k3", State.SUBMITTED, prediction_id="p3"),
        )
        for entry in moved:
            await ledger.write(entry)
    done = run_batchgen("report", "made", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "made/report.html\n")
    text = (root / "report.html").read_text("utf-8")
    assert column(text, "variant_key") == ["k1", "k2"]
    assert "0 of 3 variants have all their images: 1 failed, 1 may have been paid, 1 still" in text
    (root / "summary.json").write_text("[1]")
    done = run_batchgen("report", "made", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr == (
        "batchgen: storage: made/summary.json is no JSON object; the next run writes it anew\n"
    )


def test_what_is_no_dataset_is_said_in_a_sentence(tmp_path):
    done = run_batchgen("report", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "batchgen: usage: expected a dataset at nowhere, but there is no such folder\n"
    )
