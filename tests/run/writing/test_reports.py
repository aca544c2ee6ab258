"""What a run leaves beside the manifest: fresh while it lasts, and right when it ends."""

import asyncio
import json

from batchgen.dataset.folder import json_line
from batchgen.run.pace.stop import Stop
from batchgen.run.writing import reports
from batchgen.run.writing.reports import checkpoints
from tests.dataset.made import make_dataset, row
from tests.support.bench import QUICK, Bench
from tests.support.cli import run_batchgen, summary


async def until(true, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


async def test_the_view_is_written_again_while_a_run_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "CHECKPOINT", 0.01)
    folder = make_dataset(tmp_path, [row(n) for n in range(2)])
    extra = make_dataset(tmp_path / "other", [row(2)])

    def lines() -> int:
        return len(folder.metadata.read_bytes().splitlines()) if folder.metadata.exists() else 0

    async with checkpoints(folder, "kit", Stop()):
        await until(lambda: lines() == 2)
        with folder.manifest_jsonl.open("a") as file:
            file.write(json_line(json.loads(extra.manifest_jsonl.read_text("utf-8"))))
        await until(lambda: lines() == 3)
    assert not list(folder.root.glob(".*.new"))


async def test_a_checkpoint_that_fails_ends_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(reports, "CHECKPOINT", 0.01)
    folder = make_dataset(tmp_path, [row(0)])
    folder.manifest_jsonl.write_text("{}\n")
    async with checkpoints(folder, "kit", Stop()):
        await until(lambda: "no row of an image" in caplog.text)


def test_a_bug_in_the_view_ends_no_run_and_is_told_at_its_end(bench: Bench):
    bench.job(2)
    bench.service.hold(completion=0)
    broken = {
        **QUICK,
        "batchgen.run.writing.reports.CHECKPOINT": 0.01,
        "batchgen.run.writing.reports.write_huggingface": None,
    }
    with bench.start(patch=broken) as running:
        said = "the view of the dataset could not be written while the run lasted"
        running.process.until(lambda: f"error: {said}: TypeError" in running.process.stderr)
        bench.service.release()
        assert running.process.wait() == 0
    *_, told, last = running.process.stderr.splitlines()
    assert told == f"batchgen: {said} (TypeError); run.log has the details"
    assert last.startswith("batchgen: ok: ")
    assert "Traceback" in (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    bench.check_whole(2)


def test_a_bug_in_the_last_view_is_an_exit_code_and_hides_nothing_that_was_made(bench: Bench):
    bench.job(2)
    done = bench.run(patch={**QUICK, "batchgen.run.ending.refresh_views": None})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "batchgen: bug: the view of the dataset could not be written (TypeError); run.log has the "
        "details; none is left to be made"
    )
    assert (summary(bench.dataset)["saved"], summary(bench.dataset)["class"]) == (2, "bug")
    assert bench.run().returncode == 0
    bench.check_whole(2)


def test_the_view_is_written_at_the_end_and_not_again(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    view = bench.dataset / "metadata.jsonl"
    assert [json.loads(line)["width"] for line in view.read_text("utf-8").splitlines()] == [16, 16]
    card = bench.dataset / "README.md"
    assert "2 images of 2 prompts" in card.read_text("utf-8")
    view.write_text("kept, because no image came")
    assert bench.run().returncode == 0
    assert view.read_text() == "kept, because no image came"


def test_a_repair_writes_the_view_again(bench: Bench):
    bench.job(1)
    assert bench.run().returncode == 0
    view = bench.dataset / "metadata.jsonl"
    right = view.read_bytes()
    view.write_text("{")
    assert run_batchgen("verify", bench.dataset, "--repair", cwd=bench.folder).returncode == 0
    assert view.read_bytes() == right


def test_a_caption_that_changes_needs_no_request(bench: Bench):
    bench.job(1)
    assert bench.run().returncode == 0
    submits = bench.service.counts()["received"]
    bench.job(1, output={"caption": "photo of {prompt}", "also": ["captions"]})
    assert bench.run().returncode == 0
    (caption,) = (bench.dataset / "images").rglob("*.txt")
    assert caption.read_text() == "photo of plain prompt 0\n"
    done = run_batchgen("verify", bench.dataset, "--json", cwd=bench.folder)
    assert json.loads(done.stdout)["foreign"] == []
    assert bench.service.counts()["received"] == submits


def test_what_was_found_is_in_the_summary_of_every_run(bench: Bench):
    bench.job(1, params={"num_images": 2, "aspect_ratio": "16:9"})
    for _ in range(2):  # the second has no reason to look again
        done = bench.run()
        assert done.returncode == 0
        found = json.loads((bench.dataset / "summary.json").read_bytes())
        assert found["flags"] == {"size": 2}
        assert found["nsfw_by_prompt"] == {}
        assert "look at   2 size: see flags in metadata.jsonl" in done.stdout
