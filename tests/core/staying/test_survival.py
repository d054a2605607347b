"""How long they stay: order, left truncation, leaks, anchoring, and what lies beyond the data."""

from __future__ import annotations

import pickle
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, NelsonAalenFitter
from lifelines.exceptions import ConvergenceWarning

from churn.core.columns import Columns
from churn.core.refusals import ColumnsMissing, NotEnoughData
from churn.core.staying.baseline import breslow, smoothed
from churn.core.staying.cox import PENALTIES
from churn.core.staying.exposure import Exposure
from churn.core.staying.survival import TenureCurve, anchor
from churn.core.staying.survival_leaks import find_leaks

MONTHS = np.arange(1.0, 25.0)


@cache
def company(n: int = 700, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Columns, tenure and whether they left. Hazards of the two contracts cross: early leavers and late leavers."""
    rng = np.random.default_rng(seed)
    monthly = rng.random(n) < 0.5
    price = np.round(rng.uniform(10, 90, n), 2)
    stay = np.where(monthly, rng.weibull(0.7, n) * 14, rng.weibull(3.0, n) * 40) * np.exp((50 - price) / 120)
    seen = rng.uniform(2, 60, n)
    tenure = np.ceil(np.minimum(stay, seen))
    table = pd.DataFrame(
        {
            "plan": np.where(monthly, "monthly", "yearly"),
            "price": price,
            "total": np.where(rng.random(n) < 0.01, " ", np.char.mod("%.2f", tenure * price + rng.normal(0, 5, n))),
            "colour": rng.choice(["red", "blue", "green"], n),
            "paperless": rng.random(n) < 0.5,
            "country": "GB",
        }
    )
    return table, tenure, stay <= seen


@cache
def fitted(smooth_events: int = 5) -> TenureCurve:
    return TenureCurve(smooth_events=smooth_events).fit(company()[0], 0.0, *company()[1:])


def exposure(entry: list[float], duration: list[float], event: list[int]) -> Exposure:
    return Exposure.read(np.array(entry), np.array(duration), np.array(event), len(duration))


def test_rows_come_back_in_the_order_they_went_in():
    table = company()[0].head(60)
    shuffled = np.random.default_rng(3).permutation(60)
    straight = fitted().survival(table, MONTHS, given=np.arange(60.0) / 3)
    mixed = fitted().survival(table.iloc[shuffled], MONTHS, given=np.arange(60.0)[shuffled] / 3)
    assert np.array_equal(mixed, straight[shuffled])


def test_without_late_entries_curves_equal_those_of_lifelines():
    table, tenure, left = company()
    curve = fitted(smooth_events=0)
    assert curve.strata_
    codes = curve.columns_.codes(table)
    design = pd.DataFrame(curve._cox.covariates(codes)).add_prefix("x")
    stratum = pd.Series(curve._cox.strata.of(codes), name="stratum")
    frame = pd.concat([design, stratum], axis=1).assign(T=tenure, E=left)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        bare = CoxPHFitter(penalizer=PENALTIES[0]).fit(frame, "T", "E", strata=["stratum"])
    given = np.full(len(table), 5.0)
    theirs = bare.predict_survival_function(frame, times=np.arange(1.0, 20.0), conditional_after=given)
    assert list(theirs.columns) != list(range(len(table)))  # grouped by stratum: what this module puts right
    mine = curve.survival(table, np.arange(1.0, 20.0), given=5.0)
    assert np.abs(mine - theirs[range(len(table))].to_numpy().T).max() < 1e-9


def test_a_late_entry_is_at_risk_only_after_it_came():
    rows = exposure([0, 0, 1, 2], [1, 3, 2, 3], [1, 0, 1, 1])
    base = breslow(rows, np.ones(4), np.empty((4, 0)), smooth_events=0, grid=np.array([1.0, 2.0, 3.0]))
    # month 1: two at risk, the others came later; month 2: two; month 3: two
    assert base.at(np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx([0, 1 / 2, 1 / 2 + 1 / 2, 3 / 2])


def test_the_baseline_with_late_entries_is_nelson_and_aalens():
    rng = np.random.default_rng(5)
    entry, duration, event = late_entries(rng, 800)
    theirs = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(duration, event, entry=entry).cumulative_hazard_
    months = np.arange(1.0, 31.0)
    rows = exposure(list(entry), list(duration), list(event))
    base = breslow(rows, np.ones(len(entry)), np.empty((len(entry), 0)), smooth_events=0, grid=np.unique(duration))
    assert base.at(months) == pytest.approx(theirs.iloc[:, 0].reindex(months, method="ffill").to_numpy(), abs=1e-12)


def late_entries(rng: np.random.Generator, n: int, hazard: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entry, exit and event of those still there when first seen; chance of leaving in any month 1 − exp(−hazard)."""
    stay = np.ceil(rng.exponential(1 / hazard, 4 * n))
    entry = rng.integers(0, 30, 4 * n).astype(float)
    kept = np.flatnonzero(stay > entry)[:n]
    until = np.minimum(stay, entry + 24)[kept]
    return entry[kept], until, (stay <= entry + 24)[kept]


def test_left_truncation_does_not_make_customers_look_loyal():
    entry, duration, event = late_entries(np.random.default_rng(6), 4000)
    table = pd.DataFrame({"noise": np.random.default_rng(7).normal(size=len(entry))})
    got = TenureCurve().fit(table, entry, duration, event).survival(table.head(1), [12.0, 24.0], given=6.0)
    assert got[0] == pytest.approx(np.exp([-0.6, -1.2]), abs=0.03)


def test_conditional_survival_is_the_ratio_of_two_survivals():
    row = company()[0].iloc[[7]]
    whole = fitted().survival(row, [9.0, 21.0])[0]
    assert fitted().survival(row, [12.0], given=9.0)[0, 0] == pytest.approx(whole[1] / whole[0])


def test_one_caller_a_scalar_tenure_and_a_batch_agree():
    table = company()[0].head(40).set_axis([0] * 40)  # a repeated index must not matter
    batch = fitted().survival(table, MONTHS, given=np.full(40, 8.0))
    assert fitted().survival(table, MONTHS, given=8.0) == pytest.approx(batch, abs=1e-15)
    assert fitted().survival(table.iloc[[33]], MONTHS, given=8.0)[0] == pytest.approx(batch[33], abs=1e-15)


def test_the_stratum_is_the_column_whose_hazards_cross():
    assert fitted().strata_[0] == "plan"
    plain, stratified = fitted().choice_[0], fitted().choice_[1]
    assert plain["strata"] == ()
    assert stratified["calibration_error"] < plain["calibration_error"]


def test_what_accumulates_since_sign_up_is_dropped_and_said():
    assert fitted().dropped_ == {"total": "`total` is tenure × `price`: it accumulates since sign-up."}


def leaks(**columns: object) -> dict[str, str]:
    """What `find_leaks` says of the company's columns with some more."""
    table, tenure, left = company()
    frame = table[["price", "plan"]].assign(**columns)
    held = Columns(frame)
    return find_leaks(held.columns, held.codes(frame), exposure([0.0] * len(table), list(tenure), list(left)))


def test_columns_that_order_customers_as_tenure_does_are_leaks():
    tenure = company()[1]
    found = leaks(months_here=tenure + np.arange(len(tenure)) % 2, signed_up=2026 - tenure / 12)
    assert set(found) == {"months_here", "signed_up"}
    assert all("orders customers almost as tenure does" in sentence for sentence in found.values())


def test_a_count_that_grows_from_zero_with_tenure_is_a_leak_even_when_noisy():
    rng = np.random.default_rng(2)
    tenure = company()[1]
    calls = rng.poisson(4 * tenure * rng.gamma(2.0, 0.5, len(tenure)))
    found = leaks(calls=calls, nearly_calls=calls + 1.0)
    assert found["calls"] == "`calls` grows from zero in proportion to tenure: it accumulates since sign-up."
    assert "nearly_calls" in found


def test_levels_that_stand_for_bands_of_tenure_are_a_leak():
    assert "narrow band" in leaks(age=np.char.mod("band %d", np.minimum(company()[1] // 6, 5)))["age"]


def test_what_is_set_only_for_those_who_left_is_a_leak():
    left = company()[2]
    found = leaks(goodbye=np.where(left, "price", ""), left_on=np.where(left, np.arange(len(left)) % 99.0, np.nan))
    assert set(found) == {"goodbye", "left_on"}
    assert "known only afterwards" in found["goodbye"]


def test_a_contract_length_is_no_leak_and_may_be_a_stratum():
    table, tenure, left = company()
    numbers = table[["price"]].assign(contract_months=np.where(table["plan"] == "monthly", 1, 12))
    curve = TenureCurve().fit(numbers, 0.0, tenure, left)
    assert curve.dropped_ == {}
    assert curve.strata_ == ("contract_months",)
    assert set(curve.data_ends_at_by_stratum) == {"1", "12", "any other"}


def test_unseen_levels_and_missing_values_still_get_a_curve():
    strange = pd.DataFrame(
        {"plan": ["lifetime", None], "price": [np.nan, 1e9], "total": ["", "x"], "colour": ["mauve", np.nan],
         "paperless": [None, "maybe"], "country": ["FR", None]}
    )  # fmt: skip
    curves = fitted().survival(strange, MONTHS, given=[0.0, 30.0])
    assert np.isfinite(curves).all()
    assert (np.diff(curves, axis=1) < 0).all()


def test_columns_may_be_named_by_numbers():
    table, tenure, left = company()
    numbered = table[["plan", "price"]].set_axis([0, 1], axis=1)
    curve = TenureCurve().fit(numbered, 0.0, tenure, left)
    assert curve.survival(numbered.head(1), MONTHS) == pytest.approx(curve.survival(numbered, MONTHS)[:1], abs=1e-15)


def test_constant_repeated_and_rare_columns_do_no_harm():
    table, tenure, left = company()
    rare = np.where(np.arange(len(table)) < 3, "once", "usual")
    more = table.drop(columns="total").assign(again=table["price"], opposite=-table["price"], rare=rare, empty=np.nan)
    curves = TenureCurve().fit(more, 0.0, tenure, left).survival(more.head(5), MONTHS)
    assert np.abs(curves - fitted().survival(table.head(5), MONTHS)).max() < 0.02


def test_no_columns_at_all_give_everybody_the_same_curve():
    table, tenure, left = company()
    curves = TenureCurve().fit(table[["country"]], 0.0, tenure, left).survival(table.head(2), MONTHS)
    assert np.array_equal(curves[0], curves[1])


def test_too_few_rows_or_leavers_are_refused_in_a_sentence():
    table, tenure, left = company()
    with pytest.raises(NotEnoughData, match="at least 100 rows and 20"):
        TenureCurve().fit(table.head(60), 0.0, tenure[:60], left[:60])
    with pytest.raises(NotEnoughData, match="5 of the rarer"):
        TenureCurve().fit(table, 0.0, tenure, left & (np.cumsum(left) <= 5))


@pytest.mark.parametrize("duration", [np.nan, -1.0])
def test_unknown_and_negative_tenure_are_refused(duration):
    table, tenure, left = company()
    with pytest.raises(ValueError, match="known and not negative"):
        TenureCurve().fit(table, 0.0, np.where(np.arange(len(tenure)) == 4, duration, tenure), left)


def test_questions_that_make_no_sense_are_refused():
    table = company()[0].head(2)
    with pytest.raises(ValueError, match="cannot be negative"):
        fitted().survival(table, [-1.0])
    with pytest.raises(ValueError, match="2 customers and 3 tenures"):
        fitted().survival(table, [1.0], given=[1.0, 2.0, 3.0])
    with pytest.raises(ColumnsMissing):
        fitted().survival(table.drop(columns="price"), [1.0])


def test_leaving_in_the_month_of_entry_counts_and_never_seen_does_not():
    rows = exposure([0, 4, 3, 2], [0, 4, 5, 2], [1, 1, 0, 0])
    assert rows.duration.tolist() == [0.5, 4.5, 5, 2]
    assert rows.observed().tolist() == [0, 1, 2]


def test_beyond_the_data_the_hazard_stays_what_it_was_and_the_curve_says_so():
    row = company()[0].iloc[[0]]
    end = fitted().months_known(row)[0]
    assert end <= fitted().data_ends_at == max(fitted().data_ends_at_by_stratum.values())
    assert fitted().months_known(row, given=end + 5).tolist() == [0.0]
    later = -np.log(fitted().survival(row, [10.0, 20.0, 1000.0], given=end)[0])
    assert later == pytest.approx(later[0] * np.array([1.0, 2.0, 100.0]))
    assert later[0] > 0


def test_blocks_of_months_keep_the_number_of_events():
    events, risk = np.array([9.0, 0, 1, 2, 0, 3, 1, 0]), np.array([90.0, 80, 70, 60, 50, 40, 30, 20])
    hazard, _ = smoothed(events, risk, 5)
    assert (hazard * risk).sum() == pytest.approx(events.sum())
    assert hazard.tolist() == pytest.approx([0.1] + [7 / 350] * 7)


def test_the_band_holds_the_curve_and_widens_where_less_is_known():
    table = company()[0].head(30)
    low, high = fitted().band(table, MONTHS, given=6.0)
    curve = fitted().survival(table, MONTHS, given=6.0)
    assert ((low < curve) & (curve < high)).all()
    wide_low, wide_high = fitted().band(table, MONTHS, given=6.0, level=0.99)
    assert ((wide_low < low) & (high < wide_high)).all()
    few = TenureCurve().fit(company()[0].head(150), 0.0, company()[1][:150], company()[2][:150])
    few_low, few_high = few.band(table, MONTHS, given=6.0)
    assert (few_high - few_low).mean() > 1.5 * (high - low).mean()


@pytest.mark.slow
def test_the_band_holds_the_truth_about_as_often_as_it_says():
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        entry, duration, event = late_entries(rng, 300)
        table = pd.DataFrame({"noise": rng.normal(size=len(entry))})
        curve = TenureCurve().fit(table, entry, duration, event)
        low, high = curve.band(pd.DataFrame({"noise": [0.0]}), [12.0], 6.0)
        held.append(low[0, 0] < np.exp(-0.6) < high[0, 0])
    assert 0.78 <= np.mean(held) <= 0.99


@pytest.mark.parametrize("n", [1, 9, 60])
def test_curves_are_the_survival_the_band_and_the_months_known(n):
    table, given = company()[0].head(n), np.arange(float(n))
    both = fitted().curves(table, MONTHS, given, 0.8)
    low, high = fitted().band(table, MONTHS, given, 0.8)
    assert np.array_equal(both.staying, fitted().survival(table, MONTHS, given))
    assert np.array_equal([both.low, both.high], [low, high])
    assert np.array_equal(both.months_known, fitted().months_known(table, given))


@pytest.mark.parametrize("n", [1, 9, 60])
def test_plain_mappings_have_the_curves_of_the_frame(n):
    table = company()[0].head(n)
    frame, plain = fitted().curves(table, MONTHS, 6.0), fitted().curves(table.to_dict("records"), MONTHS, 6.0)
    for name in ("staying", "low", "high", "months_known"):
        assert np.array_equal(getattr(plain, name), getattr(frame, name))


def test_a_mapping_may_hold_more_than_the_columns_but_not_less():
    row = company()[0].iloc[0].to_dict()
    more = fitted().survival([row | {"shoe": 43}], MONTHS)
    assert np.array_equal(more, fitted().survival([row], MONTHS))
    assert fitted().survival([], MONTHS).shape == (0, len(MONTHS))
    del row["price"]
    with pytest.raises(ColumnsMissing, match="price"):
        fitted().months_known([row])


def test_fitting_twice_or_through_a_pickle_gives_the_same_curves():
    table, tenure, left = company()
    again = TenureCurve().fit(table, 0.0, tenure, left)
    stored = pickle.loads(pickle.dumps(fitted()))  # noqa: S301 - our own bytes
    for curve in (again, stored):
        assert np.array_equal(curve.survival(table, MONTHS), fitted().survival(table, MONTHS))


def test_large_tables_are_fitted_on_a_fixed_subsample():
    table, tenure, left = company()
    few = [TenureCurve(max_rows=150).fit(table[["plan"]], 0.0, tenure, left) for _ in range(2)]
    assert np.array_equal(few[0].survival(table, MONTHS), few[1].survival(table, MONTHS))
    assert few[0].months_known(table).max() <= tenure.max()


def test_late_entries_in_days_are_fitted_in_months():
    rng = np.random.default_rng(9)
    entry, stay = rng.uniform(0, 20, 2000), rng.exponential(20, 2000)
    kept = stay > entry
    table = pd.DataFrame({"x": rng.normal(size=2000)})[kept]
    curve = TenureCurve().fit(table, entry[kept], stay[kept], np.ones(kept.sum(), dtype=bool))
    assert curve.survival(table, [12.0], 6.0).mean() == pytest.approx(np.exp(-0.6), abs=0.04)


@settings(max_examples=60, deadline=None)
@cases(
    steps=st.lists(st.floats(1e-6, 0.5), min_size=3, max_size=24),
    risk=st.floats(0.0, 0.999),
    share=st.floats(0.01, 1.0),
)
def test_an_anchored_curve_meets_the_risk_at_the_horizon(steps, risk, share):
    curve = np.exp(-np.concatenate([[0.0], np.cumsum(steps)]))
    horizon = share * len(steps)
    got = anchor(curve, risk, horizon)
    log_at = np.interp(horizon, np.arange(len(curve)), np.log(np.maximum(got, 1e-300)))
    assert 1 - np.exp(log_at) == pytest.approx(risk, abs=1e-9)
    assert (np.diff(got) <= 0).all()
    assert got[0] == 1


def test_an_anchor_bends_each_row_by_its_own_power():
    curves = np.array([[1.0, 0.9, 0.8], [1.0, 0.9, 0.8]])
    got = anchor(curves, np.array([0.2, 0.36]), 2)
    assert got == pytest.approx(np.array([[1.0, 0.9, 0.8], [1.0, 0.81, 0.64]]))
    assert anchor(curves[:, 1:], np.array([0.2, 0.36]), 2) == pytest.approx(got[:, 1:])  # columns are months 1 and 2
    assert anchor(curves[:, 1:], np.array([0.2, 0.36]), 24, months=[12, 24]) == pytest.approx(got[:, 1:])


def test_a_flat_curve_is_anchored_with_a_constant_hazard():
    assert anchor(np.ones(4), 0.5, 3, months=[1, 2, 3, 6]) == pytest.approx([0.5 ** (1 / 3), 0.5 ** (2 / 3), 0.5, 0.25])


def test_an_anchor_outside_the_curve_or_at_a_sure_thing_is_refused():
    with pytest.raises(ValueError, match="outside the curve"):
        anchor(np.array([1.0, 0.9]), 0.1, 3)
    with pytest.raises(ValueError, match="below 1"):
        anchor(np.array([1.0, 0.9]), 1.0, 1)
