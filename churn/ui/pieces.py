"""Small pieces every page uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from churn.core.language import ENGLISH, current, t
from churn.core.text import as_markdown, visible
from churn.languages import chart_locale, languages
from churn.operations import faults
from churn.refusals import Busy, Unconfirmed

if TYPE_CHECKING:
    import altair

    Picture = altair.Chart | altair.LayerChart | altair.FacetChart | altair.VConcatChart | dict[str, Any]

Colour = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "primary"]
Flag = tuple[str, str, Colour]  # label, icon, colour
UNANSWERED = (*faults.OF_DATABASE, Busy, Unconfirmed)


def plain(text: str | None, longest: int = 2000) -> str:
    """Text from outside for a markdown place: shown letter for letter."""
    return as_markdown(text or "", longest)


def flags(labels: Sequence[Flag]) -> None:
    """Small flags in a row; each says in words what its colour says."""
    for label, icon, colour in labels:
        st.badge(visible(label, 80), icon=icon, color=colour)


def heading(text: str, *, help: str | None = None) -> None:  # noqa: A002 - Streamlit's own name for it
    """A small heading over a piece of the card or the page; a screen reader finds it among the page's headings."""
    st.caption(f"## {text.upper()}", help=help)


def day_format(english: str) -> Any:
    """How a field for a day shows it, by the language spoken here: `english`, or `DD.MM.YYYY`."""
    return "DD.MM.YYYY" if "." in current().day else english


def chart(picture: Picture, **options: Any) -> Any:
    """Any chart, Altair's or a Vega-Lite specification, its numbers and months as the language spoken here has them.

    `options` and what it gives are those of `st.altair_chart`.
    """
    code = current().code
    locale = chart_locale(code) if code in languages() and code != ENGLISH.code else None
    if isinstance(picture, dict):
        spec = picture | {"config": picture.get("config", {}) | {"locale": locale}} if locale else picture
        return st.vega_lite_chart(spec, **options)
    return st.altair_chart(picture.configure(locale=locale) if locale else picture, **options)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """A part of a page that asks the database: where it does not answer, a sentence and a retry stand in its place.

    `what` is a text that begins the sentence. The rest of the page, and what is typed on it, stays.
    """
    try:
        yield
    except UNANSWERED as error:
        sentence = unanswered(error)
        said = t("{what} cannot be read just now. {sentence}", what=t(what), sentence=sentence)
        st.warning(said, icon=":material/hourglass:")
        st.button(t("Try again"), key=f"again-{what}", icon=":material/refresh:")


def unanswered(error: Exception) -> str:
    """The sentence for a database that does not answer. What is a defect of ours is raised on."""
    sentence = str(error) if isinstance(error, Busy | Unconfirmed) else faults.sentence_of(error)
    if sentence is None:
        raise error
    return sentence
