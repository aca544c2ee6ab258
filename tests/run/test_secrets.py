"""The key is in no file and no output, whatever happens."""

import pytest

from tests.support import cli
from tests.support.bench import Bench


def _everything_written(bench: Bench) -> bytes:
    return b"".join(path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("options", [(), ("--json",), ("--quiet",)])
def test_no_file_and_no_output_shows_the_key(bench: Bench, options):
    words = ("submit=400", "submit=reset", "submit=notjson", "poll=500x1", "image=404x1")
    bench.job([f"a pear [{word}]" for word in words])
    done = bench.run(*options)
    assert done.returncode == 5
    assert bench.service.counts()["keys_on_images"] == 0
    said = (done.stdout + done.stderr).encode() + _everything_written(bench)
    assert b"a pear" in said
    assert cli.KEY.encode() not in said


def test_a_service_that_quotes_the_key_does_not_make_us_write_it(bench: Bench):
    bench.job(2)
    key = f"wrong-{cli.KEY}"
    done = bench.run(env={**bench.env, "WAVESPEED_API_KEY": key})
    assert done.returncode == 6
    assert "not a valid key: Bearer ***" in done.stderr
    said = (done.stdout + done.stderr).encode() + _everything_written(bench)
    assert b"***" in _everything_written(bench)
    assert cli.KEY.encode() not in said


@pytest.mark.parametrize(("mode", "code"), [(0o600, 0), (0o644, 2)])
def test_a_key_file_is_used_only_when_nobody_else_may_read_it(bench: Bench, mode, code):
    bench.job(1)
    path = bench.folder / "key"
    path.write_text(f"{cli.KEY}\n")
    path.chmod(mode)
    env = {"WAVESPEED_BASE_URL": bench.service.base, "WAVESPEED_API_KEY_FILE": str(path)}
    done = bench.run(env=env)
    assert done.returncode == code
    assert bench.service.counts()["billed"] == (code == 0)
    assert cli.KEY not in done.stdout + done.stderr


def test_the_state_of_a_dataset_is_for_its_owner_alone(bench: Bench):
    bench.job(1)
    assert bench.run().returncode == 0
    assert (bench.dataset / ".batchgen").stat().st_mode & 0o777 == 0o700
