"""What only this installation knows, for the systems around it: a section of the secrets file, or the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping

from churn.settings import secrets_files

SHORTEST_SECRET = 32  # characters


class NoSecret(ValueError):
    """A secret is missing, too short, or its file cannot be read."""


def section(name: str) -> Mapping[str, str]:
    """`[name]` of the secrets files, a later one before an earlier; KEEPLINE_<NAME>_<KEY> before both.

    Raises NoSecret when a file cannot be read.
    """
    found: dict[str, str] = {}
    for path in secrets_files():
        if path.is_file():
            try:
                held = tomllib.loads(path.read_text("utf-8")).get(name, {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
                raise NoSecret(f"{path} cannot be read: {fault}") from None
            if isinstance(held, Mapping):
                found |= {str(key): str(value) for key, value in held.items()}
    prefix = f"KEEPLINE_{name.upper()}_"
    return found | {key[len(prefix) :].lower(): v for key, v in os.environ.items() if key.startswith(prefix) and v}
