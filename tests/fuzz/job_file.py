"""Coverage-guided fuzzing of the reader of job files.

Needs atheris, which the project does not depend on::

    pip install atheris
    python -m tests.fuzz.job_file -max_total_time=600 jobs
"""

import sys
import tempfile
from itertools import islice
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["batchgen", "yaml"]):
    from batchgen.errors import UsageError
    from batchgen.job.load import load_job

FOLDER = Path(tempfile.mkdtemp(prefix="batchgen-fuzz-"))


def one_input(data: bytes) -> None:
    """Load *data* as a job file: a job whose every variant can be made, or a plain refusal."""
    path = FOLDER / "job.yaml"
    path.write_bytes(data)
    try:
        job = load_job(path)
    except UsageError:
        return
    assert len(job.variants) > 0
    assert job.image_count() >= len(job.variants)
    for variant in islice(job.variants, 20):
        name = job.image_name(variant, 0)
        assert name.startswith("images/")
        assert ".." not in name.split("/")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
