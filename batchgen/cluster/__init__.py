"""Running the shards of a job on Ray.

``driver`` says what is shared out, ``hands`` gives the shards to workers and ``progress`` looks on;
``worker`` makes shards on whatever machine, ``work`` is what the two sides tell each other, and
``engine`` alone knows Ray. The run that leads, and those of the shards, are runs as any other: see
``lending`` and ``leases`` in the room ``run``.
"""

from batchgen.cluster.driver import ray_engine

__all__ = ["ray_engine"]
