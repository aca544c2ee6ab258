"""Telling others how a run goes: a dead man's switch, and a webhook.

Both are found in the environment, because their addresses are secrets: whoever knows one can speak
in our name. They are struck out of everything that is printed or logged. What cannot be delivered
is warned of and changes nothing else.
"""

import asyncio
import json
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from yarl import URL

from batchgen.api.address import is_loopback
from batchgen.api.key import read_own_file
from batchgen.api.retry import backoff
from batchgen.errors import ApprovalError, BatchgenError, ExitCode, LockedError, UsageError
from batchgen.run.telling.accounts import Outcome
from batchgen.run.telling.hooks import Begun
from batchgen.text import keep_secret, plain, redact

log = logging.getLogger(__name__)

PING = "BATCHGEN_PING_URL"
WEBHOOK = "BATCHGEN_WEBHOOK_URL"
BODY = "BATCHGEN_WEBHOOK_BODY"
EVENTS = "BATCHGEN_WEBHOOK_EVENTS"

TRIES = 3
TIMEOUT = 10.0  # seconds for an answer, half of them to connect
# A shorter path, such as /webhook, is no secret by itself and may be a part of other words.
SECRET_PATH = 16
# Seconds for all tries together, and what is left at the end of a run for telling of its beginning:
# a run that has ended should leave.
PATIENCE = 20.0
LATE_START = 5.0

