"""Making it: the room that knows all the others.

``making`` is the list of stages, ``life`` the way of one variant, ``pool`` bounds how many are on
that way at once, ``stop`` says when to end, ``spend`` and ``rate`` hold the money and the pace,
``accounts`` says how it ended, ``rows`` turns ledger entries into manifest rows.
"""
