"""The key is in no file and no output, whatever happens."""

import base64
import signal
from collections.abc import Iterable
from urllib.parse import quote

import pytest

from tests.support import cli
from tests.support.account import POISONS
from tests.support.bench import QUICK, Bench
from tests.support.listening import listener
from tests.support.misdeeds import IMAGES, NSFW, OUTPUTS, POLLS, SUBMITS

FORMS = [
    cli.KEY.encode(),
    quote(cli.KEY, safe="").replace("-", "%2D").encode(),
    # Without what depends on the neighbours of the key.
    *(base64.b64encode(b"x" * shift + cli.KEY.encode())[4:-4] for shift in range(3)),
]
PHASES = {"submit": SUBMITS, "poll": POLLS, "image": IMAGES, "outputs": OUTPUTS, "nsfw": NSFW}
# Answers that never come, or never change, are waited for no longer than this.
IMPATIENT = {
    "concurrency": 64,
    "max_failures": "100%",
    "retries": 1,
    "timeouts": {"submit": 0.5, "poll": 0.3, "download": 0.3, "prediction": 1},
}


def _everything(bench: Bench, *said: str) -> bytes:
    written = [path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()]
    names = [str(path) for path in bench.folder.rglob("*")]
    return b"\n".join([*written, *(text.encode() for text in [*names, *said])])


def _check(bench: Bench, *said: str) -> bytes:
    """No form of the key is in anything that was written or said."""
    found = _everything(bench, *said)
    assert [form for form in FORMS if form in found] == []
    return found


def _asked(bench: Bench, words: Iterable[str]) -> set[str]:
    prompts = " ".join(bench.service.counts().by_prompt("received"))
    return {word for word in words if f"={word}]" in prompts}


@pytest.mark.parametrize("phase", PHASES)
def test_no_misdeed_of_a_service_makes_us_write_the_key(bench: Bench, phase):
    words = set(PHASES[phase])
    # Some words end the submits of a run, so it takes a few runs to meet them all.
    for _ in range(20):
        left = sorted(words - _asked(bench, words))
        if not left:
            break
        bench.job([f"a pear [{phase}={word}]" for word in left], run=IMPATIENT)
        done = bench.run("--verbose")
        assert done.returncode in {0, 3, 4, 5, 6}, done.stderr
        _check(bench, done.stdout, done.stderr)
    assert _asked(bench, words) == words
    assert bench.service.counts()["keys_on_images"] == 0
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    assert " DEBUG POST /api/v3/wavespeed-ai/imagen4" in log


@pytest.mark.parametrize("options", [(), ("--json",), ("--quiet",)])
def test_no_file_and_no_output_shows_the_key(bench: Bench, options):
    words = ("submit=400", "submit=reset", "submit=notjson", "poll=500x1", "image=404x1")
    bench.job([f"a pear [{word}]" for word in words])
    done = bench.run(*options)
    assert done.returncode == 5
    assert b"a pear" in _check(bench, done.stdout, done.stderr)


def test_a_service_that_quotes_the_key_does_not_make_us_write_it(bench: Bench):
    bench.job(2)
    key = f"wrong-{cli.KEY}"
    done = bench.run("--verbose", env={**bench.env, "WAVESPEED_API_KEY": key})
    assert done.returncode == 6
    assert "not a valid key: Bearer ***" in done.stderr
    assert b"***" in _check(bench, done.stdout, done.stderr)


def test_no_command_shows_a_key_that_every_answer_quotes(bench: Bench):
    cli.write_job(bench.folder / "other.yaml", ["a pear"], model="acme/paint")
    bench.job(["a pear [submit=reset]", "a plum", "a fig [submit=400]"])
    assert bench.run().returncode == 5
    bench.age(600)
    (bench.dataset / bench.image_files()[0]).unlink()
    env = {**bench.env, "WAVESPEED_API_KEY": f"wrong-{cli.KEY}"}
    said = b""
    for command, code in {
        ("status", "out/job", "--json"): 0,
        ("plan", "job.yaml", "--json"): 0,
        ("plan", "other.yaml", "--check"): 0,
        ("doctor", "job.yaml", "--json"): 2,
        ("verify", "out/job", "--repair", "--json"): 3,
        ("reconcile", "out/job", "--grace", 0): 5,
        ("run", "job.yaml", "--verbose"): 5,
        ("run", "job.yaml", "--json", "--retry-failed", "--on-uncertain", "resubmit"): 6,
    }.items():
        done = cli.run_batchgen(*command, cwd=bench.folder, env=env, patch=QUICK)
        assert done.returncode == code, done.stderr
        said = _check(bench, done.stdout, done.stderr)
    assert b"not a valid key: Bearer ***" in said


