"""Checking a dataset by its files: every damage is found, and mended for free where it can be."""

import asyncio
import json
import math
from dataclasses import asdict
from typing import Any

import pytest

from batchgen.errors import ExitCode, UsageError
from batchgen.job.load import load_job
from batchgen.run.care.verify import verify_dataset
from batchgen.run.making import run_job
from batchgen.run.terms.options import RunOptions
from tests.support import cli
from tests.support.bench import QUICK, Bench
from tests.support.picture import picture

Found = dict[str, Any]


@pytest.fixture(autouse=True)
def reach(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what runs in this process find the service."""
    for constant, quick in QUICK.items():
        monkeypatch.setattr(constant, quick)
    for name, value in bench.env.items():
        monkeypatch.setenv(name, value)


def check(bench: Bench, *, repair: bool = False) -> Found:
    """What ``batchgen verify --json`` says, without a process of its own."""
    found = asyncio.run(verify_dataset(bench.dataset, repair=repair))
    return {**asdict(found), "sound": found.sound}


def run(bench: Bench, **options: Any) -> ExitCode:
    """The exit code of ``batchgen run``, without a process of its own."""
    return asyncio.run(
        run_job(load_job(bench.folder / "job.yaml"), RunOptions(**options))
    ).exit_code


def made(bench: Bench, prompts: object = 3, **keys: Any) -> list[str]:
    """A sound dataset; the names of its images."""
    bench.job(prompts, **keys)
    assert run(bench) == 0
    return [row["file_name"] for row in bench.rows()]


def delete(bench: Bench, names: list[str]) -> Found:
    (bench.dataset / names[0]).unlink()
    return {"missing": names[:1]}


def replaced_by_a_folder(bench: Bench, names: list[str]) -> Found:
    delete(bench, names)
    (bench.dataset / names[0]).mkdir()
    return {"missing": names[:1]}


def truncate(bench: Bench, names: list[str]) -> Found:
    path = bench.dataset / names[1]
    path.write_bytes(path.read_bytes()[:-20])
    return {"damaged": names[1:2]}


def empty(bench: Bench, names: list[str]) -> Found:
    (bench.dataset / names[1]).write_bytes(b"")
    return {"damaged": names[1:2]}


def flip_a_bit(bench: Bench, names: list[str]) -> Found:
    path = bench.dataset / names[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return {"damaged": names[1:2]}


def swap(bench: Bench, names: list[str]) -> Found:
    first, second = (bench.dataset / name for name in names[:2])
    aside = bench.dataset / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    return {"damaged": names[:2]}


def another_type(bench: Bench, names: list[str]) -> Found:
    (bench.dataset / names[2]).write_bytes(b"GIF89a" + bytes(200))
    return {"damaged": names[2:]}


def another_picture(bench: Bench, names: list[str]) -> Found:
    (bench.dataset / names[2]).write_bytes(picture({"prompt": "not ours"}, 0))
    return {"damaged": names[2:]}


def several(bench: Bench, names: list[str]) -> Found:
    return delete(bench, names) | flip_a_bit(bench, names)


FILES = [
    delete,
    replaced_by_a_folder,
    truncate,
    empty,
    flip_a_bit,
    swap,
    another_type,
    another_picture,
    several,
]


def row_removed(lines: list[bytes]) -> list[bytes]:
    return lines[:1] + lines[2:]


def row_added(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[-1]]


def row_changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1].replace(b"plain", b"fancy")]


def rows_in_another_order(lines: list[bytes]) -> list[bytes]:
    return lines[::-1]


def cut(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:-9]]


ROWS = [row_removed, row_added, row_changed, rows_in_another_order, cut, None]
SOUND = {
    "missing": [],
    "damaged": [],
    "foreign": [],
    "shards": [],
    "manifest_exact": True,
    "rebuilt": None,
    "fetched": 0,
    "costly": [],
    "left": [],
    "sound": True,
}


def test_a_sound_dataset_is_sound_and_nothing_is_asked_or_changed(bench: Bench):
    made(bench)
    requests = bench.service.counts().requests
    before = {p: p.read_bytes() for p in bench.dataset.glob("*.*") if p.is_file()}
    for repair in (False, True):
        assert check(bench, repair=repair) == {"checked": 3, **SOUND}
    assert bench.service.counts().requests == requests
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("damage", FILES, ids=lambda d: d.__name__)
def test_a_damaged_file_is_found_and_a_repair_fetches_it_again_for_free(bench: Bench, damage):
    names = made(bench)
    received = bench.service.counts()["received"]
    wrong = damage(bench, names)
    lost = [name for of in ("missing", "damaged") for name in wrong.get(of, [])]
    broken = sorted((bench.dataset / name).read_bytes() for name in wrong.get("damaged", []))
    for _ in range(2):  # looking changes nothing
        assert check(bench) == {"checked": 3, **SOUND, "sound": False, "left": lost, **wrong}
    found = check(bench, repair=True)
    assert (found["sound"], found["fetched"], found["left"]) == (True, len(lost), [])
    assert check(bench) == {"checked": 3, **SOUND}
    bench.check_whole(3)
    assert bench.image_files() == sorted(names)
    kept = bench.dataset / ".batchgen" / "quarantine"
    held = [path for path in kept.glob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in held) == broken
    assert bench.service.counts()["received"] == received
    assert run(bench) == 0
    assert bench.service.counts()["received"] == received


@pytest.mark.parametrize("name", ["manifest.jsonl", "manifest.csv"])
@pytest.mark.parametrize("damage", ROWS, ids=lambda d: d.__name__ if d else "deleted")
def test_a_manifest_that_differs_is_found_and_mended_to_the_byte(bench: Bench, name, damage):
    made(bench)
    requests = bench.service.counts().requests
    path = bench.dataset / name
    whole = path.read_bytes()
    if damage:
        path.write_bytes(b"".join(damage(whole.splitlines(keepends=True))))
    else:
        path.unlink()
    assert check(bench) == {"checked": 3, **SOUND, "manifest_exact": False, "sound": False}
    assert check(bench, repair=True) == {"checked": 3, **SOUND}
    assert path.read_bytes() == whole
    assert bench.service.counts().requests == requests


def test_files_of_somebody_else_are_listed_and_never_touched(bench: Bench):
    made(bench)
    images = bench.dataset / "images"
    (images / "v1.2").mkdir()
    for name in ("mine.png", "v1.2/notes"):
        (images / name).write_bytes(b"mine")
    foreign = ["images/mine.png", "images/v1.2/notes"]
    for repair in (False, True):
        assert check(bench, repair=repair) == {"checked": 3, **SOUND, "foreign": foreign}
    assert (images / "mine.png").read_bytes() == b"mine"


def test_what_the_service_no_longer_has_is_listed_as_costly(bench: Bench):
    names = made(bench, ["a pear [created=old] [image=redirectx1] [image=410]", "a plum"])
    (pear,) = (row for row in bench.rows() if row["prompt"].startswith("a pear"))
    for name in names:
        (bench.dataset / name).unlink()
    found = check(bench, repair=True)
    assert (found["sound"], found["costly"]) == (False, [pear["variant_key"]])
    assert (found["fetched"], found["left"]) == (1, [pear["file_name"]])
    # It stays lost, and is bought again only by name.
    assert run(bench) == 3
    assert run(bench, retry_failed=True, resubmit_lost=False) == 3
    bench.check_billed_once(2)
    assert [row["paid"] for row in cli.failures(bench.dataset)] == [True]
    bench.check_whole(1)


@pytest.mark.parametrize("images", [1, 3])
def test_a_host_that_is_down_is_no_reason_to_call_an_image_lost(bench: Bench, images):
    prompt = f"a pear [image0=redirectx1] [image0=500x3] and {images}"
    (name, *_) = made(bench, [prompt], params={"num_images": images})
    (bench.dataset / name).unlink()
    found = check(bench, repair=True)
    assert (found["sound"], found["costly"], name in found["left"]) == (False, [], True)
    # What a repair could not fetch is not forgotten.
    found = check(bench)
    assert (found["sound"], len(found["left"])) == (False, 1)
    found = check(bench, repair=True)
    assert (found["sound"], found["fetched"], found["left"]) == (True, images, [])
    bench.check_whole(images)
    bench.check_billed_once(1)


def test_without_a_key_nothing_is_lost_and_the_next_repair_mends_it(bench: Bench, monkeypatch):
    delete(bench, made(bench))
    with monkeypatch.context() as without:
        without.delenv("WAVESPEED_API_KEY")
        with pytest.raises(UsageError, match="WAVESPEED_API_KEY"):
            check(bench, repair=True)
    assert not check(bench)["sound"]
    assert check(bench, repair=True)["sound"]
    bench.check_whole(3)
    bench.check_billed_once(3)


def edit_pace(bench: Bench, **changes: object) -> None:
    """Change what the ledger says of the last run; None takes a field away."""
    ((told,),) = bench.ask_ledger("SELECT value FROM meta WHERE name = 'pace'")
    pace = {**json.loads(told), **changes}
    kept = {name: value for name, value in pace.items() if changes.get(name, 0) is not None}
    bench.edit_ledger("UPDATE meta SET value = ? WHERE name = 'pace'", json.dumps(kept))


def test_a_dataset_of_an_earlier_version_is_repaired(bench: Bench):
    delete(bench, made(bench))
    edit_pace(bench, tier=None, retries=None)
    assert check(bench, repair=True)["sound"]
    bench.check_whole(3)


@pytest.mark.parametrize(
    "change",
    [
        *({"submit_timeout": None}, {"submit_timeout": math.inf}, {"poll_timeout": math.nan}),
        *({"poll_timeout": 10**400}, {"download_timeout": -1}, {"unknown": 1}),
    ],
    ids=str,
)
def test_a_pace_that_none_can_have_is_said_before_anything_is_moved(bench: Bench, change):
    (name, *_) = made(bench, 1)
    path = bench.dataset / name
    path.write_bytes(b"damaged")
    edit_pace(bench, **change)
    with pytest.raises(UsageError, match="knows no last run"):
        check(bench, repair=True)
    assert path.read_bytes() == b"damaged"


def test_with_another_key_paid_work_waits_for_its_own(bench: Bench, monkeypatch):
    delete(bench, made(bench))
    with monkeypatch.context() as other:
        other.setenv("WAVESPEED_API_KEY", "another-key")
        requests = bench.service.counts().requests
        assert not check(bench, repair=True)["sound"]
        assert bench.service.counts().requests == requests
    assert check(bench, repair=True)["sound"]
    bench.check_whole(3)
    bench.check_billed_once(3)
