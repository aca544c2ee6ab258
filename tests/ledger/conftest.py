"""A ledger of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchgen.ledger.store import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is; characters that mean something in an address are part of it."""
    folder = tmp_path / "a b?c#d%é"
    folder.mkdir()
    return folder / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path) as opened:
        yield opened
