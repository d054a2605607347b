"""A table of the spend page: money as it is read, and the same rows as a file that ties to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from churn.core.language import ENGLISH, current, number, t, tc
from churn.core.money import exponent, show, to_major
from churn.core.words import spoken
from churn.finance import spend_export
from churn.finance.spend_export import KINDS, View
from churn.ui.gate import Session
from churn.ui.pieces import plain
from churn.ui.tables import show_table

CODES = ("instrument", "reason", "kind")


def show_view(
    session: Session, view: View, *, alt: str, help: Mapping[str, str] | None = None,  # noqa: A002
    told: pd.DataFrame | None = None,
) -> None:  # fmt: skip
    """The rows with their sums by currency, and three files of them.

    `help`: marked texts by column. `told`: the same rows in the language spoken here, where the view has words in them.
    """
    told = as_said(view.frame) if told is None else told.copy()
    why = {name: t(said) for name, said in (help or {}).items()}
    for name in view.money:
        told[name] = [
            float(to_major(int(value), currency)) for value, currency in zip(told[name], told["currency"], strict=True)
        ]
    digits = max((exponent(currency) for currency in set(told["currency"])), default=2)
    config: dict[str, Any] = {name: money_column(spoken(name), digits, help=why.get(name)) for name in view.money}
    config |= {
        str(name): st.column_config.Column(head(str(name)), help=why.get(str(name)))
        for name in told.columns
        if name not in view.money
    }
    show_table(told, hide_index=True, placeholder="–", alt=alt, column_config=config)
    st.caption(plain(said_totals(view)))
    files(session, view)


def head(name: str) -> str:
    """What a column is called; a reason of the ledger is why somebody got in touch."""
    return tc("contact", "reason") if name == "reason" else spoken(name)


def money_column(label: str | None, digits: int, *, help: str | None = None) -> Any:  # noqa: A002
    """A column of money: in English with thousands parted and a loss in brackets, as accounts are."""
    return number_column(label, digits, "accounting" if digits == 2 else f"%.{digits}f", help=help)


def number_column(label: str | None, digits: int, form: str | None = None, *, help: str | None = None) -> Any:  # noqa: A002
    """A column of numbers: `form` is English writing; elsewhere the browser writes them as its language does."""
    if current() is ENGLISH:
        return st.column_config.NumberColumn(label, format=form or f"%.{digits}f", help=help)
    return st.column_config.NumberColumn(label, format="localized", step=float(f"1e-{digits}"), help=help)


def as_said(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with codes as words; a file keeps the codes."""
    codes = [name for name in CODES if name in frame]
    return frame.assign(**{name: [None if pd.isna(v) else spoken(str(v)) for v in frame[name]] for name in codes})


def said_totals(view: View) -> str:
    """`All 3 rows in GBP: granted £60, net £40.` for each currency."""
    parts = []
    for currency in sorted(set(view.frame["currency"])):
        part = view.frame[view.frame["currency"] == currency]
        sums = ", ".join(f"{spoken(name)} {show(sum(int(v) for v in part[name]), currency)}" for name in view.money)
        parts.append(t("All {n} rows in {currency}: {sums}.", n=number(len(part)), currency=currency, sums=sums))
    return " ".join(parts)


def files(session: Session, view: View) -> None:
    """The view as CSV, Excel and Parquet; each one taken is written down."""
    with st.container(horizontal=True):
        for kind, ending in KINDS.items():
            st.download_button(
                kind,
                data=partial(spend_export.exported, session.database, session.me, kind, view),
                file_name=f"spend-{view.name}.{ending}",
                on_click="ignore",
                icon=":material/download:",
                key=f"file-{view.name}-{ending}",
                help=t("Rows and, apart from them, the totals. That you took it is written down."),
            )


def empty(frame: pd.DataFrame, sentence: str) -> bool:
    """Whether there is nothing to show, said in a sentence."""
    if len(frame):
        return False
    st.info(plain(sentence), icon=":material/inbox:")
    return True