# Running again goes on: neither a success nor something to be woken for.
_UNFINISHED = {ExitCode.INCOMPLETE, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
_NAMES = ("event", "job", "run", "dataset", "host", "exit_code", "class", "sentence", "images",
          "images_planned", "failed", "pending", "spent_usd", "started_at", "ended_at")  # fmt: skip
_NAME = re.compile(r"\{([a-z_]+)\}")
_ALL = ("start", "success", "incomplete", "failure")
_EXAMPLE = '{"text": "{job}: {sentence}"}'


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Whom to tell; the addresses show in no repr."""

    ping: URL | None
    """Told as healthchecks.io has it: itself for success, below it /start, /log or an exit code."""
    webhook: URL | None
    """Gets a POST for each of the events."""
    body: Mapping[str, object] | None
    """A pattern for the body of that; None for all that is known."""
    events: frozenset[str]

    def __repr__(self) -> str:
        """Whether there are any."""
        return f"Targets(ping={bool(self.ping)}, webhook={bool(self.webhook)})"


def find_targets(environment: Mapping[str, str] = os.environ) -> Targets:
    """Whom the *environment* names. Raises UsageError for what cannot be used, without echo."""
    events = frozenset(re.findall(r"[^\s,]+", environment.get(EVENTS, ""))) or frozenset(_ALL)
    if unknown := sorted(events - set(_ALL)):
        raise UsageError(f"expected {EVENTS} to list {', '.join(_ALL)}, got {unknown[0]!r}")
    return Targets(
        ping=_address(PING, environment),
        webhook=_address(WEBHOOK, environment),
        body=_pattern(environment.get(BODY, "")),
        events=events,
    )


def _address(name: str, environment: Mapping[str, str]) -> URL | None:
    text, file = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "")
    if file and not text:
        try:
            text = read_own_file(Path(file), f"file of {name}").strip()
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read the file of {name}: {type(error).__name__}") from None
    if not text:
        return None
    keep_secret(text)
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if not url.host or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url))):
        raise UsageError(f"expected {name} to be an https address (it is not shown)")
    if len(url.raw_path) >= SECRET_PATH:
        keep_secret(url.raw_path)
    return url


def _pattern(text: str) -> Mapping[str, object] | None:
    if not text.strip():
        return None
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UsageError(f"expected {BODY} to be a JSON object, such as {_EXAMPLE}")
    for name in _NAME.findall(text):
        if name not in _NAMES:
            raise UsageError(f"expected {BODY} to hold {', '.join(_NAMES)}, got {{{name}}}")
    return body


class Notifier:
    """Tells of one run. The events reach their targets in their order."""

    def __init__(self, targets: Targets, job: str) -> None:
        """Tell *targets* of a run of *job*."""
        self._targets = targets
        self._facts: dict[str, object] = {"job": job, "host": socket.gethostname()}
        self._begun: asyncio.Task[None] | None = None

    def begun(self, begun: Begun) -> None:
        """Tell, while the run goes on, that it has begun."""
        self._facts |= {
            "run": begun.run,
            "dataset": str(begun.folder.root.absolute()),
            "started_at": begun.started_at,
        }
        sentence = f"start: the run {begun.run} has begun"
        self._begun = asyncio.create_task(self._tell("start", "start", {"sentence": sentence}))

    async def ended(self, outcome: Outcome) -> None:
        """Tell how the run ended."""
        facts = {name: value for name, value in asdict(outcome).items() if name in _NAMES}
        facts |= {"failed": outcome.counts.failed, "pending": outcome.counts.pending}
        await self._end(outcome.exit_code, outcome.sentence(), facts)

    async def failed(self, error: BaseException) -> None:
        """Tell that the run ended by *error*, or never began."""
        code = error.exit_code if isinstance(error, BatchgenError) else ExitCode.BUG
        words = str(error) if isinstance(error, BatchgenError) else "an internal error"
        await self._end(code, f"{code.word}: {words}", {})

    async def _end(self, code: ExitCode, sentence: str, facts: Mapping[str, object]) -> None:
        event = "success" if code is ExitCode.OK else "failure"
        event = "incomplete" if code in _UNFINISHED else event
        way = {"success": "", "incomplete": "log"}.get(event, str(int(code)))
        if self._begun:
            await asyncio.wait({self._begun}, timeout=LATE_START)
            if self._begun.cancel():
                log.warning("nobody could be told in time that this run began")
            await asyncio.wait({self._begun})
            if not self._begun.cancelled():
                self._begun.result()
        # A sentence may quote a service.
        sentence = "\n".join(map(plain, sentence.split("\n")))
        ended = {"exit_code": int(code), "class": code.word, "sentence": sentence}
        await self._tell(event, way, {**facts, **ended, "dataset": self._facts.get("dataset")})

    async def _tell(self, event: str, way: str, facts: Mapping[str, object]) -> None:
        known = {**dict.fromkeys(_NAMES), **self._facts, **facts, "event": event}
        # Words of an error may quote what was given, such as an address with the key in it.
        known = {n: redact(fact) if isinstance(fact, str) else fact for n, fact in known.items()}
        posts = []
        if self._targets.ping:
            url = self._targets.ping
            url = url.joinpath(way).with_query(url.query) if way else url
            posts.append(_deliver("the ping", url, data=str(known["sentence"]).encode()))
        if self._targets.webhook and event in self._targets.events:
            body = known if self._targets.body is None else filled(self._targets.body, known)
            posts.append(_deliver("the webhook", self._targets.webhook, json=body))
        await asyncio.gather(*posts)


@asynccontextmanager
async def notified(targets: Targets, job: str) -> AsyncIterator[Notifier]:
    """A notifier for a run that lasts as long as the block; it tells of what the block raises.

    A dataset that is in use is nothing to tell of: the run that has it tells for itself. Nor is a
    question that may still be answered.
    """
    notifier = Notifier(targets, job)
    try:
        yield notifier
    except (ApprovalError, LockedError):
        raise
    except Exception as error:
        await notifier.failed(error)
        raise


def tell_failure(targets: Targets, job: str, error: BaseException) -> None:
    """Tell of a run that never began."""
    asyncio.run(Notifier(targets, job).failed(error))


def filled(pattern: object, facts: Mapping[str, object]) -> object:
    """*pattern* with the facts in place of their names in braces, in all its texts."""
    if isinstance(pattern, str):
        return _NAME.sub(lambda found: _word(facts.get(found[1])), pattern)
    if isinstance(pattern, list):
        return [filled(item, facts) for item in pattern]
    if isinstance(pattern, Mapping):
        return {name: filled(item, facts) for name, item in pattern.items()}
    return pattern


def _word(fact: object) -> str:
    return "unknown" if fact is None else str(fact)


async def _deliver(name: str, url: URL, **content: object) -> None:
    """One POST, tried a few times; never raises for the network or for the other side."""
    import aiohttp  # only where somebody is to be told

    trouble = "no answer in time"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=TIMEOUT / 2)
    try:
        async with (
            asyncio.timeout(PATIENCE),
            # A session of its own: it knows no key, no cookie and no proxy.
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            for tries in range(TRIES):
                if tries:
                    await asyncio.sleep(backoff(tries))
                try:
                    async with session.post(url, allow_redirects=False, **content) as answer:  # type: ignore[arg-type]
                        if answer.status < 300:
                            return
                        trouble = f"HTTP {answer.status}"
                        if answer.status < 500 and answer.status != 429:
                            break
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    trouble = type(error).__name__  # its words may hold the address
    except TimeoutError:
        pass
    log.warning("%s could not be told of this run: %s", name, trouble)
