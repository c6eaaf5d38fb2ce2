"""`python -m pbxmonitor` and the `pbxmonitor` command."""

import sys

from pbxmonitor.cli import main as run


def main() -> None:
    """Run one command and leave with its exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
