"""The embedded Imagen-4-compatible service: the v3 wire over real HTTP on loopback."""
