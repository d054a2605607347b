"""Which language a page speaks: what the person chose in the sidebar, else the browser's own, else English."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from churn.core.language import ENGLISH, Language, listen_to, t
from churn.languages import language_of, languages

KEY = "language"


def chosen() -> Language:
    """The language of the session whose run this is; English outside of any."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ENGLISH
    if KEY not in st.session_state:
        st.session_state[KEY] = language_of(st.context.locale).code
    return languages()[st.session_state[KEY]]


def pick() -> None:
    """In the sidebar: another language, at once and until the tab is closed."""
    codes = list(languages())
    with st.sidebar:
        st.selectbox(
            t("Language"),
            codes,
            index=codes.index(chosen().code),
            format_func=lambda code: languages()[code].name,
            key="language_picked",
            on_change=_picked,
        )


def _picked() -> None:
    st.session_state[KEY] = st.session_state["language_picked"]


listen_to(chosen)
