"""A language in which every text of ours stands in ⟦brackets⟧: what a page shows outside was never looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from churn.core.language import IN, Language, listen_to
from churn.ui import speech


class _Bracketed(dict[str, tuple[str, ...]]):
    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - as of a mapping that has every text
        return (f"⟦{key.rpartition(IN)[2]}⟧",)


PSEUDO = Language(code="xx", name="⟦Pseudo⟧", texts=_Bracketed())
SAID = (
    "label",
    "help",
    "body",
    "placeholder",
    "alt",
    "title",
    "caption",
)  # fields of Streamlit's messages that we fill
_MARKUP = re.compile(r":[a-z-]+(?:-(?:badge|background))?\[|:material/\w+:|&nbsp;|\bhttps?://\S+|`[^`]*`")
_WORD = re.compile(r"[A-Za-z]{3,}")


@contextmanager
def in_brackets() -> Iterator[None]:
    """Every page speaks the bracketed language within."""
    listen_to(lambda: PSEUDO)
    try:
        yield
    finally:
        listen_to(speech.chosen)


def unsaid(app: AppTest, data: Iterable[str] = ()) -> list[tuple[str, str, str]]:
    """What stands outside of brackets: (kind of element, field, text). `data`: patterns of what is data, not a text."""
    known = [re.compile(pattern) for pattern in data]
    found = []
    for kind, field, text in said(app):
        rest, before = text, None
        while before != rest:  # brackets stand within brackets
            before, rest = rest, re.sub(r"⟦[^⟦⟧]*⟧", " ", rest)
        for pattern in known:
            rest = pattern.sub(" ", rest)
        if _WORD.search(_MARKUP.sub(" ", rest)):
            found.append((kind, field, text))
    return found


def said(app: AppTest) -> Iterator[tuple[str, str, str]]:
    """Every text of every element of the page and its sidebar, options of what is chosen from included."""
    for root in (app.main, app.sidebar):
        for node in _nodes(root):
            proto = getattr(node, "proto", None)
            for field, text in _strings(proto):
                yield type(node).__name__, field, text


def _nodes(block: Block) -> Iterator[Any]:
    for child in block.children.values():
        yield child
        if isinstance(child, Block):
            yield from _nodes(child)


def _strings(proto: Any) -> Iterator[tuple[str, str]]:
    if proto is None or not hasattr(proto, "ListFields"):
        return
    for field, value in proto.ListFields():
        if field.name in SAID and isinstance(value, str):
            yield field.name, value
        elif field.name == "options" and not isinstance(value, Mapping):
            for option in value:
                yield from [("options", option)] if isinstance(option, str) else _strings(option)
        elif hasattr(value, "ListFields"):
            yield from _strings(value)
