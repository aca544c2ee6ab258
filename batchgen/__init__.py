"""batchgen: one YAML job file in, a labelled image dataset out.

::

    import asyncio, batchgen

    job = batchgen.load_job("sample_jobs.yaml")
    print(len(job.variants), job.variants[0].request)
    outcome = asyncio.run(batchgen.run_job(job))
    for row in batchgen.open_dataset(outcome.dataset):
        print(row["file_name"], row["seed"], row["nsfw"])

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from batchgen.errors import BatchgenError, ExitCode

if TYPE_CHECKING:
    from batchgen.dataset.exports.export import Exported, export_dataset
    from batchgen.dataset.rows.reading import Dataset
    from batchgen.job.load import Job, load_job
    from batchgen.job.variants import Variant
    from batchgen.run.bucket.bringing import open_dataset
    from batchgen.run.making import run_job
    from batchgen.run.streaming import run_job_sync, start_job
    from batchgen.run.telling.accounts import Outcome
    from batchgen.run.telling.hooks import Hooks
    from batchgen.run.terms.options import RunOptions

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "dataset.rows.reading",
    "Exported": "dataset.exports.export",
    "Hooks": "run.telling.hooks",
    "Job": "job.load",
    "Outcome": "run.telling.accounts",
    "RunOptions": "run.terms.options",
    "Variant": "job.variants",
    "export_dataset": "dataset.exports.export",
    "load_job": "job.load",
    "open_dataset": "run.bucket.bringing",
    "run_job": "run.making",
    "run_job_sync": "run.streaming",
    "start_job": "run.streaming",
}

__all__ = [
    "BatchgenError",
    "Dataset",
    "ExitCode",
    "Exported",
    "Hooks",
    "Job",
    "Outcome",
    "RunOptions",
    "Variant",
    "export_dataset",
    "load_job",
    "open_dataset",
    "run_job",
    "run_job_sync",
    "start_job",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'batchgen' has no attribute {name!r}")
    return getattr(import_module(f"batchgen.{_HOMES[name]}"), name)
