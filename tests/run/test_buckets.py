"""A dataset in a bucket: nothing lost, doubled or bought twice, whoever goes on with it."""

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("obstore")

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.stores.bucket import Address, Bucket, Content
from batchgen.dataset.stores.uploads import Uploads, dataset_path
from batchgen.errors import StorageError
from batchgen.run.bucket.bringing import open_dataset
from batchgen.run.bucket.claims import OBJECT, Hold, take
from tests.support import cli
from tests.support.bench import QUICK, Bench
from tests.support.objectstore import BUCKET, SECRET, Store, object_store

URL = f"s3://{BUCKET}/sets/job"
# A store that is away is tried again; the tests need not wait for that.
PATCH = {
    **QUICK,
    "batchgen.dataset.stores.bucket._RETRIES": {"max_retries": 0},
    "batchgen.run.bucket.mirror.LOOK": 0.05,
    "batchgen.run.bucket.mirror.AGAIN": 0.1,
}


class Cloud:
    """A bench whose job goes to a bucket, from one working folder or another."""

    def __init__(self, bench: Bench, store: Store) -> None:
        self.bench, self.store = bench, store
        self.own = dict(bench.env)
        self.at("here")

    def at(self, machine: str, url: str = URL) -> None:
        """Work from the folders of *machine* from now on."""
        data = self.bench.folder / machine
        self.bench.env = {**self.own, **self.store.env, "XDG_DATA_HOME": str(data)}
        self.bench.dataset = data / "batchgen" / Address.parse(url).slug

    def job(
        self, prompts: object, url: str = URL, *, also: tuple[str, ...] = (), **keys: object
    ) -> None:
        self.bench.job(prompts, output={"dir": url, "also": list(also)}, **keys)

    def run(self, *options: object) -> cli.Done:
        return self.bench.run(*options, patch=PATCH)

    def call(self, *words: object) -> cli.Done:
        return cli.run_batchgen(*words, cwd=self.bench.folder, env=self.bench.env, patch=PATCH)

    def made(self) -> int:
        """How many images the bucket has: those of its manifest, byte by byte, and no others."""
        (top,) = {name.partition(".batchgen/")[0] for name in self.store.names() if OBJECT in name}
        lines = self.store.objects[f"{top}manifest.jsonl"].data.decode().splitlines()
        rows = {f"{top}{row['file_name']}": row for row in map(json.loads, lines)}
        there = self.store.names(f"{top}images/")
        assert sorted(rows) == [name for name in there if not name.endswith(".txt")]
        orders = self.bench.service.counts().orders
        for name, row in rows.items():
            held = self.store.objects[name]
            assert held.media_type == row["media_type"]
            assert len(held.data) == row["bytes"]
            assert any(row["prediction_id"] in order["ids"] for order in orders)
        return len(rows)

    def claim(self) -> dict[str, object]:
        (name,) = [name for name in self.store.names() if name.endswith(OBJECT)]
        found: dict[str, object] = json.loads(self.store.objects[name].data)
        return found

    def silence(self) -> None:
        """Let nothing have been heard of the owner for a day, who is on another computer."""
        (name,) = [name for name in self.store.names() if name.endswith(OBJECT)]
        claim = {**self.claim(), "beat": "2026-01-01T00:00:00+00:00", "host": "far-away"}
        self.store.objects[name].data = json.dumps(claim).encode()


@pytest.fixture
def cloud(bench: Bench) -> Iterator[Cloud]:
    with object_store() as store:
        yield Cloud(bench, store)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_images_and_all_that_describes_them_go_to_the_bucket(cloud: Cloud, scheme):
    url = f"{scheme}://{BUCKET}/sets/job"
    cloud.at("here", url)
    cloud.job(5, url, also=("captions",))
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert cloud.made() == 5
    bench, names = cloud.bench, cloud.store.names("sets/job/")
    assert {Path(name).suffix for name in bench.image_files()} == {".txt"}  # images are dropped
    assert len([name for name in names if name.endswith(".txt")]) == 5
    for name in ("manifest.jsonl", "manifest.csv", "metadata.jsonl", "README.md", "failures.jsonl",
                 "summary.json", "last-success", ".batchgen/ledger.sqlite3"):  # fmt: skip
        assert f"sets/job/{name}" in names
    there = cloud.store.objects["sets/job/manifest.csv"].data
    assert there == (bench.dataset / "manifest.csv").read_bytes()
    assert cloud.claim()["ended"] is True


