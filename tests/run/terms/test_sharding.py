"""What a shard is called, what it is to make, and its share of the limits."""

from dataclasses import replace

import pytest

from batchgen.errors import UsageError
from batchgen.job.load import Job, load_job
from batchgen.job.models import find_model
from batchgen.ledger.divided import DividedLedger
from batchgen.ledger.parts import Shard, divide, part_of
from batchgen.run.terms.limits import Limits
from batchgen.run.terms.sharding import planned_in, read_shard, share_of
from tests.support.cli import write_job

SLURM = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "3"}


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("0/1", {}, Shard(0, 1)),
        ("63/64", {}, Shard(63, 64)),
        ("auto", SLURM, Shard(1, 3)),
        ("auto/8", {"JOB_COMPLETION_INDEX": "7"}, Shard(7, 8)),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "2"}, Shard(0, 2)),
        ("auto", {"CLOUD_RUN_TASK_INDEX": "1", "CLOUD_RUN_TASK_COUNT": "4"}, Shard(1, 4)),
    ],
)
def test_a_shard_is_named_or_found_in_the_environment(text, environment, shard):
    assert read_shard(text, environment) == shard


@pytest.mark.parametrize(
    ("text", "environment", "says"),
    [
        ("3", {}, "expected a shard like 0/3"),
        ("-1/3", {}, "expected a shard like 0/3"),
        ("1/3/5", {}, "expected a shard like 0/3"),
        ("3/3", {}, "from 0/N to N-1/N"),
        ("0/65", {}, "an N of at most 64"),
        ("0/0", {}, "from 0/N to N-1/N"),
        ("auto", {}, "needs one of SLURM_ARRAY_TASK_ID"),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}, "use auto/N"),
        ("auto/3", {"JOB_COMPLETION_INDEX": "one"}, "expected a number in JOB_COMPLETION_INDEX"),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_COUNT": "1"}, "got 1/1"),
    ],
)
def test_what_names_no_shard_is_refused(text, environment, says):
    with pytest.raises(UsageError, match=says):
        read_shard(text, environment)


@pytest.fixture
def job(tmp_path) -> Job:
    prompts = ["a pear", {"text": "a plum", "num_images": [1, 3]}]
    return load_job(write_job(tmp_path / "job.yaml", prompts, matrix={"seed": "0..29"}))


def test_shares_add_up_to_the_limits_of_all(job):
    pace, limits = replace(job.pace, limit=7), Limits(concurrency=8, rate=90.0, assumed=None)
    shares = [share_of(pace, limits, Shard(index, 3)) for index in range(3)]
    assert [own.concurrency for _, own in shares] == [3, 3, 2]
    assert [own.rate for _, own in shares] == [30.0] * 3
    assert [own.limit for own, _ in shares] == [3, 2, 2]
    open_ended = replace(limits, rate=None)
    assert share_of(job.pace, open_ended, Shard(0, 2)) == (
        job.pace,
        replace(open_ended, concurrency=4),
    )


def test_more_shards_than_may_be_in_flight_are_refused(job):
    limits = Limits(concurrency=2, rate=None, assumed=None)
    with pytest.raises(UsageError, match="concurrency of at least 3 for 3 shards"):
        share_of(job.pace, limits, Shard(0, 3))


def test_what_is_planned_in_some_parts_is_counted_once_for_each_plan(job, tmp_path, monkeypatch):
    divide(tmp_path / "none", tmp_path / "ledgers")
    own = [v for v in job.variants if part_of(v.key) % 3 == 1]
    images = sum(find_model(v.model).images(v.request) for v in own)
    with DividedLedger(tmp_path / "ledgers", Shard(1, 3).parts) as ledger:
        planned = planned_in(ledger, job)
        assert (planned.variants, planned.images) == (len(own), images)
        looked: list[Job] = []

        def look(job: Job) -> tuple[()]:
            looked.append(job)
            return ()

        monkeypatch.setattr("batchgen.run.terms.sharding._sizes", look)
        assert planned_in(ledger, job) == planned
        assert not looked
        edited = load_job(write_job(tmp_path / "job.yaml", ["a pear"]))
        planned_in(ledger, edited)
        assert looked == [edited]


def test_images_of_variants_that_are_all_alike_are_counted_by_multiplication(tmp_path):
    file = write_job(tmp_path / "job.yaml", ["a", "b"], matrix={"seed": "0..9"},
                     params={"num_images": 2})  # fmt: skip
    job = load_job(file)
    divide(tmp_path / "none", tmp_path / "ledgers")
    with DividedLedger(tmp_path / "ledgers", range(1, 64)) as ledger:
        own = sum(part_of(key) > 0 for key in job.variants.keys())  # noqa: SIM118  # no mapping
        assert planned_in(ledger, job).images == 2 * own
