"""How many at once, how fast, and until when.

* many at once: the ``pool`` of variants; ``hands`` for other work
* when to submit: ``pacer``; when to poll: ``latency``, which ``experience`` keeps between runs
* no further: ``stop``, ``breaker``, ``spend``
"""
