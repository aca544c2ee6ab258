"""Submits that were never answered, settled by the history: adopted, released, or held and said.

Every submit here hangs, is cut or fails behind a gateway, and was billed unless said otherwise.
"""

import json
from typing import Any

import pytest

from tests.support.bench import Bench
from tests.support.cli import Done, failures, summary

# Older than the three and a half minutes after which a run settles submits by itself.
LONG_AGO = 600
PAID, UNPAID = "a pear [submit=500x1]", "a plum"


def _uncertain(bench: Bench, *prompts: str, **job: Any) -> None:
    """Make the job up to where these prompts were submitted and not answered."""
    bench.job(list(prompts), **job)
    done = bench.run()
    assert done.returncode == 5, done.stderr
    bench.age(LONG_AGO)


def _unpaid(bench: Bench) -> None:
    """Make the job up to where one submit is uncertain that never reached the service."""
    _uncertain(bench, PAID)
    bench.service.reset()


def _settle(bench: Bench, code: int = 0, *options: object, **more: Any) -> dict[str, Any]:
    done = bench.reconcile("--grace", 0, "--json", *options, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith("batchgen: uncertain: " if code else "batchgen: ok: ")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _evidence(bench: Bench) -> list[dict[str, Any]]:
    lines = (bench.dataset / ".batchgen" / "reconcile.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _check_held(bench: Bench, why: str, **told: Any) -> None:
    """Reconciling holds the one submit for that reason."""
    before = bench.states()
    bench.service.account(**{"ago": LONG_AGO, **told})
    found = _settle(bench, 5)
    assert (found["held"], found["adopted"], found["absent"]) == (1, 0, 0)
    assert why in found["why"]
    assert bench.states() == before


def test_the_only_prediction_at_that_time_is_adopted_and_collected(bench: Bench):
    _uncertain(bench, PAID, UNPAID)
    bench.service.account(ago=LONG_AGO)
    found = _settle(bench)
    assert (found["adopted"], found["absent"], found["held"]) == (1, 0, 0)
    assert bench.states() == {"saved": 1, "submitted": 1}
    (line,) = _evidence(bench)
    assert line["decision"] == "adopted"
    assert line["prediction_id"] in bench.service.counts().ids
    assert bench.run().returncode == 0
    bench.check_whole(2)
    bench.check_billed_once(2)
    assert summary(bench.dataset)["spent_usd"] == pytest.approx(0.08)
    assert summary(bench.dataset)["reserved_usd"] == 0


def test_shown_requests_tell_ours_from_those_of_strangers(bench: Bench):
    prompts = [f"a pear [submit={word}]" for word in ("500x1", "502x1", "resetx1", "halfx1")]
    _uncertain(bench, *prompts, params={"seed": 7})
    theirs = [{"count": 150}, {"count": 3, "model": "other/model"}]
    bench.service.account(inputs=True, ago=LONG_AGO, foreign=theirs)
    found = _settle(bench)
    assert (found["adopted"], found["held"], found["strangers"]) == (4, 0, 153)
    assert bench.run().returncode == 0
    bench.check_whole(4)
    bench.check_billed_once(4)


def test_a_submit_that_made_nothing_is_released_and_sent_exactly_once_more(bench: Bench):
    _unpaid(bench)
    bench.service.account(ago=LONG_AGO)
    assert _settle(bench)["absent"] == 1
    assert bench.states() == {"planned": 1}
    (line,) = _evidence(bench)
    assert (line["decision"], line["prediction_id"], line["strangers"]) == ("absent", None, [])
    bench.job([PAID])
    assert bench.run().returncode == 5  # the service is new and cuts the first answer again
    bench.age(LONG_AGO)
    assert _settle(bench)["adopted"] == 1
    assert bench.run().returncode == 0
    bench.check_billed_once(1)
    assert summary(bench.dataset)["spent_usd"] == pytest.approx(0.04)


def test_a_released_submit_costs_nothing(bench: Bench):
    _unpaid(bench)
    _settle(bench)
    bench.job(["another [submit=400]"])
    assert bench.run().returncode == 3
    assert summary(bench.dataset)["spent_usd"] == 0


def test_predictions_before_and_after_the_submit_do_not_matter(bench: Bench):
    _uncertain(bench, PAID)
    theirs = [{"count": 130, "ago": 60}, {"count": 130, "ago": -400}]
    bench.service.account(ago=LONG_AGO, foreign=theirs)
    assert _settle(bench)["adopted"] == 1
    assert bench.service.counts()["histories"] == 2 * 3  # two readings of as many pages as needed


def test_two_predictions_that_fit_are_held(bench: Bench):
    _uncertain(bench, PAID)
    _check_held(bench, "2 predictions of the history fit it", foreign=[{"count": 1}])
    (row,) = failures(bench.dataset)
    assert (row["state"], row["paid"]) == ("uncertain", None)
    (line,) = _evidence(bench)
    assert (line["decision"], line["why"]) == ("held", "2 predictions of the history fit it")
    assert len(line["strangers"]) == 2


def test_one_prediction_for_two_submits_is_held(bench: Bench):
    _uncertain(bench, PAID, "a plum [submit=500x1]")
    bench.service.account(ago=LONG_AGO, lag=1)
    assert _settle(bench, 5)["held"] == 2
    assert bench.states() == {"uncertain": 2}


def test_an_account_that_others_use_at_that_time_is_held(bench: Bench):
    _uncertain(bench, PAID)
    theirs = [{"count": 1, "model": "other/model"}]
    _check_held(bench, "others use the account at the same time", foreign=theirs)


@pytest.mark.parametrize(
    ("history", "why"),
    [
        ("failing", "the history cannot be read: HTTP 500"),
        ("page", "the history cannot be read"),
        ("odd", "something that is no prediction"),
        ("changing", "the history is still changing"),
        ("endless", "the history is too long to be read"),
    ],
)
def test_a_history_that_proves_nothing_is_held(bench: Bench, history: str, why: str):
    _uncertain(bench, PAID)
    patch = {
        "batchgen.run.uncertain.settle.MAX_PAGES": 5,
        "batchgen.run.uncertain.settle.BETWEEN_READINGS": 0.01,
    }
    bench.service.account(ago=LONG_AGO, history=history)
    found = _settle(bench, 5, patch=patch)
    assert why in found["why"]
    assert bench.states() == {"uncertain": 1}


def test_submits_older_than_the_history_are_held(bench: Bench):
    _uncertain(bench, PAID)
    bench.age(7 * 86_400)
    _check_held(bench, "older than the seven days", ago=7 * 86_400 + LONG_AGO, inputs=True)
    assert bench.service.counts()["histories"] == 0


def test_submits_with_another_key_wait_for_that_key(bench: Bench):
    _uncertain(bench, PAID)
    bench.service.account(ago=LONG_AGO)
    found = _settle(bench, 5, env={**bench.env, "WAVESPEED_API_KEY": "another-key-0001"})
    assert "another key" in found["why"]
    assert bench.states() == {"uncertain": 1}
    assert bench.service.counts()["histories"] == 0
    assert _settle(bench)["adopted"] == 1


def test_a_key_that_is_refused_settles_nothing(bench: Bench):
    wrong = {**bench.env, "WAVESPEED_API_KEY": "wrong"}
    _uncertain(bench, PAID)
    bench.edit_ledger("UPDATE variants SET account = NULL")
    bench.service.account(ago=LONG_AGO)
    found = _settle(bench, 5, env=wrong)
    assert "the history cannot be read: HTTP 401" in found["why"]


def test_a_submit_is_settled_only_when_the_history_has_had_its_time(bench: Bench):
    bench.job([PAID], run={"timeouts": {"submit": 0.5}})
    assert bench.run().returncode == 5
    # The answer may come for half a second, may be handed on for 1 s, and be shown 1 s later.
    found = json.loads(bench.reconcile("--grace", 1, "--json").stdout)
    assert found["adopted"] == 1
    (at,) = bench.ask_ledger("SELECT intent_at FROM variants")[0]
    (line,) = _evidence(bench)
    assert line["at"] > line["latest"] > at


def test_a_run_settles_old_submits_by_itself_and_buys_what_made_nothing(bench: Bench):
    _uncertain(bench, PAID)
    bench.service.account(ago=LONG_AGO)
    done = bench.run()
    assert done.returncode == 0, done.stderr
    assert [line["decision"] for line in _evidence(bench)] == ["adopted"]
    bench.check_whole(1)
    bench.check_billed_once(1)


def test_a_run_does_not_wait_for_the_history_of_a_fresh_submit(bench: Bench):
    bench.job([PAID])
    assert bench.run().returncode == 5
    assert bench.run().returncode == 5
    assert bench.service.counts()["histories"] == 0
    assert bench.states() == {"uncertain": 1}


def test_a_computer_whose_clock_is_ahead_waits_all_the_same(bench: Bench):
    bench.service.account(behind=LONG_AGO)
    bench.job([PAID])
    assert bench.run().returncode == 5
    bench.service.account(behind=LONG_AGO, lag=1)
    assert bench.run().returncode == 5
    assert bench.states() == {"uncertain": 1}
    assert bench.service.counts()["billed"] == 1


@pytest.mark.parametrize("days", [-2, 2])
def test_a_computer_whose_clock_is_days_off_pays_once(bench: Bench, days: int):
    clock = {"behind": days * 86_400}
    bench.service.account(**clock)
    bench.job([PAID])
    assert bench.run().returncode == 5
    bench.age(LONG_AGO)
    bench.service.account(**clock, ago=LONG_AGO)
    assert _settle(bench)["adopted"] == 1
    assert bench.run().returncode == 0
    bench.check_billed_once(1)


@pytest.mark.parametrize("fact", ["salt", "pace"])
def test_a_ledger_that_knows_no_last_run_says_what_to_do(bench: Bench, fact: str):
    _uncertain(bench, PAID)
    bench.edit_ledger("DELETE FROM meta WHERE name = ?", fact)
    done = bench.reconcile("--grace", 0)
    assert done.returncode == 2
    assert "knows no last run; run its job once first" in done.stderr


def test_what_was_sent_in_the_future_is_held_and_not_waited_for(bench: Bench):
    _uncertain(bench, PAID)
    bench.age(-400 * 86_400)
    _check_held(bench, "a clock was wrong")


def test_a_request_that_the_history_shows_in_part_is_not_called_another(bench: Bench):
    _uncertain(bench, UNPAID + " [submit=500]", params={"seed": 7, "negative_prompt": ""})
    bench.service.reset()
    shown = {"prompt": UNPAID + " [submit=500]", "seed": "7"}
    told = {"inputs": True, "ago": LONG_AGO, "foreign": [{"count": 2, "request": shown}]}
    bench.service.account(**told)
    assert _settle(bench, 5)["held"] == 1


def test_resubmitting_says_the_worst_case_first_and_buys_exactly_those(bench: Bench):
    prompts = [PAID, "a fig [submit=502x1]", UNPAID]
    _uncertain(bench, *prompts)
    bench.service.account(history="failing")
    done = bench.run("--on-uncertain", "resubmit")
    assert done.returncode == 0, done.stderr
    assert "in the worst case $0.08 is paid twice" in done.stderr
    assert list(bench.service.counts().by_prompt("billed").values()) == [2, 2, 1]
    bench.check_whole(3)
    assert summary(bench.dataset)["spent_usd"] == pytest.approx(0.2)


def test_a_dataset_without_uncertain_submits_needs_no_service(bench: Bench):
    bench.job([UNPAID])
    assert bench.run().returncode == 0
    found = _settle(bench, 0, env={})
    assert set(found.values()) == {0, ""}
    assert bench.service.counts()["histories"] == 0


def test_people_are_told_what_became_of_their_submits_and_what_to_do(bench: Bench):
    _uncertain(bench, PAID)
    bench.service.account(ago=LONG_AGO, foreign=[{"count": 1}])
    done = _text(bench, 5)
    assert "held      1: 2 predictions of the history fit it" in done.stdout
    assert "--on-uncertain resubmit" in done.stderr
    bench.service.account(ago=LONG_AGO)
    done = _text(bench, 0)
    assert "adopted   1 were made; the next run collects them" in done.stdout
    assert done.stderr == "batchgen: ok: nothing is uncertain any more; run the job again\n"


def _text(bench: Bench, code: int) -> Done:
    done = bench.reconcile("--grace", 0)
    assert done.returncode == code
    return done
