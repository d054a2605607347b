"""Pieces of a document in markdown: text of others and tables, shown letter for letter by whatever renders it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from churn.core.text import visible

_MARKS = re.compile(r"([\\`*_\[\]<>|])")


def letters(text: str) -> str:
    """`text` on one line: no emphasis, link, picture, tag or cell of its own."""
    return _MARKS.sub(r"\\\1", " ".join(visible(text).split()))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the heads are ours, the cells anybody's."""
    lines = [heads, ["---"] * len(heads), *([letters(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
