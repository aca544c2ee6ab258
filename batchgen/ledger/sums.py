"""Counts and sums over a whole ledger, each from one pass through a table in its own order."""

import sqlite3
from collections import Counter

from batchgen.ledger.entry import State, Totals


def _listed(*states: State) -> str:
    return ", ".join(f"'{state}'" for state in states)


_NOT_SAVED = [state for state in State if state is not State.SAVED]
# As the index has it, and once more as a search in that.
UNSAVED = f"v.state <> 'saved' AND v.state IN ({_listed(*_NOT_SAVED)})"
"""The condition of variants ``v INDEXED BY unfinished`` that are not saved."""

_EACH = ", ".join(f"count(*) FILTER (WHERE wanted AND state = '{state}')" for state in State)
_COUNTS = f"SELECT count(*) FILTER (WHERE state NOT IN ({_listed(*State)})), {_EACH} FROM variants"
_MADE = "SELECT count(*), coalesce(sum(i.bytes), 0), coalesce(sum(i.nsfw), 0) "
# Those of variants that are not saved are few: looking for the variant of each would take longer.
_LOST_IMAGES = (
    f"FROM variants v INDEXED BY unfinished CROSS JOIN images i ON i.key = v.key WHERE {UNSAVED}"
)
_LOST = f"{_MADE} {_LOST_IMAGES}"
ANY_LOST = f"SELECT EXISTS (SELECT 1 {_LOST_IMAGES})"
"""Whether there are images of variants that are not saved."""
_HELD = "state IN ('submitting', 'uncertain')"
_REFUND = "state = 'failed' AND prediction_id NOTNULL"
_SUMS = (
    "SELECT coalesce(sum(spent_micros), 0), "
    f"coalesce(sum(spent_micros) FILTER (WHERE {_HELD}), 0), "
    f"coalesce(sum(spent_micros) FILTER (WHERE {_REFUND}), 0), "
    "coalesce(sum(images_asked) FILTER (WHERE NOT wanted AND state = 'saved'), 0), "
    "count(*) FILTER (WHERE wanted AND state = 'saved' AND error_class NOTNULL) FROM variants"
)
_ASKED = (
    "SELECT state, model, count(*), coalesce(sum(images_asked), 0) FROM variants WHERE wanted "
    "GROUP BY state, model"
)


def counts(db: sqlite3.Connection) -> Counter[State]:
    """How many of the variants that the job asks for are in each state.

    Raises sqlite3.DataError when one of the ledger is in a state that there is not.
    """
    unknown, *found = db.execute(_COUNTS).fetchone()
    if unknown:
        raise sqlite3.DataError("it has a state that there is not")
    return +Counter(dict(zip(State, found, strict=True)))


def asked(db: sqlite3.Connection) -> dict[tuple[State, str], tuple[int, int]]:
    """How many wanted variants of each state and model there are, and the images they ask for.

    Raises sqlite3.DataError when one of the ledger is in a state that there is not.
    """
    try:
        return {
            (State(state), model): (n, images) for state, model, n, images in db.execute(_ASKED)
        }
    except ValueError as error:
        raise sqlite3.DataError(str(error)) from None


def totals(db: sqlite3.Connection) -> Totals:
    """Sums over the whole dataset, variants that are no longer asked for included."""
    every, lost = db.execute(f"{_MADE} FROM images i").fetchone(), db.execute(_LOST).fetchone()
    images, size, nsfw = (a - b for a, b in zip(every, lost, strict=True))
    spent, reserved, refunds, unwanted, short = db.execute(_SUMS).fetchone()
    return Totals(
        images=images,
        bytes=size,
        nsfw=nsfw,
        spent_micros=spent,
        reserved_micros=reserved,
        refund_micros=refunds,
        images_unwanted=unwanted,
        short=short,
    )
