"""What each answer to a submit comes to: the state, the exit code, and what was sent and billed."""

import pytest

from tests.support import cli
from tests.support.bench import QUICK, Bench
from tests.support.cli import failures, summary

REJECTED = ("400", "405", "409", "413", "415", "422", "code400")
UNCERTAIN = (
    *("408", "500", "502", "504", "524", "page502", "page503", "code500"),
    *("notjson", "nothing", "noid", "badid", "hang", "reset", "half"),
)
CONTRADICTIONS = ("yes503", "late503", "id429", "list429", "outputs429")
RECOVERED = {"429x2": 3, "503x1": 2, "page429x1": 2, "page503-laterx1": 2, "202": 1}


def _prompts(words: tuple[str, ...] | dict[str, int]) -> list[str]:
    return [f"a pear [submit={word}]" for word in words]


def test_a_rejected_request_is_sent_once_and_fails_for_good_without_being_paid(bench: Bench):
    bench.job(_prompts(REJECTED))
    done = bench.run()
    assert done.returncode == 3, done.stderr
    assert bench.service.counts().by_prompt("received") == dict.fromkeys(_prompts(REJECTED), 1)
    found = {
        r["prompt"]: (r["state"], r["error_class"], r["paid"]) for r in failures(bench.dataset)
    }
    assert found == dict.fromkeys(_prompts(REJECTED), ("failed", "rejected", False))
    assert summary(bench.dataset)["spent_usd"] == 0
    assert bench.run().returncode == 3
    assert bench.service.counts()["received"] == len(REJECTED)


def test_a_rejection_that_quotes_a_prompt_about_money_is_one_of_the_prompt(bench: Bench):
    sign = "a sign: insufficient credits, please TOP UP YOUR ACCOUNT [submit=credits]"
    bench.job([sign, "a plum"], run={"concurrency": 1})
    assert bench.run().returncode == 3
    (row,) = failures(bench.dataset)
    assert (row["prompt"], row["state"], row["error_class"]) == (sign, "failed", "rejected")
    assert [row["prompt"] for row in bench.rows()] == ["a plum"]


# Ten in a row would end the submits.
@pytest.mark.parametrize("words", [UNCERTAIN[:8], UNCERTAIN[8:]])
def test_a_submit_whose_answer_proves_nothing_is_held_and_never_sent_again(bench: Bench, words):
    bench.job(_prompts(words), run={"timeouts": {"submit": 0.7}})
    for _ in range(2):
        done = bench.run()
        assert done.returncode == 5, done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"batchgen: uncertain: {len(words)} submits")
        counts = bench.service.counts()
        for name in ("received", "billed"):
            assert counts.by_prompt(name) == dict.fromkeys(_prompts(words), 1)
        found = {r["prompt"]: (r["state"], r["paid"]) for r in failures(bench.dataset)}
        assert found == dict.fromkeys(_prompts(words), ("uncertain", None))
    # Money that may have been spent counts as spent.
    assert summary(bench.dataset)["spent_usd"] == pytest.approx(0.04 * len(words))


def test_a_refusal_that_says_yes_and_no_at_once_is_never_sent_again(bench: Bench):
    bench.job(_prompts(CONTRADICTIONS))
    for _ in range(2):
        assert bench.run().returncode == 5
        assert bench.service.counts().by_prompt("received") == dict.fromkeys(
            _prompts(CONTRADICTIONS), 1
        )


def test_a_submit_that_was_turned_away_is_sent_again_until_it_is_accepted(bench: Bench):
    bench.job(_prompts(tuple(RECOVERED)))
    done = bench.run()
    assert done.returncode == 0, done.stderr
    counts = bench.service.counts()
    assert counts.by_prompt("received") == {
        f"a pear [submit={word}]": times for word, times in RECOVERED.items()
    }
    assert set(counts.by_prompt("billed").values()) == {1}
    bench.check_whole(len(RECOVERED))
    assert {row["prompt"]: row["attempts"] for row in bench.rows()} == counts.by_prompt("received")


def test_a_submit_that_is_turned_away_too_often_is_left_for_the_next_run(bench: Bench):
    pear = "a pear [submit=429x4][submit=503x4]"
    bench.job([pear, "a plum"], run={"concurrency": 1})
    done = bench.run()
    assert done.returncode == 4
    assert "HTTP 503" in done.stderr.splitlines()[-1]
    assert bench.service.counts().by_prompt("received") == {pear: 8, "a plum": 1}
    assert (summary(bench.dataset)["pending"], summary(bench.dataset)["saved"]) == (1, 1)
    assert bench.run().returncode == 0
    bench.check_billed_once(2)