def test_a_finished_run_run_again_sends_no_image_and_asks_for_nothing(cloud: Cloud):
    cloud.job(4)
    assert cloud.run().returncode == 0
    before = cloud.bench.service.counts().requests
    cloud.store.requests.clear()
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert cloud.bench.service.counts().requests == before
    assert cloud.store.puts("images/") == cloud.store.puts("manifest") == []


def test_no_credential_is_written_or_said(cloud: Cloud):
    cloud.job(2)
    cloud.store.wrong = {"images/": 403}
    done = cloud.run("--verbose")
    assert done.returncode == 7, done.stderr
    assert "it is not allowed" in done.stderr
    cloud.store.wrong = {}
    assert cloud.run("--verbose").returncode == 0
    written = [p.read_bytes() for p in cloud.bench.folder.rglob("*") if p.is_file()]
    for word in (SECRET, "canary-id-77"):
        assert word not in done.stderr + done.stdout
        assert not any(word.encode() in data for data in written)
        assert not any(word.encode() in held.data for held in cloud.store.objects.values())


def test_what_could_not_be_uploaded_stays_and_is_uploaded_by_the_next_run(cloud: Cloud):
    cloud.job(6)
    cloud.store.wrong = {"plain-prompt-3": 500, "plain-prompt-4": 500}
    done = cloud.run()
    assert done.returncode == 7, done.stderr
    assert done.stderr.splitlines()[-1].startswith("batchgen: storage: cannot write s3://")
    kept = cloud.bench.image_files()
    assert {"plain-prompt-3", "plain-prompt-4"} <= {name.split("/")[1][:14] for name in kept}
    assert not (cloud.bench.dataset / "last-success").exists()
    cloud.store.wrong = {}
    before = cloud.bench.service.counts().requests
    cloud.store.requests.clear()
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert cloud.bench.service.counts().requests == before
    assert len(cloud.store.puts("images/")) == len(kept)
    assert cloud.made() == 6


def test_a_killed_run_goes_on_from_its_folder(cloud: Cloud):
    cloud.job(8)
    cloud.store.wrong = {"images/": 500}  # so that they are here when it is killed
    cloud.bench.service.hold(completion=5)
    with cloud.bench.start(patch=PATCH) as running:
        running.until_states(saved=5, submitted=3)
        running.until_rows(5)
        running.process.kill()
    cloud.bench.service.release()
    cloud.store.wrong = {}
    assert cloud.claim()["ended"] is False
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert cloud.made() == 8
    cloud.bench.check_billed_once(8)


def test_another_machine_goes_on_after_an_end_in_order_and_the_first_after_that(cloud: Cloud):
    cloud.job(3)
    assert cloud.run().returncode == 0
    cloud.at("there")
    cloud.job(5)
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    cloud.bench.check_billed_once(5)
    cloud.at("here")  # whose ledger knows three of them
    cloud.job(6)
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    cloud.bench.check_billed_once(6)
    assert cloud.made() == 6


def test_a_run_elsewhere_is_refused_while_one_goes_on_and_after_it_was_killed(cloud: Cloud):
    cloud.job(4)
    cloud.bench.service.hold(submit=2)
    with cloud.bench.start(patch=PATCH) as running:
        running.until_counts(lambda counts: counts["held_submit"] == 2)
        folder = cloud.bench.dataset
        cloud.at("there")
        done = cloud.run()
        assert done.returncode == 8
        assert f"{URL} is in use by process {running.process.pid} on {socket.gethostname()}" in (
            done.stderr
        )
        running.process.kill()
    cloud.silence()
    done = cloud.run("--if-locked", "skip")  # nobody is there to be waited for
    assert done.returncode == 7
    assert f"its ledger is in far-away:{folder}" in done.stderr
    assert cloud.bench.service.counts()["received"] == 4
    assert not cloud.bench.states()


