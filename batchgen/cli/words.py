"""Numbers for people."""

from collections.abc import Iterable
from typing import Protocol

from batchgen.cli.screen import show


def money(usd: float | None, *, free: bool = False) -> str:
    """``$1.44``, ``none`` on the local service, ``unknown`` without a price."""
    if free:
        return "none (the local service charges nothing)"
    return "unknown" if usd is None else f"${usd:,.2f}" if usd >= 0.995 else f"${usd:.3f}"


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


def size(count: int) -> str:
    """``12.3 MB``; powers of ten, as disks are sold."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """``42 s``, ``7 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def table(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns on stdout."""
    for name, value in rows:
        show(f"{name:<10}{value}")
