"""The mark of a closed manifest: files that nobody touched since are trusted, and no others."""

import json
import os
from collections.abc import Iterable

import pytest

from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.rows.manifest import Manifest, Row, columns, is_exact
from tests.dataset.rows.test_manifest import COLUMNS, DAMAGES, ROWS, both, jsonl, reopen, row


def _forbidden() -> Iterable[Row]:
    raise AssertionError("the rows were read")


def closed(folder: DatasetFolder) -> object:
    """The mark of a manifest with all rows, as the ledger would give it back."""
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(ROWS[:5]))
    manifest.append(ROWS[5:])
    return json.loads(json.dumps(manifest.close()))


def test_files_that_nobody_touched_since_they_were_closed_are_not_read(folder):
    mark, right = closed(folder), both(folder)
    manifest = Manifest.open(folder, COLUMNS, _forbidden, mark=mark)
    assert (manifest.rows, both(folder)) == (len(ROWS), right)
    manifest.append([row(99)])
    again = manifest.close()
    assert jsonl(folder)[-1]["file_name"] == "images/99.png"
    assert is_exact(folder, COLUMNS, lambda: iter([*ROWS, row(99)]))
    Manifest.open(folder, COLUMNS, _forbidden, mark=again).close()


@pytest.mark.parametrize("name", ["manifest_jsonl", "manifest_csv"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_was_touched_since_it_was_closed_is_mended(folder, damage, name):
    mark, right = closed(folder), both(folder)
    path = getattr(folder, name)
    times = path.stat()
    path.write_bytes(damage(path.read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    reopen(folder, mark=mark)
    assert both(folder) == right


@pytest.mark.parametrize(
    "change", [{"names": columns()}, {"csv_safe": False}, {"mark": {"rows": 8}}, {"mark": [8]}]
)
def test_a_mark_of_another_manifest_counts_for_nothing(folder, change):
    given = {"mark": closed(folder), **change}
    with pytest.raises(AssertionError, match="the rows were read"):
        Manifest.open(
            folder,
            given.get("names", COLUMNS),
            _forbidden,
            csv_safe=given.get("csv_safe", True),
            mark=given["mark"],
        )


@pytest.mark.parametrize("name", ["manifest_jsonl", "manifest_csv"])
def test_a_file_that_another_wrote_to_meanwhile_leaves_no_mark(folder, name):
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(ROWS))
    path = getattr(folder, name)
    path.write_bytes(path.read_bytes() + b"mine")
    assert manifest.close() is None
    manifest = Manifest.open(folder, COLUMNS, lambda: iter(ROWS))
    copy = path.with_suffix(".new")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)
    assert manifest.close() is None