def test_where_a_folder_is_lost_verify_goes_on_and_holds_what_may_be_lost(cloud: Cloud):
    cloud.job(2)
    assert cloud.run().returncode == 0
    cloud.job(5)
    cloud.bench.service.hold(completion=2)
    with cloud.bench.start(patch=PATCH) as running:
        running.until_states(saved=2, submitted=3)
        running.process.kill()
    cloud.bench.service.release()
    cloud.at("there")
    assert cloud.call("verify", URL, "--repair").returncode == 8  # it may be alive
    cloud.silence()
    done = cloud.call("verify", URL, "--repair")
    assert done.returncode == 0, done.stderr
    before = cloud.bench.service.counts()["received"]
    done = cloud.run()
    assert done.returncode == 5, done.stderr
    assert cloud.bench.service.counts()["received"] == before
    assert cloud.bench.states() == {"saved": 2, "uncertain": 3}
    cloud.at("here")  # where the lost folder is found again
    assert cloud.run().returncode == 5
    assert cloud.bench.service.counts()["received"] == before


def test_what_a_run_bought_that_was_killed_before_its_first_checkpoint_is_held(cloud: Cloud):
    cloud.job(3)
    cloud.bench.service.hold(completion=3)
    with cloud.bench.start(patch=PATCH) as running:
        running.until_states(submitted=3)
        running.process.kill()
    cloud.bench.service.release()
    cloud.at("there")
    cloud.silence()
    done = cloud.call("verify", URL, "--repair")
    assert done.returncode == 0, done.stderr
    done = cloud.run()
    assert done.returncode == 5, done.stderr
    assert cloud.bench.states() == {"uncertain": 3}
    assert cloud.bench.service.counts()["received"] == 3


def test_a_folder_that_was_copied_in_the_last_run_fetches_what_came_after(cloud: Cloud):
    cloud.job(2)
    assert cloud.run().returncode == 0
    folder, copy = cloud.bench.dataset, cloud.bench.folder / "copy"
    shutil.copytree(folder, copy)
    cloud.job(5)
    assert cloud.run().returncode == 0
    # As if it had been copied when that run had claimed the bucket, and bought nothing yet.
    Uploads(copy / ".batchgen/bucket.sqlite3").tell(claims=[cloud.claim()["run"]])
    shutil.rmtree(folder)
    copy.rename(folder)
    cloud.job(6)
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    cloud.bench.check_billed_once(6)
    assert cloud.made() == 6


def test_a_copied_folder_takes_nothing_from_a_run_that_goes_on_elsewhere(cloud: Cloud):
    cloud.job(2)
    assert cloud.run().returncode == 0
    (name,) = [name for name in cloud.store.names() if name.endswith(OBJECT)]
    beat = datetime.now(UTC).isoformat()
    claim = {**cloud.claim(), "host": "far-away", "ended": False, "beat": beat}
    cloud.store.put(name, json.dumps(claim).encode())
    for done in (cloud.call("verify", URL, "--repair"), cloud.run()):
        assert done.returncode == 8, done.stderr
    assert cloud.claim() == claim


