"""What keeps an eye on a run: its window, the disk, and whether anything moves."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from batchgen.errors import ExitCode
from batchgen.job.grammar.units import read_window
from batchgen.ledger.entry import Entry, State
from batchgen.run.pace.stop import Stop
from batchgen.run.telling.slots import Slots, Step
from batchgen.run.telling.tally import Tally
from batchgen.run.variant import guards
from tests.support.bench import Bench
from tests.support.cli import summary


class FakeStop(Stop):
    """Pauses take no time; the list says what each of them is to find at its end."""

    def __init__(self, *after: object) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._after = list(after)

    async def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        if not self._after:
            return False
        step = self._after.pop(0)
        if callable(step):
            step()
        return True


async def test_a_window_is_kept_by_the_clock_on_the_wall():
    at = [datetime(2026, 3, 28, 5, 58, 30, tzinfo=UTC)]
    later = [lambda s=s: at.append(at[-1] + timedelta(seconds=s)) for s in (60, 30)]
    stop = FakeStop(*later)
    await guards.keep_window(stop, read_window("22:00-06:00"), lambda: at[-1])
    assert stop.pauses == [60, 30, guards.COLLECTING]
    assert (stop.submitting, stop.leaving, stop.code) == (False, False, ExitCode.INCOMPLETE)
    assert stop.why == "it is not between 22:00 and 06:00, the window of this run"


async def test_a_clock_that_jumps_closes_the_window_at_the_next_look():
    at = [datetime(2026, 3, 28, 23, tzinfo=UTC)]
    stop = FakeStop(lambda: at.append(datetime(2026, 3, 29, 9, tzinfo=UTC)), None)
    await guards.keep_window(stop, read_window("22:00-06:00"), lambda: at[-1])
    assert stop.pauses == [60, guards.COLLECTING]
    assert stop.leaving  # what was paid had its time


async def test_too_little_room_ends_the_submits():
    rooms = iter([300, 201, 199])
    stop = FakeStop(None, None, None)
    await guards.watch_disk(stop, Path("out"), 200, lambda _: next(rooms))
    assert (stop.submitting, stop.leaving, stop.code) == (False, False, ExitCode.STORAGE)


async def test_a_disk_that_cannot_be_asked_is_asked_again(caplog):
    rooms = iter([-1, -1, 300, 199])

    def free(_: Path) -> int:
        if (found := next(rooms)) < 0:
            raise OSError("stale")
        return found

    stop = FakeStop(None, None, None)
    await guards.watch_disk(stop, Path("out"), 200, free)
    assert (stop.submitting, stop.code) == (False, ExitCode.STORAGE)
    assert [r.getMessage() for r in caplog.records] == [
        "the room on the disk of out cannot be watched: stale"
    ]


async def test_a_bug_in_a_guard_ends_the_submits_at_once_and_comes_through(monkeypatch):
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(guards, "watch_disk", broken)
    stop = Stop()
    pace = SimpleNamespace(min_free=1, window=None)
    tally = SimpleNamespace(rate_limit=None, submits=0, images_made=0, failed=0)
    context = SimpleNamespace(
        stop=stop, pace=pace, tally=tally, folder=SimpleNamespace(root=Path("out")), keep=None
    )

    async def work() -> None:
        async with guards.guarded(context, None):  # type: ignore[arg-type]
            await asyncio.sleep(0)
            assert (stop.submitting, stop.leaving, stop.code) == (False, False, ExitCode.BUG)

    with pytest.raises(ZeroDivisionError):
        await work()


def variant(name: str) -> Entry:
    return Entry(
        key=name * 20,
        state=State.PLANNED,
        revision=0,
        prompt_id="pear",
        model="some/model",
        request={"prompt": "a pear"},
        images_asked=1,
    )


async def test_stragglers_are_named_when_nothing_moves_and_less_and_less_often(caplog):
    now = 0.0
    slots = Slots(lambda: now)
    tally = Tally(images_planned=9, images=0, nsfw=0, spent_micros=0, slots=slots)
    slots.begin(variant("a"))
    slots.begin(variant("b"))
    now = 40.0
    slots.now(Step.SUBMITTING, variant("b"))
    now = 100.0
    moved = [
        None,
        None,
        lambda: setattr(tally, "polls", 7),
        lambda: setattr(tally, "submits", 1),
    ]
    stop = FakeStop(*moved)
    with caplog.at_level(logging.WARNING):
        await guards.watch_moves(stop, tally, 300)
    assert stop.pauses == [300, 600, 1200, 2400, 300]
    said = [record.getMessage() for record in caplog.records]
    assert said[:3] == [
        "nothing has moved for 300 s; the slowest of what is on its way:",
        f"variant {'b' * 20} of prompt pear is being submitted, for 60 s",
        f"variant {'a' * 20} of prompt pear waits for its moment to be submitted, for 100 s",
    ]
    assert len(said) == 9


@pytest.mark.parametrize(("limit", "seconds"), [(None, 300), (400, 300), (0.2, 900)])
def test_a_slow_pace_is_no_stall(limit, seconds):
    assert guards._patience(limit) == pytest.approx(seconds)


def hours(now: datetime, *, start: int, end: int) -> str:
    return "-".join(f"{now + timedelta(hours=by):%H:%M}" for by in (start, end))


def test_outside_its_window_a_run_sends_nothing_and_collects_what_is_paid(bench: Bench):
    now = datetime.now().astimezone()
    bench.job(4, run={"window": hours(now, start=2, end=4)})
    done = bench.run()
    assert done.returncode == 4
    assert "it is not between " in done.stderr.splitlines()[-1]
    assert bench.service.counts()["received"] == 0
    bench.service.hold(completion=1)
    with bench.start("--window", hours(now, start=-2, end=2)) as running:
        running.until_states(saved=1, submitted=3)
        running.process.kill()
    bench.service.release()
    assert bench.run().returncode == 0
    bench.check_billed_once(4)


def test_a_disk_with_too_little_room_is_seen_before_anything_is_bought(bench: Bench):
    bench.job(2, run={"min_free": "999999TB"})
    done = bench.run()
    assert done.returncode == 7
    last = done.stderr.splitlines()[-1]
    assert last.startswith("batchgen: storage: ")
    assert "less than 999,999,000,000 MB; make room" in last
    assert bench.service.counts()["received"] == 0
    assert bench.run("--min-free", "1kB").returncode == 0
    assert bench.run().returncode == 0, "with nothing left to do there is nothing to make room for"
    assert summary(bench.dataset)["class"] == "ok"


@pytest.mark.parametrize(
    "option", [("--window", "22"), ("--min-free", "much")], ids=lambda option: option[0]
)
def test_an_option_that_says_nothing_is_a_usage_error(bench: Bench, option):
    bench.job(1)
    done = bench.run(*option)
    assert done.returncode == 2
    assert done.stderr.startswith("batchgen: usage: expected a ")
