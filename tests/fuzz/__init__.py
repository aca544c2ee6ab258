"""Harnesses for coverage-guided fuzzing; run by hand, not by pytest."""
