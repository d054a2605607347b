"""What a page gives away as a file: each with its row in the audit, written when it is taken."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from churn import audit, export
from churn.core.language import current, speaking, t
from churn.ui.gate import Session

FILES = (("CSV", "csv", export.to_csv), ("Excel", "xlsx", export.to_xlsx), ("Parquet", "parquet", export.to_parquet))


def takeaway(session: Session, page: str, name: str, frame: pd.DataFrame) -> None:
    """A small button with the three files of a table."""
    with st.popover(t("Take the data"), icon=":material/download:", type="tertiary"):
        for label, ending, make in FILES:
            st.download_button(
                label, data=written_down(session, page, name, partial(make, frame), rows=len(frame)),
                file_name=f"{name}.{ending}", on_click="ignore", key=f"{page}-{name}-{ending}",
                help=t("That you took it is written down."),
            )  # fmt: skip


def written_down(
    session: Session, page: str, name: str, make: Callable[[], bytes], *, rows: int | None = None
) -> Callable[[], bytes]:
    """What a download button of any kind calls for its bytes: noted in the audit, then made."""
    language = current()  # the download runs outside of the page's run, which speaks English

    def taken() -> bytes:
        detail = {"what": name} if rows is None else {"what": name, "rows": rows}
        audit.note_view(session.database, session.me, "exported", page, detail)
        with speaking(language):
            return make()

    return taken
