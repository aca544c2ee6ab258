"""Images in shards: the same bytes in whatever order they came, and all else as ever."""

import importlib.util
import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from batchgen.dataset.exports.export import export_dataset
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.reading import open_dataset
from batchgen.dataset.stores.members import read_listing, write_listing
from batchgen.job.load import load_job
from batchgen.ledger.store import Ledger
from batchgen.report.thumbs import PACKED, make_thumbnails
from batchgen.run.writing.batches import Batches
from batchgen.run.writing.packing import states_of
from tests.support.bench import Bench
from tests.support.cli import Done, rows, run_batchgen, summary, write_job

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
FORMS = ["webdataset", pytest.param("parquet", marks=needs_pyarrow)]
PROMPTS = ["a pear", {"text": "a plum", "num_images": 3}, "a fig", "a quince", "a lime"]


def packing(form: str = "webdataset", **more: object) -> dict[str, object]:
    return {"format": form, "shard_images": 2, **more}


def contents(bench: Bench) -> dict[str, bytes]:
    """Every file in the folder of shards."""
    return {path.name: path.read_bytes() for path in (bench.dataset / "shards").iterdir()}


def packed(bench: Bench) -> list[tuple[int, list[str]]]:
    """The batch of each shard, and the prompts of the images in it."""
    prompts = {Path(row["file_name"]).name: row["prompt"] for row in rows(bench.dataset)}
    found = []
    for shard in json.loads((bench.dataset / "shards/shards.json").read_bytes())["shards"]:
        index = (bench.dataset / "shards" / shard["file"]).with_suffix(".jsonl")
        names = [json.loads(line)["file_name"] for line in index.read_text().splitlines()]
        found.append((shard["batch"], [prompts[name] for name in names]))
    return found


def verify(bench: Bench, *options: str) -> Done:
    return run_batchgen("verify", bench.dataset, *options, cwd=bench.folder, env=bench.env)


@pytest.mark.parametrize("form", FORMS)
def test_shards_are_the_same_in_whatever_order_images_came(bench: Bench, form: str):
    bench.job(PROMPTS, output=packing(form), run={"concurrency": 1})
    assert bench.run().returncode == 0
    whole = contents(bench)
    other = Bench(bench.folder / "other", bench.service)
    other.folder.mkdir()
    # Several at once, in three runs.
    other.job(PROMPTS, output=packing(form), run={"concurrency": 8, "limit": 2})
    for code in (4, 4, 0):
        assert other.run().returncode == code
    assert contents(other) == whole
    for made in (bench, other):
        assert made.image_files() == []
        data = {row["file_name"]: row.read() for row in open_dataset(made.dataset)}
        assert len(set(data.values())) == 7


def test_a_batch_has_the_order_of_the_plan(bench: Bench):
    bench.job([*PROMPTS[:1], "a date [poll=processingx3]", *PROMPTS[1:]], output=packing())
    assert bench.run().returncode == 0
    assert [row["prompt"] for row in rows(bench.dataset)][:2] != ["a pear", "a date"]
    assert packed(bench) == [
        (0, ["a pear", "a date [poll=processingx3]"]),
        (1, ["a plum", "a plum"]),
        (1, ["a plum", "a fig"]),
        (2, ["a quince", "a lime"]),
    ]


def test_a_failure_that_is_made_good_comes_into_its_batch(bench: Bench):
    prompts = ["a pear", "a plum [submit=400x1]", "a fig", "a quince"]
    bench.job(prompts, output=packing())
    assert bench.run().returncode == 3
    assert packed(bench) == [(0, ["a pear"]), (1, ["a fig", "a quince"])]
    before = contents(bench)
    assert bench.run("--retry-failed").returncode == 0
    assert packed(bench) == [(0, prompts[:2]), (1, prompts[2:])]
    after = contents(bench)
    assert {n for n in before if after.get(n) == before[n]} == {
        n for n in before if "-000001-" in n
    }
    assert len(after) == len(before)
    other = Bench(bench.folder / "other", bench.service)
    other.folder.mkdir()
    other.job(prompts, output=packing())
    assert other.run().returncode == 0
    assert contents(other) == after


