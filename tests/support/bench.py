"""A job, its folder and the service it talks to, in the hands of one test."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli
from tests.support.misdeeds import check_words
from tests.support.picture import picture
from tests.support.service import Counts, Service, misbehaving_service

# Waiting times that would only make the tests slow; what is tested does not depend on them.
QUICK = {
    "batchgen.api.retry.BACKOFF_BASE": 0.001,
    "batchgen.api.retry.BACKOFF_CAP": 0.02,
    "batchgen.run.uncertain.settle.BETWEEN_READINGS": 0.01,
}


class Bench:
    """One job in one folder, made by the misbehaving service unless told otherwise."""

    def __init__(self, folder: Path, service: Service) -> None:
        """Work in *folder*."""
        self.folder = folder
        self.service = service
        self.dataset = folder / "out" / "job"
        self.env = {"WAVESPEED_BASE_URL": service.base, "WAVESPEED_API_KEY": cli.KEY}

    def job(self, prompts: object, **keys: Any) -> Path:
        """Write job.yaml; a number stands for so many plain prompts."""
        if isinstance(prompts, int):
            prompts = [f"plain prompt {number}" for number in range(prompts)]
        check_words(str(prompts))
        return cli.write_job(self.folder / "job.yaml", prompts, **keys)

    def run(self, *options: object, **more: Any) -> cli.Done:
        """``batchgen run job.yaml``."""
        more = {"env": self.env, "patch": QUICK, **more}
        return cli.run_batchgen("run", "job.yaml", *options, cwd=self.folder, **more)

    def reconcile(self, *options: object, **more: Any) -> cli.Done:
        """``batchgen reconcile`` of the dataset; it never asks a model for anything."""
        before = self.service.counts()["received"]
        more = {"env": self.env, "patch": QUICK, **more}
        done = cli.run_batchgen("reconcile", self.dataset, *options, cwd=self.folder, **more)
        assert self.service.counts()["received"] == before
        return done

    @contextmanager
    def start(self, *options: object, **more: Any) -> Iterator["RunningBench"]:
        """``batchgen run job.yaml``, without waiting for its end."""
        more = {"env": self.env, "patch": QUICK, **more}
        with cli.start_batchgen("run", "job.yaml", *options, cwd=self.folder, **more) as running:
            yield RunningBench(self, running)

    def rows(self) -> cli.Rows:
        """The manifest, every row of it checked against its file and the request it is about."""
        found = cli.rows(self.dataset)
        counts = self.service.counts()
        asked = {id_: order["request"] for order in counts.orders for id_ in order["ids"]}
        for row in found:
            data = (self.dataset / row["file_name"]).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (row["bytes"], row["sha256"])
            request = asked[row["prediction_id"]]
            assert data == picture(request, row["image_index"])
            assert all(row.get(name, value) == value for name, value in request.items())
        return found

    def image_files(self) -> list[str]:
        """Everything under ``images/``, relative to the dataset."""
        files = (self.dataset / "images").rglob("*")
        return sorted(p.relative_to(self.dataset).as_posix() for p in files if p.is_file())

    def states(self) -> Counter[str]:
        """How many variants the ledger has in each state."""
        ledger = self.dataset / ".batchgen" / "ledger.sqlite3"
        if not ledger.exists():
            return Counter()
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
            sql = "SELECT state, count(*) FROM variants GROUP BY state"
            try:
                return Counter(dict(db.execute(sql).fetchall()))
            except sqlite3.OperationalError:  # made this moment, and without its tables yet
                return Counter()

    def file_to_be(self) -> Path:
        """Where the first image of the job is to go."""
        planned = cli.run_batchgen("plan", "job.yaml", "--json", cwd=self.folder).stdout
        name: str = json.loads(planned.splitlines()[0])["file_names"][0]
        return self.dataset / name

    def age_submits(self, seconds: int) -> None:
        """Let every submit have been so long ago."""
        past = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
        self.edit_ledger("UPDATE variants SET submitted_at = ?", past)

    def age(self, seconds: float) -> None:
        """Let every uncertain submit have been so much longer ago.

        The history shows it so when it is told the same number.
        """
        for column in ("intent_at", "submitted_at"):
            for key, time in self.ask_ledger(f"SELECT key, {column} FROM variants"):
                past = datetime.fromisoformat(time) - timedelta(seconds=seconds)
                text = past.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                sql = f"UPDATE variants SET {column} = ? WHERE key = ? AND state = 'uncertain'"
                self.edit_ledger(sql, text, key)

    def edit_ledger(self, sql: str, *values: object) -> None:
        """Change the ledger behind the back of the command."""
        ledger = self.dataset / ".batchgen" / "ledger.sqlite3"
        with closing(sqlite3.connect(ledger)) as db, db:
            db.execute(sql, values)

    def ask_ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        ledger = self.dataset / ".batchgen" / "ledger.sqlite3"
        with closing(sqlite3.connect(ledger)) as db:
            return db.execute(sql).fetchall()

    def check_files(self) -> None:
        """Every file under a final name is a whole picture that was ordered."""
        orders = self.service.counts().orders
        known = {picture(order["request"], index) for order in orders for index in range(4)}
        assert known.issuperset((self.dataset / name).read_bytes() for name in self.image_files())

    def check_billed_once(self, variants: int) -> None:
        """So many variants were bought, none of them twice."""
        assert set(self.service.counts().by_request("billed").values()) == {1}
        assert self.service.counts()["billed"] == variants

    def check_whole(self, images: int) -> None:
        """The dataset has so many images, each once, and no file beside them."""
        found = self.rows()
        assert len(found) == len({(r["variant_key"], r["image_index"]) for r in found}) == images
        assert self.image_files() == sorted(row["file_name"] for row in found)
        assert list((self.dataset / ".batchgen" / "parts").iterdir()) == []
        cli.summary(self.dataset)


class RunningBench:
    """The job while it is being made."""

    def __init__(self, bench: Bench, running: cli.Running) -> None:
        """Watch *running*."""
        self.bench, self.process = bench, running

    def until_states(self, **states: int) -> None:
        """Wait until the ledger has exactly so many variants in each state."""
        self.process.until(lambda: self.bench.states() == states)

    def until_rows(self, images: int) -> None:
        """Wait until so many rows are in the manifest."""
        manifest = self.bench.dataset / "manifest.jsonl"
        self.process.until(lambda: manifest.exists() and _lines_in(manifest) >= images)

    def until_counts(self, condition: Callable[[Counts], bool]) -> None:
        """Wait until what the service was asked meets *condition*."""
        self.process.until(lambda: condition(self.bench.service.counts()))


def _lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n")


@pytest.fixture(scope="session")
def running_service() -> Iterator[Service]:
    """The misbehaving service, one for each worker."""
    with misbehaving_service() as service:
        yield service


@pytest.fixture
def service(running_service: Service) -> Service:
    """The misbehaving service, of which nothing was asked yet."""
    running_service.reset()
    return running_service


@pytest.fixture
def bench(tmp_path: Path, service: Service) -> Bench:
    """An empty folder and the misbehaving service."""
    return Bench(tmp_path, service)
