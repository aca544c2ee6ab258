"""How many at once, how fast, and until when.

* many at once: ``pool``, ``slots``
* when to submit: ``pacer``; when to poll: ``latency``, which ``experience`` keeps between runs
* no further: ``stop``, ``breaker``, ``spend``
"""
