"""Which language a page speaks: what the person chose in the sidebar, else the browser's own, else English."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import date
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from churn.core.language import ENGLISH, Language, listen_to, t
from churn.languages import language_of, languages

KEY = "language"
# The runner of this thread and its language. Asking the session costs 20 µs, and a desk has hundreds of texts.
_heard: ContextVar[tuple[Any, Language] | None] = ContextVar("heard", default=None)


def chosen() -> Language:
    """The language of the session whose run this is; English outside of any."""
    runner = get_script_run_ctx(suppress_warning=True)
    if runner is None:
        return ENGLISH
    heard = _heard.get()
    if heard is None or heard[0] is not runner:
        heard = (runner, _wanted())
        _heard.set(heard)
    return heard[1]


def _wanted() -> Language:
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
    """Another language. What was chosen on the page is set anew: the browser knows it by its words in the old one."""
    st.session_state[KEY] = st.session_state["language_picked"]
    _heard.set(None)
    for name, value in list(st.session_state.items()):
        if _is_choice(value) or (isinstance(value, list | tuple) and value and all(map(_is_choice, value))):
            st.session_state[str(name)] = value


def _is_choice(value: object) -> bool:
    """Whether a widget's value may be one of some options; what is no such value may not be set."""
    return isinstance(value, str | int | date) and not isinstance(value, bool)


listen_to(chosen)
