"""Text from outside, made safe to look at: what customers and systems wrote is shown, never obeyed."""

from __future__ import annotations

import re
import unicodedata

# Marks that turn, hide or join text: bidirectional controls, zero-width characters, tags, other controls.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_KEPT_CONTROLS = frozenset("\n\t")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^&@=/])")
# What a page makes links, pictures and arrows of after markdown is done, whatever was escaped: addresses, e-mail
# addresses, :names: of icons, arrows. A word joiner cannot be seen and ends the pattern.
_JOINER = "\u2060"
_REMADE = re.compile(
    r"(?i:https?|www|ftp)(?=[:.])"
    r"|(?<=[\w.+-])(?=@[\w-])"
    r"|(?<=:)(?=[\w+-][\w+/-]*:)"
    r"|(?<=[<>~=-])(?=[<>=-])"
)


def visible(text: str, longest: int = 2000) -> str:
    """`text` without characters that cannot be seen or that turn others round, cut at `longest` with an ellipsis."""
    shown = "".join(c for c in text if c in _KEPT_CONTROLS or unicodedata.category(c) not in _HIDDEN)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def as_markdown(text: str, longest: int = 2000) -> str:
    """`text` on one line so that markdown shows it letter for letter: no link, picture, colour, formula or tag."""
    line = " ".join(visible(text, longest).split())
    return _MARKDOWN.sub(r"\\\1", _REMADE.sub(rf"\g<0>{_JOINER}", line))
