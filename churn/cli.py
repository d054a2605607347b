"""The command line: what was asked is read, obeyed, and ends with an honest exit code.

Only the standard library is imported here and by `churn.commands`, so that `--help` answers at once on any machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from churn.commands import company, developing, documents, interfaces, models, nights, records, serving, shared, sources

SUBJECTS = (serving, company, sources, models, nights, records, documents, interfaces, developing)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked. A mistake is told and ends the process with 2, as does `--help` with 0."""
    parser = make_parser()
    asked, rest = parser.parse_known_args(arguments)
    if rest and asked.command != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    asked.rest = rest
    return asked


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--database", metavar="NAME", help="the company's database (default: keepline)")
    parser = argparse.ArgumentParser(
        prog="python3 -m churn", description="Keepline, a retention desk.", parents=[common]
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, act: shared.Act, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what, parents=[common], allow_abbrev=False)
        added.set_defaults(act=act)
        return added

    for subject in SUBJECTS:
        subject.add(command)
    return parser


def obey(asked: argparse.Namespace) -> int:
    """Run the command; its exit code. What we refuse on purpose is one sentence, not a traceback."""
    if "database" in asked:
        os.environ["KEEPLINE_DATABASE"] = asked.database  # the app and every worker read the same settings
    signal.signal(signal.SIGTERM, _end)
    try:
        return int(asked.act(asked))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if not _is_a_sentence(error):
            raise
        print(str(error.args[0] if isinstance(error, KeyError) else error).strip(), file=sys.stderr)
        return 1
    finally:
        _leave_no_server()


def _is_a_sentence(error: Exception) -> bool:
    """Our own refusals, and a database or file that cannot be reached; anything else is a defect and shows itself."""
    if type(error).__module__.startswith("churn"):
        return True
    if isinstance(error, OSError):
        return error.filename is not None
    return type(error).__module__.startswith("psycopg") and type(error).__name__ == "OperationalError"


def _leave_no_server() -> None:
    """Wait for the embedded server to stop, when this command was its last user."""
    server = sys.modules.get("churn.postgres.server")
    if server is not None:
        server.release_all()


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)
