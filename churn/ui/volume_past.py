"""What is known of days gone by: what past changes brought, and how far off forecasts were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.forecasting.volume_shapes import LAGS
from churn.core.language import number, t, tn
from churn.forecasting import volume
from churn.ui.gate import Session
from churn.ui.pieces import heading
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

MEASURES = {"contacts": "Contacts", "cancels": "Cancels", "concessions": "Concessions"}  # columns of the file


def show_league(session: Session) -> None:
    """Every past event with its interval, and the owner departments by what they brought."""
    with session.database.transaction(session.me) as connection:
        rows = volume.brought(connection)
    if not rows:
        st.info(t("No past change is known: the company's calendar is `crm.change_events`."), icon=":material/inbox:")
        return
    zone = session.company.time_zone
    table: dict[str, dict[str, object]] = {}
    for row in rows:
        line = table.setdefault(
            row.event_id,
            {
                "owner": row.owner_department,
                "change": row.title + (" †" if row.claims_none else ""),
                "kind": words.spoken(row.kind),
                "began": words.moment(row.starts_at, zone),
                "audience": row.audience,
            },
        )
        line[MEASURES[row.measure]] = _told(row)
        if row.measure == "contacts":
            line["per 1,000"] = row.extra / row.audience * 1000 if row.audience else None
    heading(t("By owner department"))
    owners = pd.DataFrame(
        [(r.owner_department, r.extra, (r.high - r.low) / 2, r.low > 0) for r in rows if r.measure == "contacts"],
        columns=["owner", "extra", "half", "shown"],
    )
    by = owners.assign(square=owners["half"] ** 2).groupby("owner")
    # events are off by themselves, so the department's interval adds up by squares
    league = pd.DataFrame(
        {
            "owner": by.size().index,
            "changes": by.size().to_numpy(),
            "extra contacts": by["extra"].sum().round().to_numpy(),
            "at least": (by["extra"].sum() - np.sqrt(by["square"].sum())).round().to_numpy(),
            "at most": (by["extra"].sum() + np.sqrt(by["square"].sum())).round().to_numpy(),
            "changes with a shown effect": by["shown"].sum().to_numpy(),
        }
    ).sort_values("extra contacts", ascending=False)
    show_table(
        league, hide_index=True, alt=t("Extra contacts by owner department, with 90 % intervals."),
        column_config={
            "owner": t("owner"), "changes": t("changes"),
            "extra contacts": st.column_config.NumberColumn(
                t("extra contacts"),
                help=t("Above the usual days in the {n} days from the start, summed; modelled.", n=LAGS),
            ),
            "at least": t("at least"), "at most": t("at most"),
            "changes with a shown effect": st.column_config.NumberColumn(
                t("changes with a shown effect"), help=t("Whose whole interval lies above zero.")
            ),
        },
    )  # fmt: skip
    heading(t("Every past change"))
    frame = pd.DataFrame(table.values())
    show_table(
        frame,
        hide_index=True,
        alt=tn(len(frame), "{n} past change with what it brought.", "{n} past changes with what they brought."),
        column_config={
            "owner": t("owner"), "change": t("change"), "kind": t("kind"), "began": t("began"),
            "audience": t("audience"), "Contacts": t("Contacts"), "Cancels": t("Cancels"),
            "Concessions": t("Concessions"),
            "per 1,000": st.column_config.NumberColumn(t("Contacts per 1,000 reached"), format="%.0f"),
        },
    )  # fmt: skip
    st.caption(
        t(
            "Extra over the usual days in the {n} days from the start, with the 90 % interval, cancels and "
            "concessions likewise. “No evidence”: the interval holds zero. † Had claimed to have no impact.",
            n=LAGS,
        )
    )
    takeaway(session, "volume", "past-changes", frame)


def _told(row: volume.Brought) -> str:
    if row.low <= 0 <= row.high:
        return t("no evidence ({low} to {high})", low=number(row.low), high=number(row.high))
    return words.with_interval(number(row.extra), number(row.low), number(row.high))


def show_accuracy(session: Session) -> None:
    """How far off earlier forecasts were, and what earlier changes said of the next."""
    with session.database.transaction(session.me) as connection:
        rows = volume.accuracy(connection)
        past = volume.brought(connection)
    if not rows:
        st.info(t("Not enough days yet to look back from: it takes about half a year."), icon=":material/inbox:")
        return
    frame = pd.DataFrame(
        {
            "queue": [t("all queues") if r.queue == "all" else r.queue for r in rows],
            "days ahead": [t("{low} to {high}", low=r.first_day, high=r.last_day) for r in rows],
            "looked ahead from": [r.origins for r in rows],
            "error": [_percent(r.error) for r in rows],
            "too high by": [_percent(r.bias) for r in rows],
            "against last week": [r.mase for r in rows],
            "within the band": [_percent(r.covered) for r in rows],
        }
    )
    column = st.column_config.NumberColumn
    show_table(
        frame,
        hide_index=True,
        alt=t("Forecast errors by queue and days ahead."),
        column_config={
            "queue": t("queue"),
            "days ahead": t("days ahead"),
            "error": column(t("Mean error"), format="%.0f %%", help=t("Of a queue's day, over what came on average.")),
            "too high by": column(
                t("too high by"), format="%+.1f %%", help=t("All that was forecast over all that came, less 1.")
            ),
            "within the band": column(t("within the band"), format="%.0f %%", help=t("Should be 90 %.")),
            "against last week": column(
                t("against last week"),
                format="%.2f",
                help=t("Error over that of last week's same weekday; below 1 is better."),
            ),
            "looked ahead from": column(
                t("Days looked ahead from"), help=t("Days gone by from which the forecast was made anew and compared.")
            ),
        },
    )
    told = pd.DataFrame(
        [
            (b.owner_department, b.extra, b.expected, b.low <= b.expected <= b.high)
            for b in past
            if b.measure == "contacts" and b.expected is not None and b.share_seen > 0.9
        ],
        columns=["owner", "extra", "expected", "ok"],
    )
    heading(
        t("By owner: what earlier changes said of the next"),
        help=t("Expected: by earlier changes of the kind alone. Brought: contacts above the usual days; modelled."),
    )
    if told.empty:
        st.info(t("No department has had two changes of a kind yet."), icon=":material/inbox:")
    else:
        by = told.assign(off=(told["expected"] - told["extra"]).abs()).groupby("owner")
        owners = pd.DataFrame(
            {
                "owner": by.size().index,
                "changes": by.size().to_numpy(),
                "brought": by["extra"].sum().round().to_numpy(),
                "expected": by["expected"].sum().round().to_numpy(),
                "mean error, contacts": by["off"].mean().round().to_numpy(),
            }
        )
        show_table(
            owners, hide_index=True, alt=t("Forecast error of changes by owner department."),
            column_config={
                "owner": t("owner"), "changes": t("changes"), "brought": t("brought"), "expected": t("expected"),
                "mean error, contacts": t("mean error, contacts"),
            },
        )  # fmt: skip
    takeaway(session, "volume", "accuracy", frame)


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