def test_what_a_power_cut_takes_from_the_memory_of_uploads_is_listed_anew(cloud: Cloud):
    cloud.job(3)
    assert cloud.run().returncode == 0
    (name,) = [name for name in cloud.store.names() if name.endswith(OBJECT)]
    cloud.store.put(name, json.dumps({**cloud.claim(), "ended": False, "ledger": ""}).encode())
    uploads = Uploads(cloud.bench.dataset / ".batchgen/bucket.sqlite3")
    uploads.forget(cloud.store.names("sets/job/images/")[0].removeprefix("sets/job/"))
    before = cloud.bench.service.counts().requests
    done = cloud.run()
    assert done.returncode == 0, done.stderr
    assert cloud.bench.service.counts().requests == before
    assert cloud.made() == 3


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ("foreign", 2, "holds no dataset of batchgen, but 'sets/job/holiday.png'"),
        ("no bucket", 7, "there is no such bucket"),
        ("refused", 7, "it is not allowed"),
        ("no claim", 7, "is no claim of batchgen"),
        ("url", 2, "expected s3://bucket/prefix"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(cloud: Cloud, wrong, code, words):
    url = {"no bucket": "s3://nothing/job", "url": "s3://pictures/../up"}.get(wrong, URL)
    cloud.job(2, url)
    if wrong in ("foreign", "no claim"):
        name = f"sets/job/{'holiday.png' if wrong == 'foreign' else OBJECT}"
        cloud.store.put(name, b'{"run": 1}')
    if wrong == "refused":
        cloud.store.wrong = {"claim.json": 403}
    before = cloud.store.names()
    done = cloud.run()
    assert done.returncode == code, done.stderr
    assert words in done.stderr.replace("'holiday.png'", "'sets/job/holiday.png'")
    assert cloud.store.names() == before
    assert cloud.bench.service.counts()["received"] == 0


def test_a_bucket_that_was_emptied_or_is_another_one_is_not_filled_again(cloud: Cloud):
    cloud.job(2)
    assert cloud.run().returncode == 0
    cloud.store.objects.clear()
    cloud.job(3)
    done = cloud.run()
    assert done.returncode == 7
    assert "images were put there before" in done.stderr
    assert cloud.bench.service.counts()["received"] == 2


def test_a_ledger_that_is_not_the_one_that_was_left_is_not_used(cloud: Cloud):
    cloud.job(2)
    assert cloud.run().returncode == 0
    held = cloud.store.objects["sets/job/.batchgen/ledger.sqlite3"]
    held.data = held.data[:-1] + b"?"
    cloud.at("there")
    done = cloud.run()
    assert done.returncode == 7
    assert "is not the one that its last run has left" in done.stderr
    assert cloud.bench.service.counts()["received"] == 2


def test_an_image_deleted_in_the_bucket_is_found_missing_and_fetched_again(cloud: Cloud):
    cloud.job(3)
    assert cloud.run().returncode == 0
    gone = cloud.store.names("sets/job/images/")[1]
    whole = cloud.store.objects.pop(gone)
    done = cloud.call("verify", URL, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["missing"] == [gone.removeprefix("sets/job/")]
    done = cloud.call("verify", URL, "--repair")
    assert done.returncode == 0, done.stderr
    assert cloud.store.objects[gone].data == whole.data
    assert cloud.made() == 3
    cloud.bench.check_billed_once(3)


def test_other_commands_and_python_take_the_address(cloud: Cloud, monkeypatch):
    cloud.job(3)
    assert cloud.run().returncode == 0
    cloud.at("there")
    assert "saved                     3" in cloud.call("plan", "job.yaml").stdout
    assert json.loads(cloud.call("status", URL, "--json").stdout)["saved"] == 3
    assert cloud.call("reconcile", URL).returncode == 0
    done = cloud.call("export", URL, "--to", "webdataset", "--out", cloud.bench.folder / "tars")
    assert done.returncode == 0, done.stderr
    for name, value in cloud.bench.env.items():
        monkeypatch.setenv(name, value)
    assert {row.open().size for row in open_dataset(URL)} == {(16, 8)}


def test_shards_are_refused(cloud: Cloud):
    cloud.job(3)
    done = cloud.run("--shard", "0/2")
    assert done.returncode == 2
    assert "shards cannot share s3://" in done.stderr


def test_without_obstore_it_is_said_what_to_install(cloud: Cloud):
    cloud.job(3)
    done = cloud.bench.run(patch={**PATCH, "sys.modules['obstore']": None})
    assert done.returncode == 2, done.stderr
    assert "pip install 'batchgen[cloud]'" in done.stderr
    assert cloud.bench.service.counts()["received"] == 0


def _crash(cloud: Cloud, point: int) -> bool:
    """Run and die at that moment; False when the run ends before it comes."""
    source = "import tests.support.crashing as m; m.main()"
    words = (point, "--", "run", "job.yaml")
    done = cli.run_forked(source, *words, cwd=cloud.bench.folder, env=cloud.bench.env)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def _check_after_crash(cloud: Cloud, variants: int) -> None:
    done = cloud.run()
    assert done.returncode in {0, 5}, done.stderr
    states = cloud.bench.states()
    assert states["saved"] + states["uncertain"] == variants
    assert set(cloud.bench.service.counts().by_request("billed").values()) <= {1}
    assert cloud.made() == states["saved"]
    assert cloud.bench.image_files() == []
    assert cloud.claim()["ended"] is True


# Of about 190 moments: around the claim, images and what is uploaded at the end.
@pytest.mark.parametrize("point", [2, 6, 60, 80, 95, 110, 140, 170, 185])
def test_a_run_killed_at_a_step_of_an_upload_is_finished_by_the_next(cloud: Cloud, point):
    cloud.job(4, run={"concurrency": 2})
    _crash(cloud, point)
    _check_after_crash(cloud, 4)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, 9))
