"""Risk, curve and worth of one card cannot disagree; one caller is reckoned as everybody is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.core.leaving.outlook import (
    DAYS_A_MONTH,
    HIGHEST_RISK,
    Economics,
    Outlook,
    look_ahead,
    risk_and_moves,
    risk_of,
)
from tests.models import curve, risk_model, row, rows

HORIZON = 90


def ahead(known: list[dict], risk: np.ndarray, horizon_days: int = HORIZON) -> Outlook:
    return look_ahead(curve(), known, risk, horizon_days=horizon_days, economics=Economics())


def risk_at(outlook: Outlook, months: float) -> np.ndarray:
    """(n,) one less the curve at a month between columns, the hazard constant between them."""
    hazard = np.column_stack([np.zeros(len(outlook.staying)), -np.log(outlook.staying)])
    at = np.arange(hazard.shape[1])
    return 1 - np.exp([-np.interp(months, at, one) for one in hazard])


@pytest.mark.parametrize("horizon_days", [7, 30, 90, 365, 730])
def test_the_curve_says_the_risk_that_is_shown_at_its_horizon(horizon_days: int) -> None:
    known = rows(30, seed=6)
    risk = risk_of(risk_model(), known)
    made = ahead(known, risk, horizon_days)
    assert risk_at(made, horizon_days / DAYS_A_MONTH) == pytest.approx(risk, abs=1e-12)


def test_worth_is_positive_and_inside_its_interval_and_curves_fall_inside_their_band() -> None:
    known = rows(30, seed=6)
    made = ahead(known, risk_of(risk_model(), known))
    assert (made.worth.clv > 0).all()
    assert ((made.worth.low <= made.worth.clv) & (made.worth.clv <= made.worth.high)).all()
    assert ((made.low <= made.staying) & (made.staying <= made.high)).all()
    assert (np.diff(made.staying, axis=1) <= 0).all()
    assert ((made.expected_months > 0) & (made.expected_months <= 36)).all()


@pytest.mark.parametrize(("risk", "shown"), [(0.0, 0.0), (1e-9, 1e-9), (0.5, 0.5), (1.0, HIGHEST_RISK)])
def test_the_ends_of_risk_make_a_curve_too(risk: float, shown: float) -> None:
    made = ahead([row()], np.array([risk]))
    assert risk_at(made, HORIZON / DAYS_A_MONTH) == pytest.approx([shown], abs=1e-12)
    assert made.low[0, -1] <= made.staying[0, -1] <= made.high[0, -1]
    assert np.isfinite([made.worth.low, made.worth.clv, made.worth.high]).all()


def test_a_higher_risk_is_never_worth_more() -> None:
    worths = [ahead([row()], np.array([risk])).worth.clv[0] for risk in (0.05, 0.1, 0.3, 0.6, 0.9)]
    assert worths == sorted(worths, reverse=True)


def test_one_caller_is_reckoned_as_in_the_nightly_run() -> None:
    known = rows(20, seed=7)  # more than FEW: through a frame; one at a time: through plain mappings
    many = ahead(known, risk_of(risk_model(), known))
    for i, one in enumerate(known[:4]):
        alone = ahead([one], risk_of(risk_model(), [one]))
        assert alone.p_churn[0] == pytest.approx(many.p_churn[i], abs=1e-12)
        assert alone.staying[0] == pytest.approx(many.staying[i], abs=1e-12)
        assert alone.worth.clv[0] == pytest.approx(many.worth.clv[i])


def test_one_caller_is_reckoned_without_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ahead([row()], np.array([0.2]))
    monkeypatch.setattr(pd.DataFrame, "__init__", lambda *_, **__: pytest.fail("a frame was made"))
    assert np.array_equal(ahead([row()], np.array([0.2])).staying, before.staying)


def test_a_known_margin_is_taken_and_a_missing_one_assumed_from_the_price() -> None:
    made = ahead([row(monthly_margin=22.55), row(monthly_margin=None)], np.array([0.1, 0.1]))
    assert made.worth.clv[0] == pytest.approx(made.worth.clv[1])  # 55 % of 41
    assert made.worth.is_assumed.tolist() == [False, True]


def test_months_known_end_with_the_data_and_are_none_for_who_has_been_here_longer() -> None:
    made = ahead([row(tenure_months=0.0), row(tenure_months=50.0), row(tenure_months=600.0)], np.full(3, 0.1))
    assert made.months_known[0] - made.months_known[1] == pytest.approx(50.0)
    assert made.months_known[2] == 0
    assert np.isfinite(made.worth.clv).all()


def test_the_risk_of_a_card_is_the_risk_of_the_run_and_its_moves_are_differences_of_it() -> None:
    caller = row(unresolved_90d=3, plan="Copper", attributes={"paperless": True})
    risk, moved = risk_and_moves(risk_model(), caller)
    assert risk == pytest.approx(risk_of(risk_model(), [caller])[0], abs=1e-12)
    usual = risk_model().estimator.usual_["unresolved_90d"]
    without = risk_of(risk_model(), [caller | {"unresolved_90d": usual}])[0]
    assert moved["unresolved_90d"] == pytest.approx(risk - without, abs=1e-12)
    assert moved["unresolved_90d"] > 0.05
    assert set(moved) == set(risk_model().columns)
