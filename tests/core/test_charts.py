"""The pictures: their data are the card's own, and they say where data end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import altair as alt
import jsonschema
import numpy as np
import pytest

from churn.core.charts import STATES, Picture, contact_timeline, state_of, staying_curve
from churn.core.leaving.outlook import Economics, Outlook, look_ahead
from tests.core.callers import contact, unresolved
from tests.models import curve, row


@pytest.fixture(scope="module")
def outlook() -> Outlook:
    return look_ahead(curve(), [row()], np.array([0.2]), horizon_days=90, economics=Economics())


def data_of(spec: Picture) -> list[dict[str, Any]]:
    rows = spec["data"]["values"].to_dict("records")
    return [row | ({"when": row["when"].isoformat()} if "when" in row else {}) for row in rows]


def is_drawn(spec: Picture, kind: type[alt.TopLevelMixin]) -> None:
    """The browser's own schema takes it. Raises ValidationError."""
    kind.from_dict(spec | {"data": {"values": data_of(spec)}}).to_dict()


def test_the_browser_can_draw_both_pictures(outlook: Outlook) -> None:
    is_drawn(staying_curve(outlook), alt.LayerChart)
    is_drawn(contact_timeline([contact(1)], "UTC"), alt.Chart)
    with pytest.raises(jsonschema.ValidationError):
        is_drawn(contact_timeline([contact(1)], "UTC") | {"mark": "pointed"}, alt.Chart)


def test_the_curve_starts_at_one_and_is_the_outlooks_own(outlook: Outlook) -> None:
    rows = data_of(staying_curve(outlook))
    assert [one["month"] for one in rows] == list(range(37))
    assert [rows[0][name] for name in ("staying", "low", "high")] == [1.0, 1.0, 1.0]
    assert [one["staying"] for one in rows[1:]] == outlook.staying[0].tolist()


@pytest.mark.parametrize(("known", "meets"), [(0.0, 0.0), (0.5, 0.0), (10.5, 10.0), (36.0, 36.0), (400.0, 36.0)])
def test_the_solid_line_ends_and_the_dashed_begins_in_the_last_month_with_data(
    outlook: Outlook, known: float, meets: float
) -> None:
    _, solid, dashed = staying_curve(replace(outlook, months_known=np.array([known])))["layer"]
    assert solid["transform"] == [{"filter": f"datum.month <= {meets}"}]
    assert dashed["transform"] == [{"filter": f"datum.month >= {meets}"}]
    assert "strokeDash" in dashed["mark"]
    assert "strokeDash" not in solid["mark"]


def test_contacts_stand_at_the_companys_own_time_with_their_words() -> None:
    late = unresolved(0, "move_home", started_at=datetime(2026, 11, 15, 7, 30, tzinfo=UTC))
    (mark,) = data_of(contact_timeline([late], "America/Los_Angeles"))
    assert mark == {
        "when": "2026-11-14T23:30:00", "side": "they came", "channel": "call", "about": "move home",
        "state": "not resolved",
    }  # fmt: skip


def test_a_channel_of_their_own_has_a_shape_too() -> None:
    spec = contact_timeline([contact(1, channel="shop"), contact(2, None, direction="out")], "UTC")
    scale = spec["encoding"]["shape"]["scale"]
    assert scale["domain"] == ["call", "chat", "email", "letter", "shop"]
    assert len(scale["range"]) == 5
    assert [(one["side"], one["about"]) for one in data_of(spec)] == [
        ("they came", "fault"),
        ("we went", "no reason given"),
    ]


def test_no_contact_at_all_is_an_empty_picture() -> None:
    assert data_of(contact_timeline([], "UTC")) == []


@pytest.mark.parametrize(
    ("resolved", "escalated", "state"),
    [(True, False, "resolved"), (False, False, "not resolved"), (None, False, "not said"), (True, True, "escalated")],
)
def test_how_a_contact_ended(resolved: bool | None, escalated: bool, state: str) -> None:
    assert state_of(contact(1, is_resolved=resolved, is_escalated=escalated)) == state
    assert state in STATES
