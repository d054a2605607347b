"""`python3 -m churn …` on any machine with Python: reads the command, makes itself at home, obeys.

Imports the standard library only; the command line is checked, and `--help` answered, before anything is installed.
"""

from __future__ import annotations

import sys

from churn import bootstrap, cli


def main() -> int:
    """Exit code of the command."""
    arguments = sys.argv[1:]
    command = cli.read_arguments(arguments)
    try:
        bootstrap.enter(arguments)
    except bootstrap.CannotSetUp as missing:
        print(missing, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    return cli.obey(command)


if __name__ == "__main__":
    sys.exit(main())
