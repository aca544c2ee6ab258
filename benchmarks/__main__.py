"""``python -m benchmarks``."""

import sys

from benchmarks.compare import compare
from benchmarks.million import million


def main() -> int:
    """Run the measurement that the command line names."""
    if sys.argv[1:2] == ["million"]:
        return million(sys.argv[2:])
    return compare(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
