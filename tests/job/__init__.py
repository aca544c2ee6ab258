"""Tests of what to make: from a job file to variants."""
