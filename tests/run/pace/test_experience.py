"""What was learned about latencies comes back, and does no harm when it cannot."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from batchgen.ledger.entry import Entry, State
from batchgen.run.pace.experience import VERSION, Experience, cache_file
from batchgen.run.pace.latency import Latencies
from tests.support.bench import Bench
from tests.support.cli import summary

ENTRY = Entry(
    key="0" * 20,
    state=State.PLANNED,
    revision=0,
    prompt_id="pear",
    model="some/model",
    request={"prompt": "a pear"},
    images_asked=1,
)


def taught(*files: Path) -> Experience:
    experience = Experience("here", files)
    for _ in range(50):
        experience.of(ENTRY).observe(7.0)
    experience.keep()
    return experience


def test_it_comes_back_from_either_file(tmp_path):
    files = (tmp_path / "a" / "latency.json", tmp_path / "b" / "latency.json")
    counts = taught(*files).of(ENTRY).counts()
    for file in files:
        assert Experience("here", [file]).of(ENTRY).counts() == counts
    files[0].unlink()
    assert Experience("here", files).of(ENTRY).counts() == counts


@pytest.mark.parametrize(
    "change",
    [{"model": "other/model"}, {"images_asked": 4}, {"request": {"resolution": "2k"}}],
)
def test_each_kind_of_request_has_its_own(tmp_path, change):
    taught(tmp_path / "latency.json")
    experience = Experience("here", [tmp_path / "latency.json"])
    assert experience.of(replace(ENTRY, **change)).counts() == {}
    assert Experience("there", [tmp_path / "latency.json"]).of(ENTRY).counts() == {}


def test_what_this_run_did_not_meet_is_kept(tmp_path):
    taught(tmp_path / "latency.json")
    other = replace(ENTRY, model="other/model")
    experience = Experience("here", [tmp_path / "latency.json"])
    experience.of(other).observe(3)
    experience.keep()
    again = Experience("here", [tmp_path / "latency.json"])
    assert again.of(ENTRY).counts()
    assert again.of(other).counts()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"version": 0, "kinds": {}}', json.dumps({"version": VERSION})]
    + [json.dumps({"version": VERSION, "kinds": kinds}) for kinds in (7, {"k": 7}, {"k": {"x": 1}})]
    + [json.dumps({"version": VERSION, "kinds": {"here some/model 1": {"9": "NaN", "3": -5}}})],
)
def test_an_odd_file_is_passed_over_and_replaced(tmp_path, content):
    file = tmp_path / "latency.json"
    file.write_text(content, "utf-8")
    assert Experience("here", [file]).of(ENTRY).next_poll(0, at_least=2) >= 2
    taught(file)
    assert Experience("here", [file]).of(ENTRY).counts()


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    taught(tmp_path / "file" / "latency.json", tmp_path / "good.json")
    assert (tmp_path / "good.json").exists()


@pytest.mark.parametrize(
    ("environment", "folder"),
    [({"HOME": "/h"}, "/h/.cache"), ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "/c")],
)
def test_the_cache_folder_is_the_users(environment, folder):
    assert cache_file(environment) == Path(folder) / "batchgen" / "latency.json"


def test_a_run_learns_and_tells_what_it_cost(bench: Bench):
    bench.job([f"a pear {n} [poll=processingx2]" for n in range(12)])
    assert bench.run().returncode == 0
    found = summary(bench.dataset)
    assert found["polls_per_image"] == round(found["polls"] / 12, 3)
    assert found["polls_per_image"] >= 3
    assert 0 < found["detection_lag_s"] < 5
    (kind,) = json.loads((bench.dataset / ".batchgen" / "latency.json").read_bytes())["kinds"]
    assert kind == "local wavespeed-ai/imagen4 1"
    cached = json.loads((bench.folder / ".cache" / "batchgen" / "latency.json").read_bytes())
    assert sum(cached["kinds"][kind].values()) == pytest.approx(12)
    assert Latencies({int(k): v for k, v in cached["kinds"][kind].items()}).counts()
