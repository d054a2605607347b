"""A language in which every text of ours stands in ⟦brackets⟧: what a page shows outside was never looked up."""

from __future__ import annotations

import json
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


def unsaid(
    app: AppTest, data: Iterable[str] = (), *, texts: Iterable[tuple[str, str, str]] | None = None
) -> list[tuple[str, str, str]]:
    """What stands outside of brackets: (kind of element, field, text). `data`: patterns of what is data, not a text.

    `texts`: other texts of the page than `said` gives, such as `drawn` gives.
    """
    known = [re.compile(pattern) for pattern in data]
    found = []
    for kind, field, text in said(app) if texts is None else texts:
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


def drawn(app: AppTest) -> Iterator[tuple[str, str, str]]:
    """The titles of every chart's axes, legends and tooltips, and of every table's columns."""
    for chart in app.get("vega_lite_chart"):
        yield from (("chart", "title", title) for title in _titles(json.loads(chart.proto.spec)))
    for table in app.dataframe:
        labels, shown = json.loads(table.proto.columns), list(table.proto.column_order)
        for column in shown or table.value.columns:
            about = labels.get(str(column)) or {}
            yield "column", "label", str(about.get("label") or column)
            if about.get("help"):
                yield "column", "help", about["help"]


def _titles(spec: Any) -> Iterator[str]:
    if isinstance(spec, dict):
        if isinstance(spec.get("title"), str):
            yield spec["title"]
        for tip in spec["tooltip"] if isinstance(spec.get("tooltip"), list) else ():
            if "title" not in tip:
                yield str(tip.get("field"))
        spec = list(spec.values())
    for part in spec if isinstance(spec, list) else ():
        yield from _titles(part)


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
