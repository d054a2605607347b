"""What only this installation knows, for the systems around it: a section of the secrets file, or the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from churn.settings import secrets_files

SHORTEST_SECRET = 32  # characters


class NoSecret(ValueError):
    """A secret is missing, too short, or its file cannot be read."""


def contents(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """What stands in each of the files that are there, in order. Raises NoSecret when one cannot be read."""
    for path in files:
        if path.is_file():
            try:
                yield tomllib.loads(path.read_text("utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
                raise NoSecret(f"{path} cannot be read: {fault}") from None


def section(name: str) -> Mapping[str, str]:
    """`[name]` of the secrets files, a later one before an earlier; KEEPLINE_<NAME>_<KEY> before both.

    Raises NoSecret when a file cannot be read.
    """
    found: dict[str, str] = {}
    for secrets in contents(secrets_files()):
        held = secrets.get(name, {})
        if isinstance(held, Mapping):
            found |= {str(key): str(value) for key, value in held.items()}
    prefix = f"KEEPLINE_{name.upper()}_"
    return found | {key[len(prefix) :].lower(): v for key, v in os.environ.items() if key.startswith(prefix) and v}