def test_an_edited_job_leaves_what_is_packed_where_it_is(bench: Bench):
    bench.job(["a pear", "a plum", "a fig"], output=packing())
    assert bench.run().returncode == 0
    before = contents(bench)
    bench.job(["a lime", "a fig", "a quince", "a date"], output=packing())
    assert bench.run().returncode == 0
    assert packed(bench) == [
        *((0, ["a pear", "a plum"]), (1, ["a fig"])),
        *((2, ["a lime", "a quince"]), (3, ["a date"])),
    ]
    assert before.items() - {("shards.json", before["shards.json"])} <= contents(bench).items()
    assert verify(bench).returncode == 0


def test_what_no_plan_has_any_more_is_packed_too(bench: Bench):
    bench.job(["a pear", "a plum", "a fig"], output=packing())
    assert bench.run().returncode == 0
    # As a run leaves it that is killed before it packs.
    for image in open_dataset(bench.dataset):
        image.path.write_bytes(image.read())
    listing = read_listing(DatasetFolder(bench.dataset))
    assert listing
    shutil.rmtree(bench.dataset / "shards")
    (bench.dataset / "shards").mkdir()
    write_listing(DatasetFolder(bench.dataset), replace(listing, shards=()))
    bench.job(["a fig"], output=packing())
    assert bench.run().returncode == 0
    assert bench.image_files() == []
    (rest, others), (batch, kept) = sorted(packed(bench))
    assert (rest, sorted(others), batch, kept) == (-1, ["a pear", "a plum"], 0, ["a fig"])


def test_earlier_shards_have_the_caption_of_a_job_that_is_far_from_done(bench: Bench):
    bench.job(2, output=packing())
    assert bench.run().returncode == 0
    first = set(contents(bench))
    bench.job(8, output=packing(caption="of {prompt_id}"))
    assert bench.run("--limit", 1).returncode == 4
    assert len(packed(bench)) == 2
    assert set(contents(bench)) & first == {"shards.json"}


