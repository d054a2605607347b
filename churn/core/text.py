"""Text from outside, made safe to look at: what customers and systems wrote is shown, never obeyed."""

from __future__ import annotations

import re
import unicodedata

# Marks that turn, hide or join text: bidirectional controls, zero-width characters, tags, other controls.
_KEPT_CONTROLS = frozenset("\n\t")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^&@=/])")


def visible(text: str, longest: int = 2000) -> str:
    """`text` without characters that cannot be seen or that turn others round, cut at `longest` with an ellipsis."""
    shown = "".join(c for c in text if c in _KEPT_CONTROLS or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def as_markdown(text: str, longest: int = 2000) -> str:
    """`text` so that markdown shows it letter for letter: no link, picture, colour, formula or tag comes of it."""
    return _MARKDOWN.sub(r"\\\1", visible(text, longest).replace("\n", " "))
