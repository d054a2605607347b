"""Drivers, the printed page, topics, and the pictures."""

from __future__ import annotations

import json
from datetime import date
from html.parser import HTMLParser
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from churn.core.trends import charts_team, charts_trends, wins
from churn.core.trends.curves import Table
from churn.core.trends.drivers import compare
from churn.core.trends.funnel import Funnel
from churn.core.trends.rates import monthly, saves
from churn.core.trends.summary import Section, Tile, page


def side(values: list[float], points: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two columns of some customers, and what each does to the chance."""
    plans = ["a" if value > 1 else "b" for value in values]
    return (
        pd.DataFrame({"unresolved_90d": values, "plan": plans}),
        pd.DataFrame({"unresolved_90d": points, "plan": [0.0] * len(points)}),
    )


def test_drivers_compare_means_now_and_then_and_leave_out_what_moves_nothing() -> None:
    found = compare(side([2.0, 4.0], [0.02, 0.06]), side([1.0, 1.0], [0.0, 0.02]), {"unresolved_90d": 0, "plan": "a"})
    assert [driver.column for driver in found] == ["unresolved_90d"]
    (one,) = found
    assert (one.value_now, one.value_then) == (3.0, 1.0)
    assert (one.points_now, one.points_then) == pytest.approx((0.04, 0.01))
    assert one.error == pytest.approx(np.sqrt(0.0008 / 2 + 0.0002 / 2))
    assert one.customers == 2
    assert one.meaning == "Inbound, last 90 days, coded not resolved."


def test_of_a_column_without_numbers_the_share_away_from_the_usual_is_told() -> None:
    now, then = side([2.0, 0.0], [0.1, 0.1]), side([2.0, 2.0], [0.1, 0.1])
    for columns, points in (now, then):
        points["plan"] = 0.01
        assert len(columns) == len(points)
    plan = next(driver for driver in compare(now, then, {"plan": "a"}) if driver.column == "plan")
    assert (plan.value_now, plan.value_then) == (0.5, 0.0)


def test_the_printed_page_shows_every_text_letter_for_letter_and_loads_nothing() -> None:
    evil = '<img src=x onerror=alert(1)>"&'
    made = page(evil, evil, [Tile(evil, evil, evil)], [Section(evil, [evil, "n"], [[evil, "12"]], evil)])
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(made)
    assert "img" not in tags
    assert "script" not in tags
    assert "default-src 'none'" in made
    assert made.count("&lt;img src=x onerror=alert(1)&gt;&quot;&amp;") == 10
    assert "<td class=n>12</td>" in made


def test_hard_calls_in_a_row_end_with_the_first_easy_one() -> None:
    assert wins.run_of_hard([True, False, True, True]) == 2
    assert wins.run_of_hard([True, False]) == 0
    assert wins.run_of_hard([]) == 0
    assert wins.hard_below(np.linspace(0, 1, 301)) == pytest.approx(1 / 3)


def test_a_topic_is_mastered_on_enough_calls_and_evidence() -> None:
    assert wins.topic_of(60, 55, 36.0, 14.0).is_mastered
    assert not wins.topic_of(60, 38, 36.0, 14.0).is_mastered
    assert not wins.topic_of(10, 10, 3.0, 2.0).is_mastered
    held = wins.topic_of(40, 30, 25.0, 9.0)
    assert (held.low + held.high) / 2 == pytest.approx(5 / 60)
    assert held.high - held.low == pytest.approx(2 * 1.6448536 * np.sqrt(9 + 20 * 9 / 40) / 60)


def spec_of(chart: alt.TopLevelMixin) -> str:
    """The picture as the browser gets it; Altair checks it against its grammar."""
    return json.dumps(chart.to_dict())


def test_every_picture_is_one_the_browser_understands() -> None:
    rows = pd.DataFrame(
        {
            "month": pd.to_datetime(["2026-01-01", "2026-02-01"]),
            "live": 100,
            "voluntary": 3,
            "involuntary": 1,
            "moved": 0,
        }
    )
    frame = charts_trends.curve_frame({"a": Table.from_lives([0] * 30, range(10, 40), [1, 0] * 15)})
    cells = pd.DataFrame(
        {"cohort": ["2026-Q1"], "month": [1], "at_risk": [20], "left": [2], "rate": [0.1], "exposure": [20.0],
         "low": [0.03], "high": [0.3]}
    )  # fmt: skip
    agents = pd.DataFrame(
        {"name": ["Ann"], "usual_calls": [100.0], "difference": [0.1], "told": [0.05], "zone": ["high"], "calls": [120],
         "saved": [80], "expected": [70.0]}
    )  # fmt: skip
    for chart in (
        charts_trends.churn_by_month(monthly(rows), is_grouped=False),
        charts_trends.churn_by_month(monthly(rows), is_grouped=True, open_month=date(2026, 2, 1)),
        charts_trends.survival(frame, since="they joined"),
        charts_trends.heat(cells),
        charts_team.funnel_chart(Funnel(0.2, 1.1, 0.03, 0.0), agents),
    ):
        assert charts_trends.PICK in spec_of(chart)


def test_a_month_that_is_not_over_is_a_mark_off_the_line() -> None:
    rows = pd.DataFrame(
        {"month": [date(2026, 1, 1), date(2026, 2, 1)], "live": 100, "voluntary": 3, "involuntary": 1, "moved": 0}
    )
    made = charts_trends.churn_by_month(monthly(rows), is_grouped=False, open_month=date(2026, 2, 1)).to_dict()
    months = [
        {row["month"][:7] for row in made["datasets"][layer["data"]["name"]]} for layer in made["layer"]
    ]  # band, line, marks
    assert months == [{"2026-01"}, {"2026-01"}, {"2026-01", "2026-02"}]


def lines_of(made: dict[str, Any]) -> list[list[tuple[str, float | None]]]:
    """Of each layer the months and rates of its first line, as the browser gets them."""
    found = []
    for layer in made["layer"]:
        rows = made["datasets"][layer["data"]["name"]]
        found.append([(row["month"][:7], row["rate"]) for row in rows if row["said"] == rows[0]["said"]])
    return found


def test_a_line_breaks_where_a_month_is_not_told() -> None:
    """Nine came in February: a line drawn on to March would say what is not told."""
    came = pd.DataFrame(
        {
            "month": [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)], "window_days": 30, "came": [20, 9, 10],
            "deflected": [10, 9, 4], "is_over": 0, "saved": 0,
        }
    )  # fmt: skip
    told, broken = [("2026-01", 0.5), ("2026-03", 0.4)], [("2026-01", 0.5), ("2026-02", None), ("2026-03", 0.4)]
    assert lines_of(charts_trends.save_rates(saves(came)).to_dict()) == [broken, broken, told]
    left = pd.DataFrame({"month": came["month"], "live": came["came"], "voluntary": [10, 9, 4]})
    rates = monthly(left.assign(involuntary=0, moved=0))
    made = charts_trends.churn_by_month(rates[rates["how"] == "voluntary"], is_grouped=False).to_dict()
    assert lines_of(made) == [broken, broken, told]


def test_curves_end_where_fewer_than_ten_are_at_risk() -> None:
    frame = charts_trends.curve_frame({"a": Table.from_lives([0] * 30, range(10, 40), [1, 0] * 15)}, every_days=1)
    assert frame["month"].max() * 30.4375 == pytest.approx(30)
    assert frame["staying"].iloc[0] == 1.0
    numbers = charts_trends.risk_table({"a": Table.from_lives([0] * 30, [61] * 25 + [200] * 5, [1] * 30)}, [0, 1, 3])
    assert numbers.iloc[0].to_dict() == {
        "at risk after": "a", "0 months": "30", "1 month": "30", "3 months": "under 10",
    }  # fmt: skip