def test_with_no_retries_a_submit_is_sent_once_and_the_others_go_on(bench: Bench):
    prompts = ["a pear [submit=429x1]", "a plum", "a fig [image=cutx1]", "a kiwi [poll=500x2]"]
    bench.job(prompts, run={"concurrency": 1, "retries": 0})
    assert bench.run().returncode == 4
    assert set(bench.service.counts().by_prompt("received").values()) == {1}
    assert {row["prompt"] for row in bench.rows()} == {"a plum", "a kiwi [poll=500x2]"}
    assert bench.service.counts().by_prompt("downloads")["a fig [image=cutx1]"] == 1
    assert bench.run().returncode == 0
    bench.check_billed_once(4)
    bench.check_whole(4)


def test_a_service_that_turns_everything_away_is_asked_by_one_at_a_time_and_then_left(bench: Bench):
    bench.job([f"a pear {n} [submit=429]" for n in range(30)], run={"concurrency": 12})
    done = bench.run(patch={**QUICK, "batchgen.run.pace.pacer.STRIKES": 6})
    assert done.returncode == 4
    assert "too busy: HTTP 429" in done.stderr.splitlines()[-1]
    # Those that were on their way together, and then one after the other.
    assert 6 <= bench.service.counts()["received"] <= 12 + 6
    found = summary(bench.dataset)
    assert (found["pending"], found["spent_usd"], found["failed"]) == (30, 0, 0)


@pytest.mark.parametrize("word", ["404", "page404", "page400", "redirect"])
def test_an_address_that_is_not_the_api_ends_the_run_after_one_submit(bench: Bench, word):
    bench.job([f"a pear [submit={word}]", "a plum", "a fig"], run={"concurrency": 1})
    done = bench.run()
    assert done.returncode == 4
    assert "does not offer wavespeed-ai/imagen4 at this address" in done.stderr.splitlines()[-1]
    counts = bench.service.counts()
    assert (counts["received"], counts["billed"], counts["trapped"]) == (1, 0, 0)
    assert summary(bench.dataset)["pending"] == 3


@pytest.mark.parametrize("word", ["401", "402", "403", "code401", "credits"])
def test_a_refused_account_ends_the_submits_at_once(bench: Bench, word):
    bench.job([f"a pear [submit={word}x1]", "a plum", "a fig"], run={"concurrency": 1})
    done = bench.run()
    assert done.returncode == 6
    assert "account" in done.stderr.splitlines()[-1]
    assert bench.service.counts()["received"] == 1
    assert summary(bench.dataset)["pending"] == 3
    assert bench.states() == {"planned": 1}


def test_an_account_that_was_topped_up_goes_on_where_it_stopped(bench: Bench):
    bench.job(["a pear [submit=402x1]", "a plum", "a fig"], run={"concurrency": 1})
    assert bench.run().returncode == 6
    assert bench.run().returncode == 0
    bench.check_whole(3)
    bench.check_billed_once(3)


def test_what_is_paid_is_collected_although_the_account_is_refused(bench: Bench):
    prompts = ["a fig [poll=processingx9]", "a pear [submit=402]", "a plum"]
    bench.job(prompts, run={"concurrency": 2})
    assert bench.run().returncode == 6
    assert [row["prompt"] for row in bench.rows()] == [prompts[0]]
    assert bench.service.counts()["billed"] == 1


def test_a_wrong_key_is_an_account_error_after_one_submit(bench: Bench):
    bench.job(3, run={"concurrency": 1})
    done = bench.run(env={**bench.env, "WAVESPEED_API_KEY": "wrong"})
    assert done.returncode == 6
    assert bench.service.counts()["received"] == 1


def test_without_a_key_nothing_is_written_or_sent(bench: Bench):
    bench.job(3)
    done = bench.run(env={"WAVESPEED_BASE_URL": bench.service.base})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("batchgen: usage: expected an API key in WAVESPEED_API_KEY")
    assert [path.name for path in bench.folder.iterdir()] == ["job.yaml"]
    assert bench.service.counts().requests == 0


def test_an_address_where_nobody_listens_ends_the_run_with_everything_left(bench: Bench):
    bench.job(3)
    base = f"http://127.0.0.1:{cli.closed_port()}"
    done = bench.run("--base-url", base)
    assert done.returncode == 4, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "cannot be reached" in last
    assert "run again" in last
    found = summary(bench.dataset)
    assert (found["pending"], found["failed"], found["spent_usd"]) == (3, 0, 0)
    assert bench.run().returncode == 0
    bench.check_whole(3)


@pytest.mark.parametrize("base", ["http://example.com", "ftp://127.0.0.1", "nonsense"])
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_written(bench: Bench, base):
    bench.job(1)
    done = bench.run("--base-url", base)
    assert done.returncode == 2
    assert repr(base) in done.stderr
    assert not bench.dataset.exists()
