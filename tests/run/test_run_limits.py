"""The limits of a run: the job's own numbers, the tier's, or what is assumed."""

from dataclasses import replace

import pytest

from batchgen.api.key import ApiKey
from batchgen.job.load import Pace, load_job
from batchgen.run.terms.access import WAVESPEED, Access
from batchgen.run.terms.limits import settle_limits
from tests.support.cli import write_job

REAL = Access(base_url=WAVESPEED, key=ApiKey("key"), free=False)
HERE = Access(base_url="http://127.0.0.1:1", key=ApiKey("key"), free=False)
LOCAL = Access(base_url="", key=ApiKey("key"), free=True)


@pytest.fixture
def pace(tmp_path) -> Pace:
    return load_job(write_job(tmp_path / "job.yaml", ["a pear"])).pace


@pytest.mark.parametrize(
    ("access", "said", "limits"),
    [
        (REAL, {}, (2, 2, "bronze")),
        (REAL, {"tier": "silver"}, (300, 500, None)),
        (REAL, {"tier": "silver", "rate": 60.0}, (300, 60, None)),
        (REAL, {"tier": "ultra", "concurrency": 7}, (7, 5000, None)),
        (REAL, {"concurrency": 50}, (50, 2, "bronze")),
        (REAL, {"rate": 400.0}, (2, 400, "bronze")),
        (REAL, {"rate": 400.0, "concurrency": 50}, (50, 400, None)),
        (HERE, {}, (8, None, None)),
        (LOCAL, {}, (8, None, None)),
        (LOCAL, {"tier": "bronze"}, (2, 2, None)),
        (HERE, {"rate": 30.0}, (8, 30, None)),
    ],
)
def test_what_is_said_stands_above_the_tier(pace, access, said, limits):
    found = settle_limits(replace(pace, **said), remote=access.remote)
    assert (found.concurrency, found.rate, found.assumed) == limits


@pytest.mark.parametrize(
    ("images", "more"),
    [
        (2, ""),
        (3, ", so 3 images take 2 minutes"),
        (118, ", so 118 images take 59 minutes"),
        (120, ", so 120 images take 1.0 hours"),
        (1000, ", so 1,000 images take 8.3 hours"),
    ],
)
def test_an_assumption_is_said_with_what_it_means(pace, images, more):
    assert settle_limits(pace, remote=True).sentence(images) == (
        "no tier is named, so the account is taken for bronze: "
        f"2 images per minute, 2 in flight{more}; name yours with run.tier or --tier"
    )
