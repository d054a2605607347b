"""What every part of the policy page uses: which version, files to take away, refusals as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from churn import ledger
from churn.core import words
from churn.core.grants import Version
from churn.core.language import current, t
from churn.policies.stored import policy_versions
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import UNANSWERED, plain, unanswered


def today(session: Session) -> date:
    """The company's own day."""
    return now(session).astimezone(ZoneInfo(session.company.time_zone)).date()


def now(session: Session) -> datetime:
    """The company's own time, asked once a run."""
    return ledger.clock(session.database, session.me)


def end_of(day: date, session: Session) -> datetime:
    """The last instant of a day of the company's."""
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(session.company.time_zone))


def versions(session: Session) -> list[Version]:
    """Every version, newest first."""
    return policy_versions(session.database, session.me)


def choose_version(label: str, among: Sequence[Version], key: str, *, index: int = 0) -> Version:
    """One of some versions, by its number, title and state."""
    return st.selectbox(label, among, index=min(index, len(among) - 1), format_func=named, key=key)


def named(version: Version) -> str:
    """`12 · Spring · draft of F001`."""
    state = t("draft of {who}", who=version.drafted_by)
    if version.effective_from is not None:
        state = t("from {day}", day=words.full_day(version.effective_from, is_short=True))
    return f"{version.version} · {version.title} · {state}"


@contextmanager
def acting(done: str | None = None) -> Iterator[None]:
    """An act whose refusal is a sentence on the page; `done` is said when it went well."""
    try:
        yield
    except Refusal as refused:
        st.error(plain(str(refused)), icon=":material/block:")
    except UNANSWERED as error:
        st.warning(unanswered(error), icon=":material/hourglass:")
    else:
        if done:
            st.success(plain(done), icon=":material/check_circle:")


def day_format() -> str:
    """How a day is typed: `22/11/2026`, `22.11.2026`."""
    return "DD.MM.YYYY" if current().day.startswith("{day}.") else "DD/MM/YYYY"


def heads(names: Sequence[str]) -> dict[str, Any]:
    """What the columns of a table are called."""
    return {name: words.spoken(name) for name in names}


def listed(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a frame with these columns, whatever is missing left empty."""
    return pd.DataFrame(list(rows), columns=list(columns))


def when(at: datetime, session: Session) -> str:
    """An instant in the company's own zone."""
    return words.moment(at, session.company.time_zone)
