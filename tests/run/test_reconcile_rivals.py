"""Submits that cannot be settled yet may still have made what the history shows."""

from datetime import UTC, datetime, timedelta

from tests.support.bench import Bench

OLD, YOUNG = "a pear [submit=500x1]", "a plum [submit=500x1]"


def _intents(bench: Bench, **seconds_ago: int) -> None:
    """Let the submit of each prompt have been so many seconds ago."""
    for word, seconds in seconds_ago.items():
        past = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        sql = "UPDATE variants SET intent_at = ? WHERE request LIKE ?"
        bench.edit_ledger(sql, past.replace("+00:00", "Z"), f"%{word}%")


def test_a_submit_too_young_to_be_settled_keeps_an_older_one_from_taking_its_prediction(
    bench: Bench,
):
    bench.job([OLD, YOUNG])
    assert bench.run().returncode == 5
    bench.service.reset()
    # Settled after three and a half minutes: the old one can be, the young one cannot, and the
    # one prediction there is lies in the time of both.
    _intents(bench, pear=215, plum=150)
    bench.service.account(foreign=[{"ago": 145}])
    assert bench.run().returncode == 5
    assert bench.states() == {"uncertain": 2}
    assert bench.service.counts()["billed"] == 0


def test_the_longest_wait_there_was_sets_the_time_of_a_submit(bench: Bench):
    patient = {"timeouts": {"submit": 600}}
    bench.job([OLD], run=patient)
    assert bench.run().returncode == 5
    bench.service.reset()
    _intents(bench, pear=300)
    bench.job([OLD], run={"timeouts": {"submit": 1}})
    # By the hurried job it would be settled, called absent and bought again.
    assert bench.run().returncode == 5
    assert bench.states() == {"uncertain": 1}
    assert bench.service.counts()["billed"] == 0
