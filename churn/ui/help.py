"""Help where the question arises: one's own guide, the glossary, a tour, and documents to take along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import pandas as pd
import streamlit as st

from churn.core.language import current, mark, speaking, t, tc, tn
from churn.core.trust.model_words import PURPOSE, model_name
from churn.core.words import spoken
from churn.documents import guides, handbook, paper
from churn.documents.guides import Picture
from churn.trust import model_reports
from churn.ui.gate import PAGES, Session
from churn.ui.help_tour import show_tour
from churn.ui.pieces import heading, reading
from churn.ui.takeaway import written_down

VIEWS = {"guide": mark("Guide"), "tour": mark("Tour"), "glossary": mark("Glossary"), "documents": mark("Documents")}
MARKDOWN, HTML = "text/markdown", "text/html"


def show_help(session: Session) -> None:
    """The page: a view, then what it shows."""
    able = [view for view in VIEWS if view != "documents" or _may_read(session, "policy", "models")]
    view = st.segmented_control(
        t("View"), able, default="guide", required=True, format_func=lambda one: t(VIEWS[one]), key="view",
        label_visibility="collapsed", bind="query-params",
    )  # fmt: skip
    shown = {"guide": _guide, "tour": show_tour, "glossary": _glossary, "documents": _documents}
    shown[str(view)](session)


def _may_read(session: Session, *pages: str) -> bool:
    return any(session.person.role in PAGES[page][2] for page in pages)


def _guide(session: Session) -> None:
    heading(t("For you as {role}", role=spoken(session.person.role)))
    for part in guides.guide(session.person.role, current().code):
        if isinstance(part, Picture):
            with st.container(width=900):  # the browser makes it smaller better than Streamlit would
                st.image(part.path, alt=part.shows, caption=part.shows, width="stretch")
        else:
            st.markdown(part, anchors=False, width=900)


def _glossary(session: Session) -> None:  # noqa: ARG001 - as every view
    typed = st.text_input(
        t("Find a word"), key="word", icon=":material/search:", max_chars=60, bind="query-params",
        placeholder=t("a word, or part of what it means"),
    )  # fmt: skip
    terms = guides.glossary()
    found = guides.fitting(terms, typed)
    if not found:
        st.info(t("No word of the glossary has that in it."), icon=":material/search_off:")
        return
    labels = {
        "word": tc("glossary", "word"), "meaning": t("what it means"), "german": t("in German"),
        "german_meaning": t("what it means, in German"),
    }  # fmt: skip
    order = ["german", "german_meaning", "word"] if current().code == "de" else ["word", "meaning", "german"]
    st.dataframe(
        pd.DataFrame(map(asdict, found)), hide_index=True, height=560, column_order=order, column_config=labels,
        alt=t("Words of the desk, what they mean and their German ones."),
    )  # fmt: skip
    st.caption(tn(len(found), "{n} word of {all}.", "{n} words of {all}.", all=len(terms)))


def _documents(session: Session) -> None:
    st.caption(t("Made from the database when you take them. That you took one is written down."))
    if _may_read(session, "policy"):
        heading(t("Policy handbook"), help=t("Every rule in force with its reason, who may give what, examples."))
        _offered(session, "policy-handbook", lambda: handbook.handbook_in_force(session.database, session.me))
    if _may_read(session, "models"):
        with reading(t("The models")), session.database.transaction(session.me) as connection:
            cards = model_reports.cards_in_use(connection, session.staff_id)
        heading(t("Model cards"), help=t("What each model in use is for, was made of, how it was judged, its limits."))
        if not cards:
            st.info(t("No model is in use yet."), icon=":material/inbox:")
        for kind, card in cards.items():
            st.caption(f"{model_name(kind)}: {t(PURPOSE[kind])}")
            _offered(session, f"model-card-{kind}", partial(str, card))


def _offered(session: Session, name: str, make: Callable[[], str]) -> None:
    """A document as markdown and as a page to print, in the language spoken here, made when it is taken."""
    language = current()

    def text() -> str:
        with speaking(language):  # whoever fetches it speaks none
            return make()

    def page() -> bytes:
        return paper.as_page(text(), language=language.code).encode()

    with st.container(horizontal=True):
        for label, ending, kind, bytes_of in (
            (t("To print (HTML)"), "html", HTML, page),
            (t("As text (Markdown)"), "md", MARKDOWN, lambda: text().encode()),
        ):
            file = f"{name}.{ending}"
            st.download_button(
                label, data=written_down(session, "help", file, bytes_of), file_name=file, mime=kind,
                on_click="ignore", icon=":material/download:", key=file, help=file,
            )  # fmt: skip
