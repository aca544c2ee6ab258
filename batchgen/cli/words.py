"""Numbers for people."""

from collections.abc import Iterable
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


def table(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns on stdout."""
    for name, value in rows:
        show(f"{name:<10}{value}")