def test_the_states_of_any_number_of_variants(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        assert states_of(ledger, [f"{n:020x}" for n in range(300_000)]) == {}


def test_another_caption_is_written_into_every_shard(bench: Bench):
    bench.job(2, output=packing())
    assert bench.run().returncode == 0
    names = set(contents(bench))
    times = {path: path.stat().st_mtime_ns for path in (bench.dataset / "shards").iterdir()}
    assert bench.run().returncode == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    bench.job(2, output=packing(caption="of {prompt_id}"))
    requests = bench.service.counts().requests
    assert bench.run().returncode == 0
    assert bench.service.counts().requests == requests
    after = contents(bench)
    assert set(after) & names == {"shards.json"}
    (name,) = (name for name in after if name.endswith(".tar"))
    with tarfile.open(bench.dataset / "shards" / name) as archive:
        found = [archive.extractfile(m) for m in archive if m.name.endswith(".txt")]
        texts = {file.read().decode() for file in found if file}
    assert texts == {f"of {row['prompt_id']}" for row in rows(bench.dataset)}


@pytest.mark.parametrize(("before", "after"), [("files", "webdataset"), ("webdataset", "files")])
def test_a_dataset_keeps_its_form(bench: Bench, before: str, after: str):
    bench.job(1, output={"format": before})
    assert bench.run().returncode == 0
    bench.job(2, output={"format": after})
    requests = bench.service.counts().requests
    done = bench.run()
    assert done.returncode == 2
    assert "not as output.format says" in done.stderr
    assert bench.service.counts().requests == requests


@pytest.mark.parametrize(
    ("form", "harm"),
    [
        *(("webdataset", harm) for harm in ("end", "gone", "list")),
        *(pytest.param("parquet", h, marks=needs_pyarrow) for h in ("member", "cut", "index")),
    ],
)
def test_a_repair_makes_the_shards_what_they_were(bench: Bench, form: str, harm: str):
    bench.job(PROMPTS, output=packing(form))
    assert bench.run().returncode == 0
    whole = contents(bench)
    listing = read_listing(DatasetFolder(bench.dataset))
    assert listing
    shard = bench.dataset / "shards" / listing.shards[1].file
    data = bytearray(whole[shard.name])
    if harm == "member":
        data[data.index(b"IDAT")] ^= 1
        shard.write_bytes(data)
    elif harm == "end":
        data[-1] ^= 1
        shard.write_bytes(data)
    elif harm == "cut":
        os.truncate(shard, len(data) // 2)
    else:
        wrong = {"gone": shard, "index": shard.with_suffix(".jsonl")}
        wrong.get(harm, shard.with_name("shards.json")).unlink()
    done = verify(bench)
    assert done.returncode == {"index": 0, "list": 7}.get(harm, 3), done.stdout
    assert shard.name in done.stdout or harm in {"index", "list"}
    done = verify(bench, "--repair")
    assert done.returncode == 0, done.stdout
    after = contents(bench)
    if harm == "list":  # the next run takes what is there for an earlier plan's
        assert bench.run().returncode == 0
        del after["shards.json"], whole["shards.json"]
    assert after == whole
    assert verify(bench).returncode == 0
    bench.check_billed_once(len(PROMPTS))


def test_a_wrong_index_makes_no_image_of_a_sound_shard_lost(bench: Bench):
    bench.job(PROMPTS, output=packing())
    assert bench.run().returncode == 0
    whole = contents(bench)
    index = min((bench.dataset / "shards").glob("*.jsonl"))
    rows = [json.loads(line) for line in index.read_bytes().splitlines()]
    index.write_text("".join(json.dumps({**r, "offset": r["offset"] + 512}) + "\n" for r in rows))
    before = bench.service.counts().requests
    assert verify(bench).returncode == 3
    done = verify(bench, "--repair")
    assert done.returncode == 0, done.stdout
    assert bench.service.counts().requests == before
    assert contents(bench) == whole


def test_flagged_images_stay_out_of_the_shards(bench: Bench):
    prompts = ["a pear", "a plum [nsfw=true]"]
    bench.job(prompts, output=packing(nsfw="quarantine"))
    assert bench.run().returncode == 0
    assert packed(bench) == [(0, ["a pear"])]
    (name,) = (path.name for path in (bench.dataset / "nsfw").iterdir())
    assert name in {Path(row["file_name"]).name for row in rows(bench.dataset)}
    assert summary(bench.dataset)["images"] == 2


@needs_pyarrow
def test_exports_and_reports_do_not_care_where_images_are(bench: Bench):
    found = {}
    for form in ("huggingface", "webdataset", "parquet"):
        one = Bench(bench.folder / form, bench.service)
        one.folder.mkdir()
        one.job(PROMPTS, output={"format": form})
        assert one.run().returncode == 0
        out = export_dataset(one.dataset, to="webdataset").folder
        files = (path for path in out.iterdir() if path.name != "README.md")
        found[form] = {path.name: path.read_bytes() for path in files}
        states = make_thumbnails(DatasetFolder(one.dataset), rows(one.dataset))
        assert set(states) == {"" if form == "huggingface" else PACKED}
    assert found["huggingface"] == found["webdataset"] == found["parquet"]


@pytest.mark.parametrize(("variants", "digits"), [(500, 0), (501, 1), (8_001, 2)])
def test_names_for_hugging_face_fill_folders_evenly(tmp_path, variants, digits):
    more = {"matrix": {"seed": f"1..{variants}"}, "output": {"format": "huggingface"}}
    job = load_job(write_job(tmp_path / "job.yaml", ["a pear"], **more))
    one = job.variants[0]
    folder = f"{one.key[:digits]}/" if digits else ""
    assert job.image_name(one, 3) == f"images/{folder}{one.key}_3"


def test_batches_leave_out_what_is_packed_already(tmp_path):
    job = load_job(write_job(tmp_path / "job.yaml", ["a pear"], matrix={"seed": "1..10"}))
    keys = list(job.variants.keys())
    gone = {keys[1], keys[2], keys[9]}
    batches = Batches(job.variants, 3, gone.__contains__)
    assert batches.keys(2) == [keys[8]]
    assert [batches.keys(n) for n in range(4)] == [
        [keys[n] for n in part] for part in ((0, 3, 4), (5, 6, 7), (8,), ())
    ]


def test_a_dataset_made_in_shards_of_a_run_is_packed_by_the_next_whole_run(bench: Bench):
    bench.job(PROMPTS, output=packing())
    for shard in ("0/2", "1/2"):
        assert bench.run("--shard", shard).returncode == 0
    assert len(bench.image_files()) == 7
    requests = bench.service.counts().requests
    assert bench.run().returncode == 0
    assert (bench.image_files(), bench.service.counts().requests) == ([], requests)
    assert [batch for batch, _ in packed(bench)] == [0, 0, 1, 2]
    assert verify(bench).returncode == 0
