"""Whose images a dataset holds: pictures of a rehearsal never count as bought."""

import pytest

from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from batchgen.run.terms.access import mixing
from tests.ledger.made import bring, image
from tests.support import cli
from tests.support.bench import Bench

ELSEWHERE = "https://api.wavespeed.ai"


@pytest.mark.parametrize(
    ("facts", "here", "elsewhere"),
    [
        ({}, True, True),
        ({"origin": "local"}, True, False),
        ({"origin": "local", "service": "wavespeed"}, True, False),
        ({"origin": ELSEWHERE, "service": "wavespeed"}, False, True),
        ({"service": "local"}, True, False),
        ({"service": "wavespeed"}, True, True),  # an earlier version did not say where it was
    ],
)
async def test_only_services_of_one_kind_go_on_with_a_dataset(tmp_path, facts, here, elsewhere):
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.set_meta(**facts)
        assert (
            mixing(ledger, tmp_path, remote=True) is mixing(ledger, tmp_path, remote=False) is None
        )
        await bring(ledger, "a", State.SAVED, [image("a")])
        for remote, may in ((False, here), (True, elsewhere)):
            assert (mixing(ledger, tmp_path, remote=remote) is None) is may


def test_a_rehearsal_is_neither_taken_for_the_dataset_nor_added_to(bench: Bench):
    bench.job(["a pear"])
    assert bench.run().returncode == 0
    received = bench.service.counts()["received"]
    manifest = (bench.dataset / "manifest.jsonl").read_bytes()
    there = {"WAVESPEED_BASE_URL": "", "WAVESPEED_API_KEY": cli.KEY}
    for command, code in (("plan", 0), ("run", 2)):
        done = cli.run_batchgen(command, "job.yaml", cwd=bench.folder, env=there)
        assert done.returncode == code
        assert "made by a service on this computer and would count as made" in done.stderr
    assert bench.service.counts()["received"] == received == 1
    assert (bench.dataset / "manifest.jsonl").read_bytes() == manifest
    assert bench.run().returncode == 0
