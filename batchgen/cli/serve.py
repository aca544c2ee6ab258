"""``batchgen serve``: the local service in the foreground."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchgen.cli.screen import show, tell

if TYPE_CHECKING:
    from batchgen.local import LocalSettings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8787,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--latency",
    default="0.5..1.5",
    show_default=True,
    metavar="LOW..HIGH",
    help="Seconds a prediction takes; a single number for always the same.",
)
@click.option(
    "--tier", help="Limits of an account: bronze, silver, gold or ultra.  [default: none]"
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep accepted predictions in FILE, so that a restart knows them.",
)
@click.option(
    "--history-lag",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="Seconds before the history shows an accepted prediction.",
)
@click.option("--history-inputs", is_flag=True, help="Let the history show requests.")
def serve(latency: str, state: Path | None, **options: object) -> None:
    """Run the local service until Ctrl-C.

    It speaks the WaveSpeedAI v3 API on this computer: for rehearsals without a key and without
    cost. Its pictures are drawn by rules; no model makes them.
    """
    import asyncio

    from batchgen.cli.logs import logging_to
    from batchgen.local import LocalSettings

    settings = LocalSettings(latency=_latency(latency), state_file=state, **options)  # type: ignore[arg-type]  # click has checked the types
    if not settings.loopback:
        tell(
            f"warning: {settings.host} is not loopback: every computer that reaches this one can "
            "use the service, and what it sends is not encrypted"
        )
    with logging_to(None, tell):
        asyncio.run(_serve(settings))


async def _serve(settings: "LocalSettings") -> None:
    import asyncio
    import signal

    from batchgen.local import local_service

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with local_service(settings) as base:
        show(f"local service on {base} (Ctrl-C stops it)")
        tell("from another terminal:")
        tell(
            f"  WAVESPEED_BASE_URL={base} WAVESPEED_API_KEY=any "
            "batchgen run JOB.yaml --service wavespeed"
        )
        await stopped.wait()


def _latency(text: str) -> tuple[float, float]:
    low, separator, high = text.partition("..")
    try:
        return float(low), float(high if separator else low)
    except ValueError:
        raise click.BadParameter(
            f"expected LOW..HIGH or one number, in seconds, got {text!r}", param_hint="--latency"
        ) from None
