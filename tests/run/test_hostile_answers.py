"""A service that sends what none should: honest exit codes, in time, and nothing paid twice."""

import time

import pytest

from tests.support import cli
from tests.support.bench import Bench
from tests.support.cli import failures, summary

UNREADABLE = (
    *("nan", "twice", "deep", "levels", "digits", "surrogates", "cut-json", "latin"),
    *("bomb", "endless", "drip", "flood", "long500"),
)
YES_AND_NO = ("yes429", "late429", "yes400", "code429", "escapes-id")
# Code points that a terminal or an editor would obey.
OBEYED = ("\x1b", "\x07", "\x08", "\x9b", "\u202e", "\u2028")
LIMITS = {"timeouts": {"submit": 0.7, "poll": 0.7}}


def _words(phase: str, words: tuple[str, ...], end: str = "") -> list[str]:
    return [f"a pear [{phase}={word}{end}]" for word in words]


def _everything_written(bench: Bench) -> bytes:
    files = [path for path in bench.dataset.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files if path.suffix not in {".png", ".sqlite3"})


REASONS = {
    "levels": "of more than 100 levels",
    "digits": "of more than 400 digits",
    "twice": "gives a field twice",
    "nan": "not JSON",
    "late429": "its own code is 504",
}
# In parts: ten failures in a row would end the submits.
PARTS = {"nonsense": UNREADABLE[:7], "too much": UNREADABLE[7:], "yes and no": YES_AND_NO}


@pytest.mark.parametrize("words", PARTS.values(), ids=PARTS)
def test_submits_whose_answers_prove_nothing_are_held_and_never_sent_again(bench: Bench, words):
    prompts = _words("submit", words)
    bench.job(prompts, run=LIMITS)
    start = time.monotonic()
    for _ in range(2):
        done = bench.run()
        assert done.returncode == 5, done.stderr
        assert bench.service.counts().by_prompt("received") == dict.fromkeys(prompts, 1)
        found = {r["prompt"]: (r["state"], r["paid"]) for r in failures(bench.dataset)}
        assert found == dict.fromkeys(prompts, ("uncertain", None))
        bench.check_billed_once(len(prompts))
    assert time.monotonic() - start < 20
    # An answer without an end is read up to its cap; as much may be on its way.
    assert bench.service.counts()["streamed"] < 2**25
    said = {row["prompt"]: row["error"] for row in failures(bench.dataset)}
    assert all(len(error) < 2_100 for error in said.values())
    for word, prompt in zip(words, prompts, strict=True):
        assert REASONS.get(word, "") in said[prompt]


def test_polls_with_unreadable_answers_are_asked_again(bench: Bench):
    words = (*UNREADABLE, "code202", "code400", "code404", "code500", "yes500", "away", "cookie")
    bench.job(_words("poll", (*words, "escapes"), "x1"), run=LIMITS)
    start = time.monotonic()
    done = bench.run()
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 20
    bench.check_whole(len(words) + 1)
    bench.check_billed_once(len(words) + 1)
    counts = bench.service.counts()
    assert (counts["trapped"], counts["cookies"]) == (0, 0)


def test_a_service_that_is_never_understood_leaves_what_is_paid_for_the_next_run(bench: Bench):
    prompts = _words("poll", ("nan", "twice", "endless", "escapes", "code500"))
    bench.job(prompts, run={"timeouts": {"poll": 0.3, "prediction": 0.6}})
    done = bench.run()
    assert done.returncode == 4, done.stderr
    assert bench.states() == {"submitted": len(prompts)}
    assert done.stderr.count("unknown status") == 1
    assert summary(bench.dataset)["pending"] == len(prompts)
    bench.check_billed_once(len(prompts))


def test_a_reason_is_found_in_every_shape(bench: Bench):
    words = ("error-text", "error-object", "error-list")
    prompts = _words("submit", words) + _words("poll", ("failed-object", "failed-list"))
    bench.job(prompts)
    assert bench.run().returncode == 3
    found = {row["prompt"]: row["error"].rpartition(": ")[2] for row in failures(bench.dataset)}
    assert found == dict.fromkeys(prompts, "why not")


def test_words_of_a_service_are_shown_and_kept_without_what_a_terminal_obeys(bench: Bench):
    prompts = _words("submit", ("escapes", "escapes-id", "long400"))
    prompts += _words("poll", ("failed-escapes", "failed-long", "escapesx2"))
    bench.job(prompts)
    done = bench.run()
    assert done.returncode == 5
    assert r"\x1b[2J" in done.stderr
    lines = done.stderr.splitlines()
    assert all(len(line) < 2_200 for line in lines)
    assert [line for line in lines if line.startswith("batchgen: ok")] == []
    for text in (done.stdout, done.stderr, _everything_written(bench).decode()):
        assert [mark for mark in OBEYED if mark in text] == []
    errors = {row["prompt"]: row["error"] for row in failures(bench.dataset)}
    assert errors[prompts[3]].startswith(r"\x1b[2J\x1b]0;mine\x07\u202e\x0d\x0abatchgen: ok")


@pytest.mark.parametrize("word", ["submit=echo", "submit=echo-away", "poll=echo", "poll=awayx3"])
def test_a_key_that_comes_back_is_written_nowhere(bench: Bench, word):
    bench.job([f"a pear [{word}]"])
    done = bench.run()
    assert done.returncode == {"submit=echo-away": 4, "poll=awayx3": 0}.get(word, 3)
    said = (done.stdout + done.stderr).encode() + _everything_written(bench)
    said += b"".join(p.read_bytes() for p in bench.dataset.rglob("*.sqlite3*"))
    assert b"***" in said or word == "poll=awayx3"
    assert cli.KEY.encode() not in said
    assert bench.service.counts()["trapped"] == 0


def test_a_prediction_that_another_variant_has_is_not_attached_to_a_second_one(bench: Bench):
    prompts = [f"{fruit} [submit=same-id]" for fruit in ("a pear", "a plum", "a fig")]
    bench.job(prompts, run={"concurrency": 1})
    for _ in range(2):
        done = bench.run()
        assert done.returncode == 5, done.stderr
        assert bench.states() == {"saved": 1, "uncertain": 2}
        bench.check_billed_once(3)
        held = [row for row in failures(bench.dataset) if row["state"] == "uncertain"]
        assert {row["prompt"] for row in held} == set(prompts[1:])


def test_a_service_where_everything_fails_is_not_paid_for_ever(bench: Bench):
    bench.job([f"fruit {number} [poll=failed]" for number in range(60)], run={"concurrency": 4})
    done = bench.run()
    assert done.returncode == 4, done.stderr
    assert "the last 10 variants all failed" in done.stderr.splitlines()[-1]
    billed = bench.service.counts()["billed"]
    assert 10 <= billed <= 20
    bench.check_billed_once(billed)


def test_proxies_and_passwords_of_the_environment_are_not_used(bench: Bench):
    bench.job(2)
    nowhere = f"http://127.0.0.1:{cli.closed_port()}"
    names = ("http_proxy", "https_proxy", "all_proxy")
    proxies = {name: nowhere for low in names for name in (low, low.upper())}
    netrc = bench.folder / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    done = bench.run(env={**bench.env, **proxies, "NETRC": str(netrc)})
    assert done.returncode == 0, done.stderr
    bench.check_whole(2)
    assert bench.service.counts()["keys_on_images"] == 0
