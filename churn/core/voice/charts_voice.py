"""Pictures of what customers say. Colours come from the page's theme; lines differ by dash as well, areas by words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

import altair as alt
import numpy as np
import pandas as pd

from churn.core import words
from churn.core.language import number, t, tn
from churn.core.voice.bursts import band
from churn.core.voice.problems import Day

Chart = alt.LayerChart | alt.FacetChart
MOST_LINES = 5  # the theme has as many colours


def axis_of_days() -> alt.Axis:
    """An axis of days, as `3 Nov`."""
    return alt.Axis(format=t("%-d %b"), grid=False, labelOverlap=True, tickCount=8)


def reasons_chart(points: Iterable[tuple[date, str, float | None]], days: int, *, height: int = 280) -> Chart:
    """Contacts by (bucket, reason): a line for each of the commonest reasons, named at its end. None: not told."""
    frame = pd.DataFrame(
        [(day, words.spoken(reason), n) for day, reason, n in points], columns=["day", "about", "contacts"]
    )
    frame = frame.dropna().astype({"contacts": float})
    largest = frame.groupby("about")["contacts"].sum().nlargest(MOST_LINES).index.tolist()
    frame = frame[frame["about"].isin(largest)].assign(day=lambda f: pd.to_datetime(f["day"]))
    title = t("contacts a day") if days == 1 else tn(days, "contacts in {n} day", "contacts in {n} days")
    base = alt.Chart(frame).encode(
        x=alt.X("day:T", title=None, axis=axis_of_days()),
        y=alt.Y("contacts:Q", title=title, axis=alt.Axis(tickCount=4)),
        color=alt.Color("about:N", sort=largest, legend=None),
    )
    tips = [
        alt.Tooltip("day:T", title=t("from"), format=t("%-d %b %Y")),
        alt.Tooltip("about:N", title=t("about")),
        alt.Tooltip("contacts:Q", title=title, format=",.0f"),
    ]
    dash = alt.StrokeDash("about:N", sort=largest, legend=None)
    lines = base.mark_line(strokeWidth=2, interpolate="linear").encode(strokeDash=dash, tooltip=tips)
    last = frame.sort_values("day").groupby("about", as_index=False).tail(1)
    named = last.assign(at=_apart(last["contacts"].to_numpy(), frame["contacts"].max() if len(frame) else 1.0, height))
    text = (
        alt.Chart(named)
        .mark_text(align="left", dx=6, fontSize=12)
        .encode(x="day:T", y=alt.Y("at:Q"), text="about:N", color=alt.Color("about:N", sort=largest, legend=None))
    )
    return alt.layer(lines, text).properties(height=height, padding={"right": 90, "left": 5, "top": 5, "bottom": 5})


def problem_chart(course: Sequence[Day], fixed_on: date | None, *, height: int = 120) -> Chart:
    """One problem's contacts a day over the range of nine usual days in ten; a rule on the day it was fixed."""
    expected = np.array([one.expected for one in course])
    low, high = band(expected, np.array([one.spread for one in course]))
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime([one.day for one in course]),
            "contacts": [one.contacts for one in course],
            "expected": expected.round(1),
            "low": low.round(1),
            "high": high.round(1),
        }
    )
    tips = [
        alt.Tooltip("day:T", title=t("day"), format=t("%a %-d %b %Y")),
        alt.Tooltip("contacts:Q", title=t("contacts"), format=",.0f"),
        alt.Tooltip("expected:Q", title=t("usual"), format=",.1f"),
        alt.Tooltip("high:Q", title=t("usual at most (90 %)"), format=",.1f"),
    ]
    base = alt.Chart(frame).encode(x=alt.X("day:T", title=None, axis=axis_of_days()))
    usual = base.mark_area(opacity=0.25).encode(y=alt.Y("low:Q", title=None, axis=alt.Axis(tickCount=3)), y2="high:Q")
    came = base.mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=28)).encode(
        y=alt.Y("contacts:Q", title=None), tooltip=tips
    )
    layers: list[alt.Chart] = [usual, came]
    if fixed_on is not None:
        mark = pd.DataFrame({"day": [pd.Timestamp(fixed_on)], "what": [t("fixed")]})
        layers.append(alt.Chart(mark).mark_rule(strokeDash=[4, 3], strokeWidth=2).encode(x="day:T"))
        layers.append(
            alt.Chart(mark).mark_text(align="left", dx=4, y=8, color="currentColor").encode(x="day:T", text="what:N")
        )
    return alt.layer(*layers).properties(height=height)


def reasons_in_words(points: Iterable[tuple[date, str, float | None]]) -> str:
    """What the chart of reasons shows, for who cannot see it."""
    totals: dict[str, float] = defaultdict(float)
    for _, reason, n in points:
        totals[reason] += n or 0
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:MOST_LINES]
    told = ", ".join(f"{words.spoken(r)} {number(n)}" for r, n in ranked)
    return t("Contacts over time by reason: {told}.", told=told)


def problem_in_words(title: str, course: Sequence[Day]) -> str:
    """What a problem's chart shows, for who cannot see it."""
    if not course:
        return t("{title}: no days counted.", title=title)
    top = max(course, key=lambda one: one.contacts)
    first, last, busiest = (words.day(one.day, date.min) for one in (course[0], course[-1], top))
    return t(
        "{title}: contacts a day from {first} to {last}, at most {most} on {day} where {usual} are usual.",
        title=title, first=first, last=last, most=number(top.contacts), day=busiest, usual=number(top.expected),
    )  # fmt: skip


def trend(points: Sequence[tuple[date, float]], first: date, last: date, days: int) -> list[float]:
    """A number for every bucket of the period, 0 where there is none: what a small line in a table shows."""
    known = dict(points)
    buckets = range(0, (last - first).days + 1, days)
    return [float(known.get(first + timedelta(days=k), 0.0)) for k in buckets]


def _apart(at: np.ndarray, largest: float, height: int, least: float = 14.0) -> np.ndarray:
    """Places for the lines' names so that none lies over another: at least `least` pixels apart."""
    step = max(largest, 1.0) / height * least
    placed = np.asarray(at, dtype=float).copy()
    order = np.argsort(placed)
    for before, here in pairwise(order):
        placed[here] = max(placed[here], placed[before] + step)
    return placed
