"""What the service's history proves about submits that were never answered."""

from dataclasses import replace

import pytest

from batchgen.api.account import Listed
from batchgen.run.uncertain.adoption import Attempt, _proves, decide

MODEL = "wavespeed-ai/imagen4"


def attempt(key: str = "a", *, seconds: tuple[int, int] = (10, 20), **request: object) -> Attempt:
    early, late = (f"2026-01-01T00:00:{s:02}.000Z" for s in seconds)
    body = {"prompt": key, **request}
    return Attempt(key=key, model=MODEL, request=body, earliest=early, latest=late)


def listed(
    name: str,
    second: int = 15,
    *,
    model: str | None = MODEL,
    inputs: dict[str, object] | None = None,
) -> Listed:
    created = f"2026-01-01T00:00:{second:02}.000Z"
    return Listed(id=name, model=model, created_at=created, inputs=inputs)


def test_an_empty_history_proves_that_nothing_was_created():
    found = decide([attempt()], [], ())
    assert found.absent == {"a"}
    assert not found.adopted
    assert not found.held


def test_the_only_orphan_of_the_only_attempt_is_adopted():
    found = decide([attempt()], [listed("x")], ())
    assert found.adopted["a"].id == "x"
    assert found.strangers == []


@pytest.mark.parametrize(
    "item",
    [
        listed("x", 9),
        listed("x", 21),
        listed("x", model="google/imagen4"),
        listed("x", inputs={"prompt": "another"}),
    ],
)
def test_what_does_not_fit_is_not_adopted_and_the_attempt_is_absent(item: Listed):
    found = decide([attempt()], [item], ())
    assert found.absent == {"a"}
    assert not found.adopted


def test_a_prediction_known_from_the_ledger_is_no_orphan():
    assert decide([attempt()], [listed("x")], {"x"}).absent == {"a"}


def test_two_orphans_for_one_attempt_are_held():
    found = decide([attempt()], [listed("x"), listed("y", 16)], ())
    assert found.held == {"a": "2 predictions of the history fit it"}
    assert {item.id for item in found.strangers} == {"x", "y"}


def test_one_orphan_for_two_attempts_is_held():
    found = decide([attempt("a"), attempt("b")], [listed("x")], ())
    assert set(found.held) == {"a", "b"}


def test_attempts_at_different_times_are_told_apart():
    early, late = attempt("a"), attempt("b", seconds=(30, 40))
    found = decide([early, late], [listed("x", 15), listed("y", 35)], ())
    assert {key: item.id for key, item in found.adopted.items()} == {"a": "x", "b": "y"}


def test_a_shared_account_adopts_nothing_without_proof():
    found = decide([attempt()], [listed("x"), listed("theirs", model="other/model")], ())
    assert found.held == {"a": "others use the account at the same time"}


def test_shown_inputs_decide_even_among_strangers():
    history = [
        listed("x", inputs={"prompt": "a", "seed": 1, "num_images": 1}),
        listed("theirs", model="other/model"),
        listed("y", inputs={"prompt": "b", "seed": 1}),
    ]
    found = decide([attempt("a", seed=1), attempt("b", seed=2)], history, ())
    assert {key: item.id for key, item in found.adopted.items()} == {"a": "x"}
    assert found.absent == {"b"}
    assert {item.id for item in found.strangers} == {"theirs", "y"}


def test_of_two_proofs_the_older_is_ours_and_the_other_is_reported():
    same: dict[str, object] = {"prompt": "a"}
    found = decide([attempt()], [listed("y", 16, inputs=same), listed("x", 12, inputs=same)], ())
    assert found.adopted["a"].id == "x"
    assert [item.id for item in found.strangers] == ["y"]


def test_an_orphan_without_a_time_keeps_an_attempt_from_being_called_absent():
    unknown = Listed(id="x", model="other/model", created_at=None, inputs=None)
    found = decide([attempt()], [listed("z"), unknown], ())
    assert "a" in found.held


@pytest.mark.parametrize("model", [None, MODEL + ":v2", "wavespeed-ai/imagen"])
def test_a_model_that_is_not_told_or_spelled_otherwise_neither_adopts_nor_releases(model):
    found = decide([attempt()], [listed("x", model=model)], ())
    assert found.held == {"a": "the history names the model differently"}


def test_a_request_with_more_in_it_is_no_proof():
    ours, theirs = attempt("a", seed=1), attempt("a", seed=1, negative_prompt="people")
    theirs = replace(theirs, key="b")
    shown = listed("x", inputs={"prompt": "a", "seed": 1, "negative_prompt": "people"})
    found = decide([ours, theirs], [shown], ())
    assert {key: item.id for key, item in found.adopted.items()} == {"b": "x"}
    assert "a" not in found.adopted


def test_defaults_that_a_service_adds_do_not_spoil_a_proof():
    added = {"aspect_ratio": "1:1", "num_images": 1, "negative_prompt": ""}
    shown = listed("x", inputs={"prompt": "a", "seed": 1, **added})
    assert decide([attempt("a", seed=1)], [shown], ()).adopted["a"].id == "x"


def test_an_attempt_of_which_no_time_is_known_needs_a_proof():
    lost = replace(attempt(seed=1), timed=False)
    assert "a" in decide([lost], [], ()).held
    assert "a" in decide([lost], [listed("x")], ()).held
    shown = listed("x", inputs={"prompt": "a", "seed": 1})
    assert decide([lost], [shown], ()).adopted["a"].id == "x"


def test_an_attempt_that_may_have_made_it_keeps_another_from_adopting_it():
    rival = replace(attempt("b"), timed=False)
    assert set(decide([attempt("a"), rival], [listed("x")], ()).held) == {"a", "b"}


def test_a_thousand_attempts_and_orphans_are_decided_in_no_time_at_all():
    attempts = [attempt(f"a{n}") for n in range(300)]
    history = [listed(f"x{n}") for n in range(1000)]
    assert len(decide(attempts, history, ()).held) == 300


def test_after_a_rebuild_each_lost_record_is_held_against_the_requests_like_it_alone(monkeypatch):
    looked_at = 0

    def proves(item: Listed, attempt: Attempt) -> bool:
        nonlocal looked_at
        looked_at += 1
        return _proves(item, attempt)

    monkeypatch.setattr("batchgen.run.uncertain.adoption._proves", proves)
    requests = [{"prompt": f"p{n % 10}", "seed": n, "images": [f"u{n}"]} for n in range(2_000)]
    attempts = [
        replace(attempt(f"k{n}"), request=request, timed=False)
        for n, request in enumerate(requests)
    ]
    history = [listed(f"x{n}", inputs=dict(request)) for n, request in enumerate(requests)]
    found = decide(attempts, [listed("z"), *history], ())
    assert {key: item.id for key, item in found.adopted.items()} == {
        f"k{n}": f"x{n}" for n in range(2_000)
    }
    assert looked_at == 2_000