def test_a_run_killed_at_any_step_of_an_upload_is_finished_by_the_next(bench: Bench, first):
    point, crashed, root = first, True, bench.folder
    while crashed:
        bench.service.reset()
        own = Bench(root / str(point), bench.service)
        own.folder.mkdir()
        with object_store() as store:
            cloud = Cloud(own, store)
            cloud.job(4, run={"concurrency": 2})
            crashed = _crash(cloud, point)
            _check_after_crash(cloud, 4)
        point += 8
    assert point > 150


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_ends_a_run_whose_store_hangs(cloud: Cloud, signals):
    cloud.job(3)
    cloud.store.hanging = "images/"
    patch = {**PATCH, "batchgen.run.bucket.mirror.HURRIED": 0.2 if signals == 1 else 30.0}
    with cloud.bench.start(patch=patch) as running:
        running.until_states(saved=3)
        for _ in range(signals):
            running.process.signal(signal.SIGTERM)
            running.process.until(lambda: "SIGTERM" in running.process.stderr)
        assert running.process.wait() == 143
    cloud.store.hanging = ""
    assert len(cloud.bench.image_files()) == 3
    assert cloud.run().returncode == 0
    assert cloud.made() == 3
    cloud.bench.check_billed_once(3)


def test_a_run_that_cannot_begin_gives_the_bucket_back(cloud: Cloud):
    cloud.job(1, matrix={"seed": "0..1999"})
    done = cloud.run()
    assert done.returncode == 2, done.stderr
    assert "say --yes" in done.stderr
    cloud.at("there")
    cloud.job(3)
    assert cloud.run().returncode == 0
    cloud.bench.check_billed_once(3)


def test_a_run_that_has_lost_the_bucket_writes_nothing_over_what_came_since(cloud: Cloud):
    cloud.job(3)
    cloud.bench.service.hold(completion=1)
    with cloud.bench.start(patch=PATCH) as running:
        running.until_states(saved=1, submitted=2)
        (name,) = [name for name in cloud.store.names() if name.endswith(OBJECT)]
        other = json.dumps({**cloud.claim(), "run": "another", "host": "far-away"}).encode()
        cloud.store.put(name, other)
        cloud.bench.service.release()
        assert running.process.wait() == 7
        assert f"another run has written {URL}/{OBJECT}" in running.process.stderr
    assert cloud.store.objects[name].data == other
    assert cloud.store.puts("manifest") == cloud.store.puts("ledger") == []
    cloud.silence()
    assert cloud.run().returncode == 7  # this folder knows less than that one
    assert cloud.bench.service.counts()["received"] == 3


