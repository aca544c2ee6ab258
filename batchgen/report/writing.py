"""Writing the report of a dataset."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batchgen.dataset.folder import write_whole
from batchgen.report.contents import Row, read_contents
from batchgen.report.html import page
from batchgen.report.thumbs import CHANGED, MISSING, Progress, make_thumbnails


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was written, and what was seen on the way."""

    page: Path
    images: int
    """Those on the page."""
    left_out: int
    """Images that would have made the page too large."""
    failures: int
    missing: int
    """Images whose files are not there."""
    changed: int
    """Images whose files are not what the manifest says."""


def write_report(
    root: str | Path,
    *,
    failures: Iterable[Row] | None = None,
    standing: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Write ``report.html`` into the dataset folder *root*, and the thumbnails it shows.

    May be called while a run adds to the dataset; it only reads what others write. *failures* (rows
    as in ``failures.jsonl``) replace what that file says, *standing* what is in ``summary.json``.
    Raises UsageError when there is no dataset, StorageError when it cannot be read or written.
    """
    contents = read_contents(Path(root), failures=failures, standing=standing)
    files = make_thumbnails(contents.folder, contents.images, progress)
    target = contents.folder.root / "report.html"
    write_whole(target, page(contents, files, datetime.now(UTC)))
    counts = Counter(files)
    return Report(
        page=target,
        images=len(contents.images),
        left_out=contents.total - len(contents.images),
        failures=len(contents.failures),
        missing=counts[MISSING],
        changed=counts[CHANGED],
    )
