"""Making it: the room that knows all the others.

``making`` is the list of stages, ``life`` the way of one variant, ``pool`` bounds how many are on
that way at once, ``stop`` says when to end and ``guards`` look out for reasons to, ``spend`` and
``pacer`` hold the money and the pace, ``ending`` and ``accounts`` say how it ended, ``rows`` turns
ledger entries into manifest rows. ``hooks`` are how others hear of it: the screen, ``notify``,
``metrics``, and programs by way of ``streaming``.
"""
