"""Job files written to a folder of their own, loaded by relative paths."""

from collections.abc import Callable

import pytest

from batchgen.errors import JobError
from batchgen.job.load import Job, load_job

Load = Callable[..., Job]
Refusals = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path, monkeypatch) -> Load:
    """Load a job of the given YAML text, beside files of the given names and contents."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes, **files: str | bytes) -> Job:
        for name, content in {"job_yaml": text, **files}.items():
            raw = content.encode() if isinstance(content, str) else content
            (tmp_path / name.replace("_", ".")).write_bytes(raw)
        return load_job("job.yaml")

    return load_text


@pytest.fixture
def refusals(load) -> Refusals:
    """What is wrong with a job: the first line of every problem, in order, without carets."""

    def problems(text: str | bytes, **files: str | bytes) -> list[str]:
        with pytest.raises(JobError) as caught:
            load(text, **files)
        return [f"{p.file}:{p.line}:{p.column}: {p.message}" for p in caught.value.problems]

    return problems
