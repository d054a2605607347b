"""Small pieces every page uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from churn.core.text import as_markdown, visible

Colour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "primary"]
Flag = tuple[str, str, Colour]  # label, icon, colour


def plain(text: str | None, longest: int = 2000) -> str:
    """Text from outside for a markdown place: shown letter for letter."""
    return as_markdown(text or "", longest)


def flags(labels: Sequence[Flag]) -> None:
    """Small flags in a row; each says in words what its colour says."""
    for label, icon, colour in labels:
        st.badge(visible(label, 80), icon=icon, color=colour)


def heading(text: str, *, help: str | None = None) -> None:  # noqa: A002 - Streamlit's own name for it
    """A small heading over a piece of the card."""
    st.caption(f"**{text.upper()}**", help=help)
