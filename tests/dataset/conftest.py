"""A dataset folder of its own for every test."""

from pathlib import Path

import pytest

from batchgen.dataset.folder import DatasetFolder


@pytest.fixture
def folder(tmp_path: Path) -> DatasetFolder:
    """An empty dataset, prepared."""
    prepared = DatasetFolder(tmp_path / "kitchen")
    prepared.prepare()
    return prepared
