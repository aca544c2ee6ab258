"""How images are kept: what fits together, and how they are called then."""

import pytest

from batchgen.errors import JobError
from batchgen.job.grammar.keeping import Packing
from batchgen.job.load import load_job
from tests.support.cli import write_job


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        ({"format": "zip"}, "expected files, webdataset, parquet or huggingface"),
        ({"format": "parquet", "file_name": "{key}_{index}"}, "images are named by keys"),
        ({"format": "webdataset", "also": ["captions", "checksums"]}, "captions stand beside"),
        ({"format": "webdataset", "shard_images": 0}, "shard_images"),
        ({"shard_size": "0"}, "a size above 0"),
        ({"shard_size": "much"}, "a size such as"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, output, wrong):
    with pytest.raises(JobError) as error:
        load_job(write_job(tmp_path / "job.yaml", ["a pear"], output=output))
    assert wrong in str(error.value)


@pytest.mark.parametrize(
    ("output", "packing"),
    [
        ({}, None),
        ({"format": "huggingface", "also": ["captions"]}, None),
        ({"format": "parquet"}, Packing(format="parquet", images=1_000, bytes=500_000_000)),
        (
            {"format": "webdataset", "shard_images": 7, "shard_size": "2MB", "also": ["checksums"]},
            Packing(format="webdataset", images=7, bytes=2_000_000),
        ),
    ],
)
def test_how_images_are_packed(tmp_path, output, packing):
    job = load_job(write_job(tmp_path / "job.yaml", ["a pear"], output=output))
    assert job.packing == packing
