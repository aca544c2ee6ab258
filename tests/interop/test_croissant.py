"""``mlcroissant`` takes the description without a complaint and reads the rows by it."""

import pytest

from batchgen.dataset.exports.huggingface import write_views
from tests.dataset.made import make_dataset
from tests.dataset.views.test_beside import asked
from tests.interop.conftest import rows

mlcroissant = pytest.importorskip("mlcroissant")
pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]


def test_the_rows_load_by_their_description(tmp_path):
    folder = make_dataset(tmp_path / "kit", rows())
    asked(folder, also=["croissant", "captions", "rows", "checksums"])
    write_views(folder, "kit")
    described = mlcroissant.Dataset(jsonld=str(folder.root / "croissant.json"))
    assert not described.metadata.issues.errors
    # What only the owner of a dataset can know.
    owners = ("citeAs", "datePublished", "license", "version")
    assert all(any(word in told for word in owners) for told in described.metadata.issues.warnings)
    found = list(described.records("images"))
    assert len(found) == 36
    assert {type(one["images/seed"]) for one in found} == {int}
