"""Datasets in the object stores of other people: moto's S3, and Azurite where npm has put it."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("obstore")

from batchgen.dataset.stores.bucket import Bucket, TakenError
from tests.support.cli import Done, run_batchgen, write_job

pytestmark = pytest.mark.interop

AZURITE = os.environ.get("AZURITE_BLOB", "azurite-blob")
# The account of every emulator, which Azurite's documentation names.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@pytest.fixture(scope="module")
def moto() -> Iterator[dict[str, str]]:
    """moto's S3 with a bucket; the environment that leads there."""
    server = pytest.importorskip("moto.server")
    pytest.importorskip("flask_cors")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "canary-id",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
    }
    _ask("PUT", f"{environment['AWS_ENDPOINT_URL']}/pictures")
    yield environment
    running.stop()


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Azurite with a container; the environment that leads there."""
    command = shutil.which(AZURITE)
    if command is None:
        pytest.skip("azurite-blob is not installed: npm install azurite, and AZURITE_BLOB names it")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--skipApiVersionCheck"]
    options += ["--inMemoryPersistence", "--silent", "--disableTelemetry"]
    folder = tmp_path_factory.mktemp("azurite")
    with subprocess.Popen([command, *options], cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
            _make_container(endpoint)
            yield {
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
                "AZURE_STORAGE_ENDPOINT": endpoint,
                "AZURE_ALLOW_HTTP": "true",
            }
        finally:
            process.terminate()


@pytest.fixture(params=["s3", "az"])
def cloud(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """A place of its own in either store, and the environment that leads there."""
    store = {"s3": "moto", "az": "azurite"}[request.param]
    own = hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    return f"{request.param}://pictures/{own}", request.getfixturevalue(store)


def test_conditional_writes_hold(cloud, monkeypatch):
    url, environment = cloud
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket.open(url)
    first = bucket.write("claim", b"1", over=None)
    with pytest.raises(TakenError):
        bucket.write("claim", b"2", over=None)
    assert bucket.write("claim", b"1", over=None).version == first.version
    bucket.write("claim", b"3", over=first)
    with pytest.raises(TakenError):
        bucket.write("claim", b"4", over=first)


async def test_objects_of_any_name_and_size_come_back(cloud, monkeypatch, tmp_path: Path):
    url, environment = cloud
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket, big = Bucket.open(url), os.urandom(12_000_000)  # in three parts
    (tmp_path / "big").write_bytes(big)
    await bucket.upload("shards/é x+%/ a?#[1]~.tar", tmp_path / "big", "application/x-tar")
    assert bucket.read("shards/é x+%/ a?#[1]~.tar") == big
    assert [found.bytes for found in bucket.list()] == [len(big)]
    for _ in range(2):
        bucket.delete("shards/é x+%/ a?#[1]~.tar")
    assert list(bucket.list()) == []


def test_a_dataset_is_made_handed_over_and_verified(cloud, tmp_path: Path):
    url, environment = cloud
    write_job(tmp_path / "job.yaml", ["a pear", "a fig"], service="local", output={"dir": url})

    def batchgen(machine: str, *words: object) -> Done:
        env = {**environment, "XDG_DATA_HOME": str(tmp_path / machine)}
        return run_batchgen(*words, cwd=tmp_path, env=env)

    done = batchgen("here", "run", "job.yaml")
    assert done.returncode == 0, done.stderr
    done = batchgen("there", "run", "job.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["images"], json.loads(done.stdout)["submits"]) == (2, 0)
    done = batchgen("there", "verify", url, "--json")
    assert json.loads(done.stdout)["checked"] == 2, done.stderr
    assert json.loads(done.stdout)["sound"] is True
    done = batchgen("there", "run", "job.yaml", "--out", f"{url[:5]}nothing/x")
    assert done.returncode == 7
    assert "there is no such bucket" in done.stderr
    assert not any(value in done.stderr for value in environment.values() if len(value) > 20)


def _make_container(endpoint: str) -> None:
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    version = "2021-08-06"
    signed = (
        "PUT" + "\n" * 12 + f"x-ms-date:{now}\nx-ms-version:{version}\n"
        f"/{ACCOUNT}/{ACCOUNT}/pictures\nrestype:container"
    )
    key = base64.b64decode(ACCOUNT_KEY)
    signature = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    headers = {
        "x-ms-date": now,
        "x-ms-version": version,
        "Authorization": f"SharedKey {ACCOUNT}:{signature}",
    }
    for _ in range(100):  # until it has started
        with suppress(ConnectionError, urllib.error.URLError):
            _ask("PUT", f"{endpoint}/pictures?restype=container", headers)
            return
        time.sleep(0.2)
    raise AssertionError("Azurite does not answer")


def _ask(method: str, url: str, headers: dict[str, str] | None = None) -> None:
    named = {"Content-Length": "0", **(headers or {})}
    request = urllib.request.Request(url, method=method, headers=named)
    urllib.request.urlopen(request, timeout=10).close()
