"""Telling others how a run goes: a dead man's switch and a webhook."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from yarl import URL

from batchgen.api import retry
from batchgen.api.key import ApiKey
from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import ExitCode, LockedError, StorageError, UsageError
from batchgen.run.telling import notify
from batchgen.run.telling.accounts import Counts, Outcome
from batchgen.run.telling.hooks import Begun
from batchgen.run.telling.notify import Notifier, filled, find_targets, notified
from batchgen.text import redact
from tests.support.bench import Bench
from tests.support.cli import closed_port
from tests.support.listening import Listener, listener

PATH = "/5f0c7a52-1c3e-4a53-a2cf"


@pytest.fixture
def there() -> Iterator[Listener]:
    with listener() as found:
        yield found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_BASE", 0.001)


def outcome(code: ExitCode) -> Outcome:
    counts = Counts(planned=4, saved=3, failed=0, uncertain=0, expired=0, pending=1, short=0)
    return Outcome(
        job="kitchen",
        dataset=Path("out"),
        service="wavespeed",
        exit_code=code,
        why="stopped by SIGTERM",
        counts=counts,
        images=3,
        images_planned=4,
        nsfw=0,
        bytes=9,
        spent_usd=0.16,
        reserved_usd=0.0,
        refund_expected_usd=0.0,
        run="1f3a9c2e",
    )


BEGUN = Begun(run="1f3a9c2e", job="kitchen", folder=DatasetFolder(Path("out")), started_at="then")


@pytest.mark.parametrize(
    ("code", "event", "way"),
    [
        (ExitCode.OK, "success", PATH),
        (ExitCode.PARTIAL, "failure", f"{PATH}/3"),
        (ExitCode.INCOMPLETE, "incomplete", f"{PATH}/log"),
        (ExitCode.TERMINATED, "incomplete", f"{PATH}/log"),
        (ExitCode.STORAGE, "failure", f"{PATH}/7"),
    ],
)
async def test_each_end_has_its_ping_and_its_event(there: Listener, code, event, way):
    address = there.base + PATH
    targets = find_targets({"BATCHGEN_PING_URL": address, "BATCHGEN_WEBHOOK_URL": address + "/w"})
    async with notified(targets, "kitchen") as notifier:
        notifier.begun(BEGUN)
        await notifier.ended(outcome(code))
    assert sorted(there.paths()[:2]) == sorted([f"{PATH}/start", f"{PATH}/w"])
    assert sorted(there.paths()[2:]) == sorted([way, f"{PATH}/w"])
    told = [json.loads(body) for path, body in there.heard if path.endswith("/w")]
    assert [one["event"] for one in told] == ["start", event]
    assert (told[1]["run"], told[1]["job"], told[1]["dataset"]) == (
        "1f3a9c2e",
        "kitchen",
        str(Path.cwd() / "out"),
    )
    assert (told[1]["images"], told[1]["pending"], told[1]["spent_usd"]) == (3, 1, 0.16)
    assert told[1]["sentence"] == outcome(code).sentence()
    assert (told[1]["exit_code"], told[1]["class"]) == (code, code.word)
    assert not any("Authorization" in headers for headers in there.headers)


async def test_chat_gets_the_form_it_wants_and_only_what_was_asked_for(there: Listener):
    targets = find_targets(
        {
            "BATCHGEN_WEBHOOK_URL": there.base,
            "BATCHGEN_WEBHOOK_BODY": '{"text": "{job}: {sentence}", "tags": ["{class}"], "n": 1}',
            "BATCHGEN_WEBHOOK_EVENTS": "failure, success",
        }
    )
    async with notified(targets, "kitchen") as notifier:
        notifier.begun(BEGUN)
        await notifier.ended(outcome(ExitCode.OK))
    ((_, body),) = there.heard
    said = "kitchen: ok: every one of 4 variants has its images"
    assert json.loads(body) == {"text": said, "tags": ["ok"], "n": 1}


def test_a_fact_cannot_break_the_form_and_what_is_unknown_says_so():
    facts = {"sentence": 'no "{job}"', "spent_usd": None}
    assert filled({"a": "{sentence} {spent_usd}"}, facts) == {"a": 'no "{job}" unknown'}


async def test_what_a_run_raises_is_told_and_comes_through(there: Listener):
    targets = find_targets({"BATCHGEN_PING_URL": f"{there.base}{PATH}?rid=7"})
    for error in (StorageError("no room"), KeyError("x"), LockedError("in use")):
        with pytest.raises(type(error)):
            async with notified(targets, "kitchen"):
                raise error
    assert there.heard == [
        (f"{PATH}/7?rid=7", "storage: no room"),
        (f"{PATH}/1?rid=7", "bug: an internal error"),
    ]


@pytest.mark.parametrize(
    ("statuses", "tries", "trouble"),
    [
        ([500, 429], 3, None),
        ([500, 500, 502], 3, "HTTP 502"),
        ([404], 1, "HTTP 404"),
        ([302], 1, "HTTP 302"),
    ],
)
async def test_what_cannot_be_delivered_is_tried_again_and_then_warned_of(
    there: Listener, caplog, statuses, tries, trouble
):
    there.statuses = statuses
    with caplog.at_level(logging.WARNING):
        await Notifier(find_targets({"BATCHGEN_WEBHOOK_URL": there.base}), "x").ended(
            outcome(ExitCode.OK)
        )
    assert len(there.heard) == tries
    said = [record.getMessage() for record in caplog.records]
    assert said == ([f"the webhook could not be told of this run: {trouble}"] if trouble else [])


async def test_what_a_service_said_is_plain_and_without_the_key(there: Listener):
    ApiKey("notified-0123456789")
    error = StorageError("it says notified-0123456789\x1b[2J\nand more")
    await Notifier(find_targets({"BATCHGEN_PING_URL": there.base + PATH}), "x").failed(error)
    assert there.heard[0][1] == "storage: it says ***\\x1b[2J\nand more"


async def test_where_nobody_listens_the_warning_holds_no_address(caplog):
    address = f"http://127.0.0.1:{closed_port()}{PATH}"
    with caplog.at_level(logging.WARNING):
        await Notifier(find_targets({"BATCHGEN_PING_URL": address}), "x").ended(
            outcome(ExitCode.OK)
        )
    assert caplog.messages == ["the ping could not be told of this run: ClientConnectorError"]
    assert PATH not in redact(f"POST {address}/log or {PATH}")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BATCHGEN_PING_URL", "http://example.com/secret-0815", "BATCHGEN_PING_URL to be an https"),
        ("BATCHGEN_PING_URL", "hc-ping.com/secret-0815", "BATCHGEN_PING_URL to be an https"),
        ("BATCHGEN_WEBHOOK_URL", "https://[secret-0815", "BATCHGEN_WEBHOOK_URL to be an https"),
        ("BATCHGEN_WEBHOOK_BODY", "text", "to be a JSON object, such as"),
        ("BATCHGEN_WEBHOOK_BODY", '{"text": "{secret}"}', "got {secret}"),
        ("BATCHGEN_WEBHOOK_EVENTS", "succes", "got 'succes'"),
        ("BATCHGEN_PING_URL_FILE", "/nowhere", "cannot read the file of BATCHGEN_PING_URL"),
    ],
)
def test_what_cannot_be_used_is_refused_without_echo(name, value, said):
    with pytest.raises(UsageError) as caught:
        find_targets({name: value})
    assert said in str(caught.value)
    assert "secret-0815" not in str(caught.value)


def test_an_address_may_be_in_a_file_that_only_its_owner_reads(tmp_path: Path):
    file = tmp_path / "ping"
    file.write_text("https://hc-ping.com/5f0c7a52\n")
    file.chmod(0o600)
    targets = find_targets({"BATCHGEN_PING_URL_FILE": str(file)})
    assert str(targets.ping) == "https://hc-ping.com/5f0c7a52"
    assert "5f0c7a52" not in repr(targets)
    file.chmod(0o644)
    with pytest.raises(UsageError, match="others may read the file of BATCHGEN_PING_URL"):
        find_targets({"BATCHGEN_PING_URL_FILE": str(file)})


def test_a_job_file_that_is_wrong_is_told_of_too(bench: Bench, there: Listener):
    (bench.folder / "job.yaml").write_text("name: x\nprompts: []\n")
    done = bench.run("--quiet", env={**bench.env, "BATCHGEN_PING_URL": there.base + PATH})
    assert done.returncode == 2
    ((path, body),) = there.heard
    assert path == f"{PATH}/2"
    assert body.startswith("usage: job.yaml:2:")


async def test_a_start_that_cannot_be_told_takes_no_time_from_the_end(
    there: Listener, monkeypatch, caplog
):
    monkeypatch.setattr(notify, "LATE_START", 0.01)
    deliver = notify._deliver

    async def slow_start(name: str, url: URL, **content: object) -> None:
        if str(url).endswith("/start"):
            await asyncio.Event().wait()
        await deliver(name, url, **content)

    monkeypatch.setattr(notify, "_deliver", slow_start)
    targets = find_targets({"BATCHGEN_PING_URL": there.base + PATH})
    notifier = Notifier(targets, "kitchen")
    notifier.begun(BEGUN)
    await notifier.ended(outcome(ExitCode.OK))
    assert there.paths() == [PATH]
    assert caplog.messages == ["nobody could be told in time that this run began"]
