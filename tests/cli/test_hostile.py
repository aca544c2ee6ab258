"""Text from outside cannot fool a terminal or a log, whatever command shows it."""

import json

import pytest

from tests.support.bench import Bench
from tests.support.cli import KEY, run_batchgen

EVIL = "\x1b[2J\x1b]0;mine\x07\u202e\r"
SHOWN = r"\x1b[2J\x1b]0;mine\x07\u202e\x0d"


def harmless(text: str) -> bool:
    return not any(character in text for character in "\x1b\x07\u202e\r")


@pytest.mark.parametrize(
    "arguments",
    [
        [f"{EVIL}x"],
        ["run", f"{EVIL}x.yaml"],
        ["run", "job.yaml", f"--{EVIL}"],
        ["run", "job.yaml", "--service", EVIL],
        ["run", "job.yaml", "--base-url", EVIL],
        ["run", "job.yaml", "--max-duration", EVIL],
        ["run", "job.yaml", EVIL],
        ["plan", EVIL],
        ["status", EVIL],
        ["verify", EVIL],
        ["reconcile", EVIL],
        ["serve", "--latency", EVIL],
        ["init", f"{EVIL}/job.yaml"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]).replace(EVIL, "EVIL"),
)
def test_what_is_wrong_on_a_command_line_is_shown_by_its_codes(bench: Bench, arguments):
    bench.job(1)
    done = run_batchgen(*arguments, cwd=bench.folder, env=bench.env)
    assert (done.returncode, done.stdout) == (2, "")
    assert harmless(done.stderr)
    assert done.stderr.splitlines()[-1].startswith("batchgen: usage: ")
    assert bench.service.counts().requests == 0


def test_the_words_of_a_service_stay_on_one_line_of_screen_and_log(bench: Bench):
    bench.job(["a pear", "a plum [submit=escapes]"])
    done = bench.run()
    assert done.returncode == 3
    assert harmless(done.stdout + done.stderr)
    log = (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")
    assert harmless(log)
    for text in (done.stderr, log):
        (line,) = (line for line in text.splitlines() if "all is well" in line)
        assert "was rejected: HTTP 400: \\x1b[2J\\x1b]0;mine" in line


def test_names_of_files_are_shown_by_their_codes(bench: Bench):
    bench.job(["a pear", "a pear"], output={"dir": f"out{EVIL}"})
    bench.dataset = bench.folder / f"out{EVIL}"
    done = bench.run()
    assert done.returncode == 0
    assert f"out{SHOWN}" in done.stdout
    (bench.dataset / "images" / f"{EVIL}.png").write_bytes(b"mine")
    found = run_batchgen("verify", bench.dataset, cwd=bench.folder)
    assert f"1: images/{SHOWN}.png" in found.stdout
    assert harmless(done.stdout + done.stderr + found.stdout + found.stderr)


@pytest.mark.parametrize("option", ["--api-key", "--key", "--token", "--api-key="])
def test_a_key_on_the_command_line_is_refused_with_the_reason(bench: Bench, option):
    bench.job(1)
    given = [f"{option}{KEY}"] if option.endswith("=") else [option, KEY]
    done = bench.run(*given)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "every user of this computer can read a command line" in line
    assert "WAVESPEED_API_KEY" in line
    assert KEY not in line


@pytest.mark.parametrize("name", ["api_key", "key", "token", "secret"])
def test_a_key_in_a_job_file_is_refused_and_not_shown(bench: Bench, name):
    bench.job(1, **{name: "another-secret-key"})
    done = bench.run()
    assert done.returncode == 2
    assert f"unknown key '{name}': a job file never holds the API key" in done.stderr
    assert "WAVESPEED_API_KEY" in done.stderr
    assert "another-secret-key" not in done.stderr
    assert not bench.dataset.exists()


@pytest.mark.parametrize(
    "keys",
    [
        {"params": {"seed": "{key}"}},
        {"params": {"x" * 250 + "{key}" + "x" * 600: 1}},
        {"name": "x" * 20 + "{key}"},
    ],
    ids=["a value", "a name", "a line"],
)
def test_no_part_of_a_key_in_a_job_file_is_shown(bench: Bench, keys):
    key = "".join(f"{number:02x}" for number in range(100, 132))
    bench.job(1)
    path = bench.folder / "job.yaml"
    told = json.dumps(keys).replace("{key}", key)
    path.write_text(f"{json.dumps({'prompts': ['a'], 'name': 'job'})[:-1]}, {told[1:]}", "utf-8")
    done = bench.run(env={**bench.env, "WAVESPEED_API_KEY": key})
    assert done.returncode == 2
    assert not any(key[at : at + 6] in done.stderr for at in range(len(key) - 5)), done.stderr


def test_a_key_in_an_address_is_not_shown(bench: Bench):
    bench.job(1)
    done = bench.run("--base-url", f"https://user:{KEY}@api.wavespeed.ai")
    assert done.returncode == 2
    assert "user:***@" in done.stderr
    assert KEY not in done.stderr
