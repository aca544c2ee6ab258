"""Measurements of batchgen beside other ways to do the same work: ``python -m benchmarks``."""
