"""The card's pictures: built here from arrays and records, only shown by the pages. Colours come from the page's theme.

Each is a Vega-Lite specification as it goes to the browser, its rows a data frame under `data.values`. Built by Altair
and checked against its schema they cost more than all the rest of the card together, on every caller; the tests check
them against that schema instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from churn.core import words
from churn.core.language import mark, t, tc
from churn.core.leaving.outlook import Outlook
from churn.core.records import Contact

Picture = dict[str, Any]
SHAPES = {"call": "circle", "chat": "square", "email": "triangle-up", "letter": "diamond"}
OTHER_SHAPE = "cross"  # a channel of the company's own


def staying_curve(outlook: Outlook, *, height: int = 190) -> Picture:
    """The first customer's chance of still being one over the months ahead, with its band; dashed where data end."""
    months = np.arange(0.0, outlook.staying.shape[1] + 1)
    last_known = float(np.floor(min(outlook.months_known[0], months[-1])))  # both lines meet there: no gap between them
    curves = {"staying": outlook.staying, "low": outlook.low, "high": outlook.high}
    frame = pd.DataFrame({"month": months} | {name: np.append(1.0, curve[0]) for name, curve in curves.items()})
    x = _number(
        "month",
        t("months from today"),
        scale={"domain": [0, float(months[-1])]},
        axis={"values": list(range(0, len(months), 6)), "grid": False},
    )
    y = _number("staying", t("still a customer"), scale={"domain": [0, 1]}, axis={"format": "%", "tickCount": 3})
    tip = [
        _number("month", t("months from today"), format=".0f"),
        _number("staying", t("still a customer"), format=".0%"),
        _number("low", t("at least"), format=".0%"),
        _number("high", t("at most"), format=".0%"),
    ]
    line = {"type": "line", "strokeWidth": 2.5}
    lines = {"x": x, "y": y, "tooltip": tip}
    return {
        "data": {"values": frame},
        "height": height,
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.18},
                "encoding": {"x": x, "y": _number("low", None), "y2": {"field": "high"}},
            },
            {
                "transform": [{"filter": f"datum.month <= {last_known}"}],
                "mark": line,
                "encoding": lines,
            },
            {
                "transform": [{"filter": f"datum.month >= {last_known}"}],
                "mark": line | {"strokeDash": [4, 4]},
                "encoding": lines,
            },
        ],
    }


def contact_timeline(contacts: Sequence[Contact], time_zone: str, *, height: int = 180) -> Picture:
    """The last contacts on a line of time: shape by channel, row by direction, filled when resolved."""
    zone = ZoneInfo(time_zone)
    channels = [*SHAPES, *sorted({contact.channel for contact in contacts} - set(SHAPES))]
    came, went = t("they came"), t("we went")
    frame = pd.DataFrame(
        [
            {
                "when": _naive(contact.started_at, zone),
                "side": came if contact.direction == "in" else went,
                "channel": tc("code", contact.channel),
                "about": words.spoken(contact.reason) if contact.reason else t("no reason given"),
                "state": t(state_of(contact)),
            }
            for contact in contacts
        ],
        columns=["when", "side", "channel", "about", "state"],
    )
    shapes = {
        "domain": [tc("code", channel) for channel in channels],
        "range": [SHAPES.get(channel, OTHER_SHAPE) for channel in channels],
    }
    return {
        "data": {"values": frame},
        "height": height,
        "mark": {"type": "point", "size": 130, "strokeWidth": 2, "filled": True},
        "encoding": {
            "x": _instant("when", None, axis={"format": t("%-d %b %y"), "grid": False, "labelOverlap": True}),
            "y": _name("side", None, sort=[came, went]),
            "shape": _name("channel", None, legend={"orient": "top"}, scale=shapes),
            "color": _name("state", None, legend={"orient": "top"}, scale={"domain": list(map(t, STATES))}),
            "tooltip": [
                _instant("when", t("when"), format=t("%-d %b %Y %H:%M")),
                _name("channel", t("channel")),
                _name("about", t("about")),
                _name("state", t("state")),
            ],
        },
    }


def _number(field: str, title: str | None, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title, **more}


def _name(field: str, title: str | None, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "title": title, **more}


def _instant(field: str, title: str | None, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "temporal", "title": title, **more}


STATES = (mark("resolved"), mark("not resolved"), mark("not said"), mark("escalated"))


def state_of(contact: Contact) -> str:
    """How a contact ended: one of STATES."""
    if contact.is_escalated:
        return "escalated"
    return {True: "resolved", False: "not resolved", None: "not said"}[contact.is_resolved]


def _naive(when: datetime, zone: ZoneInfo) -> datetime:
    # The browser would move an aware instant to its own zone; the desk shows the company's.
    return when.astimezone(zone).replace(tzinfo=None)
