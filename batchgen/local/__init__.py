"""The embedded Imagen-4-compatible service: the v3 wire over real HTTP on loopback."""

from batchgen.local.service import LocalService, local_service
from batchgen.local.settings import LocalSettings

__all__ = ["LocalService", "LocalSettings", "local_service"]
