"""What stands in the way of Ray is said before anything is sent."""

import socket

import pytest

from batchgen.cluster.engine import check_ray
from batchgen.errors import ExitCode, UsageError
from tests.support import cli
from tests.support.bench import QUICK, Bench


@pytest.mark.parametrize("asked", ["option", "job"])
def test_without_the_extra_nothing_is_sent(bench: Bench, asked):
    bench.job(3, run={"on": "ray"} if asked == "job" else {})
    options = ["--on", "ray"] if asked == "option" else []
    patch = {**QUICK, "batchgen.cluster.engine.LIBRARY": "no_such_library"}
    done = bench.run(*options, patch=patch)
    assert done.returncode == ExitCode.USAGE
    assert "Ray is not installed: pip install 'batchgen[ray]'" in done.stderr
    assert bench.service.counts()["received"] == 0
    assert not bench.dataset.exists()


def test_a_cluster_that_cannot_be_reached_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setattr("batchgen.cluster.engine.LIBRARY", "pytest")
    port = cli.closed_port()
    with pytest.raises(UsageError, match=rf"no Ray cluster .* at 127.0.0.1:{port}: .*refused"):
        check_ray(f"127.0.0.1:{port}")
    with pytest.raises(UsageError, match=r"no Ray cluster .* at 127.0.0.1:99999"):
        check_ray("127.0.0.1:99999")


def test_what_answers_and_is_no_cluster_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("batchgen.cluster.engine.LIBRARY", "pytest")
    monkeypatch.setattr("batchgen.cluster.engine._HEALTH", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"what answers at {address} is no healthy cluster"):
            check_ray(address)
