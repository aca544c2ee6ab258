"""Tests of the v3 protocol."""