def test_a_claim_that_nobody_can_have_written_is_not_read(cloud: Cloud):
    cloud.job(1)
    odd = dict.fromkeys(("run", "host", "folder"), "a\x1b[2J\nbatchgen: ok")
    odd |= dict.fromkeys(("since", "beat"), "2026-11-27T10:00:00Z")
    odd_data = json.dumps({**odd, "pid": 1}).encode()
    for data in (b"x" * 200_000, b"[" * 50_000, json.dumps({"run": 1}).encode(), odd_data):
        cloud.store.put(f"sets/job/{OBJECT}", data)
        done = cloud.run()
        assert done.returncode == 7
        assert "larger than" in done.stderr or "no claim of batchgen" in done.stderr
    assert cloud.bench.service.counts()["received"] == 0


def test_doctor_tells_whether_the_bucket_can_be_had(cloud: Cloud):
    cloud.job(1)
    assert f"bucket    {URL} can be read, empty" in cloud.call("doctor", "job.yaml").stdout
    cloud.store.put("sets/job/holiday.png", b"mine")
    found = json.loads(cloud.call("doctor", "job.yaml", "--json").stdout)
    (check,) = [check for check in found if check["name"] == "bucket"]
    assert check["verdict"] == "wrong"
    assert "holds no dataset of batchgen" in check["found"]


def _taken(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Hold:
    for name, value in cloud.bench.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("batchgen.dataset.stores.bucket._RETRIES", {"max_retries": 0})
    folder = DatasetFolder(dataset_path(URL))
    uploads = Uploads(folder.state / "bucket.sqlite3")
    return take(Bucket.open(URL), None, uploads, folder)


def test_a_sign_of_life_whose_answer_was_lost_is_no_other_run(cloud: Cloud, monkeypatch):
    hold = _taken(cloud, monkeypatch)
    write = Bucket.write

    def lost(*args: Any, **over: Any) -> Content:
        write(*args, **over)
        raise StorageError("the store does not answer")

    times = iter(("2026-11-27T10:00:00Z", "2026-11-27T10:01:00Z"))
    monkeypatch.setattr("batchgen.run.bucket.claims._now", lambda: next(times))
    with monkeypatch.context() as away:
        away.setattr(Bucket, "write", lost)
        with pytest.raises(StorageError, match="does not answer"):
            hold.beat()
    hold.beat()
    assert cloud.claim()["beat"] == "2026-11-27T10:01:00Z"


def test_a_sign_of_life_that_is_late_takes_nothing_back(cloud: Cloud, monkeypatch):
    hold = _taken(cloud, monkeypatch)
    with ThreadPoolExecutor(1) as threads:
        with hold._lock:  # while the run lets go
            late = threads.submit(hold.beat)
            assert not wait([late], timeout=0.05).done
            hold.claim = replace(hold.claim, ended=True, ledger="abc")
        late.result()
    assert (cloud.claim()["ended"], cloud.claim()["ledger"]) == (True, "abc")


def test_signs_of_life_from_two_threads_are_no_other_run(cloud: Cloud, monkeypatch):
    hold = _taken(cloud, monkeypatch)
    times = iter(range(100))
    monkeypatch.setattr(
        "batchgen.run.bucket.claims._now", lambda: f"2026-11-27T10:00:{next(times):02}Z"
    )
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: hold.beat(), range(20)))
    assert str(cloud.claim()["beat"]).startswith("2026-11-27T10:00:1")


def test_where_there_is_no_dataset_none_is_begun(cloud: Cloud):
    cloud.job(1)
    for words in (("verify", URL), ("verify", URL, "--repair"), ("status", URL), ("report", URL)):
        done = cloud.call(*words)
        assert done.returncode == 2, done.stderr
        assert "expected a dataset at" in done.stderr
    assert cloud.store.names() == []
    done = cloud.call("plan", "job.yaml", "--out", "s3://nothing/x")
    assert done.returncode == 0
    assert "there is no such bucket" in done.stderr
    assert "what is there is not known" in done.stderr
