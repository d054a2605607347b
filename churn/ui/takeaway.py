"""What a page shows, taken along as a file: CSV, Excel, Parquet; each with its row in the audit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from churn import audit, export
from churn.ui.gate import Session

FILES = (("CSV", "csv", export.to_csv), ("Excel", "xlsx", export.to_xlsx), ("Parquet", "parquet", export.to_parquet))


def takeaway(session: Session, page: str, name: str, frame: pd.DataFrame) -> None:
    """A small button with the three files; what is taken is written down when it is."""
    with st.popover("Take the data", icon=":material/download:", type="tertiary"):
        for label, ending, make in FILES:
            st.download_button(
                label, data=partial(_taken, session, page, name, frame, make), file_name=f"{name}.{ending}",
                on_click="ignore", key=f"{page}-{name}-{ending}",
            )  # fmt: skip


def _taken(session: Session, page: str, name: str, frame: pd.DataFrame, make: Callable[[pd.DataFrame], bytes]) -> bytes:
    audit.note_view(session.database, session.me, "exported", page, {"what": name, "rows": len(frame)})
    return make(frame)
