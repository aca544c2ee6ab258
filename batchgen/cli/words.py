"""Numbers for people."""

from collections.abc import Iterable

import click


def money(usd: float | None, *, free: bool = False) -> str:
    """``$1.44``, ``none`` on the local service, ``unknown`` without a price."""
    if free:
        return "none (the local service charges nothing)"
    return "unknown" if usd is None else f"${usd:,.2f}" if usd >= 0.995 else f"${usd:.3f}"


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
        click.echo(f"{name:<10}{value}")