def test_no_history_makes_us_write_the_key(bench: Bench):
    bench.job(["a pear [submit=reset]", "a plum [submit=reset]"])
    assert bench.run().returncode == 5
    bench.age(600)
    for history in ("told", "failing", "page", "odd", *sorted(POISONS.keys() - {"fresh"})):
        bench.service.account(history=history, ago=600)
        done = bench.reconcile("--grace", 0)
        # Which of two is whose, no history without the requests can tell.
        assert (done.returncode, bench.states()) == (5, {"uncertain": 2}), done.stderr
        _check(bench, done.stdout, done.stderr)


def test_nobody_is_told_the_key(bench: Bench):
    bench.job(1)
    with listener() as there:
        told = {"BATCHGEN_PING_URL": f"{there.base}/ping", "BATCHGEN_WEBHOOK_URL": there.base}
        done = bench.run("--base-url", f"https://me:{cli.KEY}@a.example", env={**bench.env, **told})
        assert done.returncode == 2
        assert "https://me:***@a.example" in str(there.heard)
        _check(bench, done.stderr, str(there.heard))


class _Raises:
    """What stands for a function that fails with *text*; its repr is Python, for ``patch``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"lambda *_, **__: {{}}[{self._text!r}]"


@pytest.mark.parametrize(
    "place",
    [
        "batchgen.job.load.load_job",
        "batchgen.run.making.run_job",
        "batchgen.run.variant.life.follow",
    ],
)
def test_the_traceback_of_a_bug_does_not_show_the_key(bench: Bench, place):
    bench.job(1)
    patch = {**QUICK, place: _Raises(f"Authorization: Bearer {cli.KEY}")}
    with bench.start("--verbose", patch=patch) as running:
        assert running.process.wait() == 1
        said = running.process.stderr
    assert "Traceback (most recent call last):" in said
    assert "KeyError: 'Authorization: Bearer ***'" in said
    assert said.splitlines()[-1].startswith("batchgen: bug: ")
    _check(bench, said)


def test_a_signal_in_the_middle_leaves_no_key_behind(bench: Bench):
    bench.job(8)
    bench.service.hold(completion=2)
    with bench.start("--verbose") as running:
        running.until_rows(2)
        running.process.signal(signal.SIGTERM)
        assert running.process.wait() == 143
        said = running.process.stderr
    assert b"stopped by SIGTERM" in _check(bench, said)


@pytest.mark.parametrize(
    "key", ["two\nlines", "a key", "'quoted key'", "cl\u00e9", "a\tb", "\u2028x"]
)
def test_a_key_that_cannot_be_one_is_neither_sent_nor_shown(bench: Bench, key):
    bench.job(1)
    done = bench.run(env={**bench.env, "WAVESPEED_API_KEY": f"{cli.KEY}{key}{cli.KEY}"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "batchgen: usage: expected a key of visible ASCII characters, without spaces\n"
    )
    assert bench.service.counts().requests == 0
    _check(bench, done.stderr)


@pytest.mark.parametrize(("mode", "code"), [(0o600, 0), (0o644, 2)])
def test_a_key_file_is_used_only_when_nobody_else_may_read_it(bench: Bench, mode, code):
    bench.job(1)
    path = bench.folder.parent / f"key-{mode}"
    path.write_text(f"{cli.KEY}\n")
    path.chmod(mode)
    env = {"WAVESPEED_BASE_URL": bench.service.base, "WAVESPEED_API_KEY_FILE": str(path)}
    done = bench.run("--verbose", env=env)
    path.unlink()
    assert done.returncode == code
    assert bench.service.counts()["billed"] == (code == 0)
    _check(bench, done.stdout, done.stderr)


def test_the_state_of_a_dataset_is_for_its_owner_alone(bench: Bench):
    bench.job(1)
    assert bench.run().returncode == 0
    assert (bench.dataset / ".batchgen").stat().st_mode & 0o777 == 0o700
