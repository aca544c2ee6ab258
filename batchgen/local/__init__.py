"""The embedded Imagen-4-compatible service: the v3 wire over real HTTP on loopback.

* ``service`` starts and stops it as ``settings`` say; ``routes``, ``checks``, ``answers`` speak
* ``predictions`` and ``state`` are what it remembers
* ``pictures`` draws one of the ``scenes``, with ``canvas``, ``palette``, ``caption``, ``png``
"""

from batchgen.local.service import LocalService, local_service
from batchgen.local.settings import LocalSettings

__all__ = ["LocalService", "LocalSettings", "local_service"]
