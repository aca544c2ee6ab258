"""One dataset with everything that has ever misled a reader, and its exports."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from batchgen.dataset.exports.export import export_dataset
from batchgen.dataset.exports.huggingface import write_huggingface
from batchgen.dataset.exports.shards import Limits
from batchgen.dataset.folder import DatasetFolder
from tests.dataset.made import make_dataset, row

# Read when the libraries are imported: none of them asks the network.
os.environ["HF_HUB_OFFLINE"] = "1"


def rows(form: str = "PNG") -> list[dict[str, object]]:
    """Hostile prompts, two images each, and an axis whose values change their type late."""
    made = [row(n, form=form, strength=None if n < 4 else n / 2) for n in range(36)]
    made[3]["seed"] = None
    return made


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DatasetFolder:
    """The dataset, in a folder whose name is a split word, its view written."""
    folder = make_dataset(tmp_path_factory.mktemp("made") / "test", rows(), shuffled=5)
    write_huggingface(folder, "test")
    return folder


@pytest.fixture(scope="session")
def expected(dataset: DatasetFolder) -> list[dict[str, Any]]:
    """The rows of the view and the bytes of their pictures, in order."""
    found = []
    for line in dataset.metadata.read_text("utf-8").split("\n")[:-1]:
        values = json.loads(line)
        values["data"] = (dataset.root / values["file_name"]).read_bytes()
        found.append(values)
    assert len(found) == 36
    return found


@pytest.fixture(scope="session")
def exported(dataset: DatasetFolder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each export, in several shards, and of the dataset itself."""
    top = tmp_path_factory.mktemp("exported")
    return {"itself": dataset.root} | {
        form: export_dataset(dataset.root, to=form, out=top / form, limits=Limits(images=15)).folder
        for form in ("webdataset", "parquet", "huggingface")
    }
