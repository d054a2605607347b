"""The pictures: built here from arrays and records, only shown by the pages. Colours come from the page's theme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import altair as alt
import numpy as np
import pandas as pd

from churn.core import words
from churn.core.outlook import Outlook
from churn.core.records import Contact

Chart = alt.LayerChart | alt.FacetChart
SHAPES = {"call": "circle", "chat": "square", "email": "triangle-up", "letter": "diamond"}
OTHER_SHAPE = "cross"  # a channel of the company's own


def staying_curve(outlook: Outlook, *, height: int = 190) -> Chart:
    """The first customer's chance of still being one over the months ahead, with its band; dashed where data end."""
    months = np.arange(0.0, outlook.staying.shape[1] + 1)
    last_known = float(np.floor(min(outlook.months_known[0], months[-1])))  # both lines meet there: no gap between them
    curves = {"staying": outlook.staying, "low": outlook.low, "high": outlook.high}
    frame = pd.DataFrame({"month": months} | {name: np.append(1.0, curve[0]) for name, curve in curves.items()})
    x = alt.X(
        "month:Q",
        title="months from today",
        scale=alt.Scale(domain=[0, float(months[-1])]),
        axis=alt.Axis(values=list(range(0, len(months), 6)), grid=False),
    )
    y = alt.Y(
        "staying:Q", title="still a customer", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=3)
    )
    tip = [
        alt.Tooltip("month:Q", title="months from today", format=".0f"),
        alt.Tooltip("staying:Q", title="still a customer", format=".0%"),
        alt.Tooltip("low:Q", title="at least", format=".0%"),
        alt.Tooltip("high:Q", title="at most", format=".0%"),
    ]
    base = alt.Chart(frame)
    band = base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    known = (
        base.transform_filter(alt.datum.month <= last_known).mark_line(strokeWidth=2.5).encode(x=x, y=y, tooltip=tip)
    )
    beyond = (
        base.transform_filter(alt.datum.month >= last_known)
        .mark_line(strokeWidth=2.5, strokeDash=[4, 4])
        .encode(x=x, y=y, tooltip=tip)
    )
    return alt.layer(band, known, beyond).properties(height=height)


def contact_timeline(contacts: Sequence[Contact], time_zone: str, *, height: int = 180) -> alt.Chart:
    """The last contacts on a line of time: shape by channel, row by direction, filled when resolved."""
    zone = ZoneInfo(time_zone)
    channels = [*SHAPES, *sorted({contact.channel for contact in contacts} - set(SHAPES))]
    frame = pd.DataFrame(
        [
            {
                "when": _naive(contact.started_at, zone),
                "side": "they came" if contact.direction == "in" else "we went",
                "channel": contact.channel,
                "about": words.spoken(contact.reason or "no reason given"),
                "state": state_of(contact),
            }
            for contact in contacts
        ],
        columns=["when", "side", "channel", "about", "state"],
    )
    return (
        alt.Chart(frame)
        .mark_point(size=130, strokeWidth=2, filled=True)
        .encode(
            x=alt.X("when:T", title=None, axis=alt.Axis(format="%-d %b %y", grid=False, labelOverlap=True)),
            y=alt.Y("side:N", title=None, sort=["they came", "we went"]),
            shape=alt.Shape(
                "channel:N",
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=channels, range=[SHAPES.get(channel, OTHER_SHAPE) for channel in channels]),
            ),
            color=alt.Color(
                "state:N", title=None, legend=alt.Legend(orient="top"), scale=alt.Scale(domain=list(STATES))
            ),
            tooltip=[
                alt.Tooltip("when:T", title="when", format="%-d %b %Y %H:%M"),
                alt.Tooltip("channel:N"),
                alt.Tooltip("about:N"),
                alt.Tooltip("state:N"),
            ],
        )
        .properties(height=height)
    )


STATES = ("resolved", "not resolved", "not said", "escalated")


def state_of(contact: Contact) -> str:
    """How a contact ended, in a word."""
    if contact.is_escalated:
        return "escalated"
    return {True: "resolved", False: "not resolved", None: "not said"}[contact.is_resolved]


def _naive(when: datetime, zone: ZoneInfo) -> datetime:
    # The browser would move an aware instant to its own zone; the desk shows the company's.
    return when.astimezone(zone).replace(tzinfo=None)
