"""Named SQL: `sql/queries/<noun>.sql`, a heading `-- name --`, one comment line, the statement.

`{noun.name}` in a statement stands for another one, whole: what is defined once is used, not written again.
"""

from __future__ import annotations

import re
from functools import cache
from typing import LiteralString

from churn.settings import SQL

HEADING = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)
INCLUDED = re.compile(r"\{([a-z_]+)\.([a-z_]+)\}")


class UnknownQuery(KeyError):
    """There is no query of that name."""


@cache
def load(noun: str) -> dict[str, LiteralString]:
    """All statements of one noun by name."""
    parts = HEADING.split((SQL / "queries" / f"{noun}.sql").read_text())
    bodies = (INCLUDED.sub(lambda found: query(found[1], found[2]), body.strip()) for body in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


def query(noun: str, name: str) -> LiteralString:
    """One statement. Raises UnknownQuery."""
    try:
        return load(noun)[name]
    except KeyError:
        raise UnknownQuery(f"sql/queries/{noun}.sql has no query '{name}'.") from None


def nouns() -> list[str]:
    """Every noun that has queries."""
    return sorted(path.stem for path in (SQL / "queries").glob("*.sql"))
