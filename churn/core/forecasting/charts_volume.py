"""Pictures of contacts to come. Colours come from the page's theme; what is forecast differs by dash and band."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import altair as alt
import numpy as np
import pandas as pd

from churn.core import words
from churn.core.forecasting.volume_calendar import Ahead
from churn.core.language import number, t, tn
from churn.core.voice.charts_voice import axis_of_days

Chart = alt.LayerChart | alt.FacetChart
Mark = tuple[date, str]  # the day a change begins, its title


def days_chart(before: Sequence[tuple[date, int]], ahead: Ahead, marks: Sequence[Mark], *, height: int = 280) -> Chart:
    """Contacts a day: what came; what is expected, dashed, with its 90 % band; changes as numbered rules."""
    came = pd.DataFrame(before, columns=["day", "contacts"]).assign(day=lambda f: pd.to_datetime(f["day"]))
    coming = pd.DataFrame(
        {
            "day": pd.to_datetime(ahead.days),
            "contacts": ahead.usual.sum(axis=1),
            **dict(zip(("low", "high"), band_of(ahead), strict=True)),
        }
    )
    title, form = t("contacts a day"), t("%-d %b %Y")
    return _drawn(came, coming, rules=_rules(marks), height=height, axis=axis_of_days(), title=title, form=form)


def half_hours_chart(rows: pd.DataFrame, *, height: int = 280) -> Chart:
    """Contacts by half-hour of one day: `at` (local), `usual`, `low`, `high`."""
    coming = rows.rename(columns={"at": "day", "usual": "contacts"})
    axis = alt.Axis(format="%H:%M", grid=False, labelOverlap=True)
    title, form = t("contacts in half an hour"), t("%-d %b %H:%M")
    return _drawn(coming.head(0), coming, rules=None, height=height, axis=axis, title=title, form=form)


def _drawn(
    came: pd.DataFrame, coming: pd.DataFrame, *, rules: Chart | None, height: int, axis: alt.Axis, title: str, form: str
) -> Chart:
    x = alt.X("day:T", title=None, axis=axis)
    y = alt.Y("contacts:Q", title=title, axis=alt.Axis(tickCount=4), scale=alt.Scale(domainMin=0))
    when = alt.Tooltip("day:T", title=t("when"), format=form)
    count = alt.Tooltip("contacts:Q", title=title, format=",.1f")
    ends = [
        alt.Tooltip("low:Q", title=t("at least (90 %)"), format=",.1f"),
        alt.Tooltip("high:Q", title=t("at most (90 %)"), format=",.1f"),
    ]
    band = alt.Chart(coming).mark_area(opacity=0.2).encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q")
    ahead = (
        alt.Chart(coming).mark_line(strokeWidth=2.5, strokeDash=[6, 3]).encode(x=x, y=y, tooltip=[when, count, *ends])
    )
    layers = [*([rules] if rules is not None else []), band, ahead]
    if len(came):  # a line without points would be a picture without a name to a screen reader
        layers.append(alt.Chart(came).mark_line(strokeWidth=2).encode(x=x, y=y, tooltip=[when, count]))
    return alt.layer(*layers).properties(height=height)


def _rules(marks: Sequence[Mark]) -> Chart | None:
    if not marks:
        return None
    frame = pd.DataFrame(marks, columns=["day", "title"]).assign(day=lambda f: pd.to_datetime(f["day"]))
    frame["number"] = [str(n) for n in range(1, len(frame) + 1)]
    tips = [alt.Tooltip("day:T", title=t("begins"), format=t("%-d %b %Y")), alt.Tooltip("title:N", title=t("change"))]
    base = alt.Chart(frame).encode(x="day:T", tooltip=tips)
    return alt.layer(
        base.mark_rule(strokeDash=[2, 2], opacity=0.7),
        base.mark_text(dy=-4, fontSize=12, color="currentColor").encode(text="number:N", y=alt.value(0)),
    )


def band_of(ahead: Ahead) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the band of all queues together: queues are off on their own, so half-widths add up by squares."""
    whole = ahead.usual.sum(axis=1)
    down = np.sqrt(((ahead.usual - ahead.low) ** 2).sum(axis=1))
    up = np.sqrt(((ahead.high - ahead.usual) ** 2).sum(axis=1))
    return np.maximum(whole - down, 0.0), whole + up


def days_in_words(ahead: Ahead, marks: Sequence[Mark]) -> str:
    """The chart for those who cannot see it."""
    whole = ahead.usual.sum(axis=1)
    low, high = band_of(ahead)
    busiest = int(whole.argmax())
    told = tn(
        len(whole),
        "{n} day from {first}: {mean} contacts a day on average; the busiest is {busiest} with {most}, {low} to "
        "{high}.",
        "{n} days from {first}: {mean} contacts a day on average; the busiest is {busiest} with {most}, {low} to "
        "{high}.",
        first=_said(ahead.days[0]),
        mean=number(whole.mean()),
        busiest=_said(ahead.days[busiest]),
        most=number(whole[busiest]),
        low=number(low[busiest]),
        high=number(high[busiest]),
    )
    named = "; ".join(
        t("{n} {title} on {day}", n=n, title=title, day=words.day(day, day))
        for n, (day, title) in enumerate(marks[:8], 1)
    )
    return f"{told} {t('Changes: {named}.', named=named)}" if named else told


def half_hours_in_words(rows: pd.DataFrame) -> str:
    """The chart of a day for those who cannot see it."""
    if not len(rows) or not rows["usual"].sum():
        return t("Nobody is expected that day.")
    top = rows.loc[rows["usual"].idxmax()]
    at: datetime = top["at"]
    return t(
        "{n} contacts; the busiest half-hour begins at {time} with {most}.",
        n=number(rows["usual"].sum()),
        time=f"{at:%H:%M}",
        most=number(top["usual"], 1),
    )


def _said(day: np.datetime64) -> str:
    return words.full_day(day.astype(object), has_year=False)
