"""The tests: one folder for each room, one module for each module."""
