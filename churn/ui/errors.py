"""What somebody sees of an error: one sentence, and for a defect of ours the number it has in the log."""

from __future__ import annotations

import streamlit as st

from churn.core.language import t
from churn.operations import faults, logs, metrics
from churn.refusals import Refusal
from churn.ui.pieces import plain


def show_error(error: Exception) -> bool:
    """Say it in place of Streamlit's own words; Streamlit has written the log."""
    request = logs.request_id.get() or logs.begin_request()
    sentence = str(error) if isinstance(error, Refusal) else faults.sentence_of(error)
    metrics.error_of("defect" if sentence is None else "fault")
    if sentence is not None:
        st.warning(plain(sentence), icon=":material/hourglass:")
        return True
    logs.LOG.error("An error was shown", exc_info=error)
    st.error(
        t(
            "Something went wrong on our side. What was done before it is kept. Tell an administrator: **{number}**",
            number=request,
        ),
        icon=":material/error:",
    )
    return True
