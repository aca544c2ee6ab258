"""Numbers for people."""

from collections.abc import Iterable
from itertools import chain, repeat
from textwrap import wrap
from typing import Protocol

from batchgen.cli.screen import show
from batchgen.text import money


class Spending(Protocol):
    """What has a spend: the outcome of a run, the standing of a dataset."""

    @property
    def service(self) -> str:
        """``local`` charges nothing."""

    @property
    def spent_usd(self) -> float | None:
        """Spent, or possibly spent."""

    @property
    def reserved_usd(self) -> float | None:
        """Of that, possibly spent."""

    @property
    def refund_expected_usd(self) -> float | None:
        """Of that, to be given back."""


def spend(of: Spending) -> str:
    """What a dataset cost, and what of it is not certain."""
    text = money(of.spent_usd, free=of.service == "local")
    if of.reserved_usd:
        text += f", of which {money(of.reserved_usd)} may not have been charged"
    if of.refund_expected_usd:
        text += f", of which {money(of.refund_expected_usd)} should come back as refunds"
    return text


def table(rows: Iterable[tuple[str, str]], width: int | None = None) -> None:
    """Print names and values in two columns on stdout, wrapped between words to *width*."""
    for name, value in rows:
        lines = [value]
        if width:
            lines = wrap(value, width - 10, break_long_words=False, break_on_hyphens=False)
        for label, line in zip(chain([name], repeat("")), lines, strict=False):
            show(f"{label:<10}{line}")
