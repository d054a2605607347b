"""Who will leave: chances, reasons and refusals of the estimator."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone
from sklearn.metrics import log_loss

from churn.core.leaving.candidates import SplineLogistic, blend_weights, leftover, quantile_groups, signed_solution
from churn.core.leaving.risk import ChurnRisk
from churn.core.refusals import ColumnsMissing, LeakSuspected, NotEnoughData, leak_suspicions


def company(n_rows: int = 600, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A raw table, outcomes and the chances they were drawn from."""
    rng = np.random.default_rng(seed)
    months, price = rng.integers(0, 72, n_rows), rng.uniform(20, 120, n_rows)
    plan = rng.choice(["Monthly", "One year", "Two year"], n_rows, p=[0.5, 0.3, 0.2])
    area = rng.choice([f"{market}{i}" for market in ("SEA", "NYC", "DAL") for i in range(500, 512)], n_rows)
    z = -0.8 - 0.04 * months + 0.015 * price + 0.9 * (plan == "Monthly") + 0.6 * np.char.startswith(area, "SEA")
    frame = pd.DataFrame(
        {
            "plan": pd.Series(plan).where(rng.random(n_rows) > 0.05, None),
            "tenure": months,
            "price": [f"{value:.2f}" if rng.random() > 0.03 else " " for value in price],
            "area": area,
            "paperless": rng.choice(["Yes", "No"], n_rows),
            "autopay": rng.random(n_rows) > 0.5,
            "joined": pd.Timestamp("2024-01-01") - pd.to_timedelta(months * 30, unit="D"),
            "empty": None,
            "constant": "x",
            "key": [f"K{i * 7919}" for i in range(n_rows)],
        }
    )
    chance = expit(z)
    return frame, np.where(rng.random(n_rows) < chance, "Yes", "No"), chance


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return company()[0]


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> ChurnRisk:
    return ChurnRisk(monotone={"tenure": -1, "price": 1, "paperless": 1, "not here": 1}).fit(table, company()[1])


def test_chances_are_of_the_classes_given(model: ChurnRisk, table: pd.DataFrame) -> None:
    chances = model.predict_proba(table)
    assert model.classes_.tolist() == ["No", "Yes"]
    assert chances.shape == (600, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert set(model.predict(table)) == {"No", "Yes"}
    assert model.predict_proba(table.iloc[:0]).shape == (0, 2)


@pytest.mark.parametrize("kind", [int, bool, float])
def test_outcomes_may_be_numbers_or_truth_values(table: pd.DataFrame, model: ChurnRisk, kind: type) -> None:
    few = table[["tenure", "plan"]].head(200)
    outcome = company()[1][:200] == "Yes"
    same = ChurnRisk().fit(few, outcome.astype(kind)).predict_proba(few)
    np.testing.assert_array_equal(same, ChurnRisk().fit(few, np.where(outcome, "Yes", "No")).predict_proba(few))


def test_one_caller_gets_the_same_figure_as_everyone_scored_together(model: ChurnRisk, table: pd.DataFrame) -> None:
    rows = table.head(20)
    np.testing.assert_allclose(
        model.score_rows(rows.to_dict("records")), model.predict_proba(table)[:20, 1], rtol=1e-12
    )


def test_the_order_of_rows_and_columns_does_not_matter(model: ChurnRisk, table: pd.DataFrame) -> None:
    shuffled = table.sample(frac=1, random_state=0)
    chances = pd.Series(model.predict_proba(table)[:, 1], table.index)
    np.testing.assert_allclose(
        model.predict_proba(shuffled[sorted(shuffled)])[:, 1], chances[shuffled.index], rtol=1e-12
    )
    turned = clone(model).fit(table[table.columns[::-1]], company()[1])
    np.testing.assert_array_equal(turned.predict_proba(table)[:, 1], chances)


def test_the_same_seed_gives_the_same_model_and_a_pickle_keeps_it(model: ChurnRisk, table: pd.DataFrame) -> None:
    expected = model.predict_proba(table)
    np.testing.assert_array_equal(clone(model).fit(table, company()[1]).predict_proba(table), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(table), expected)  # noqa: S301


def test_a_model_fitted_like_another_keeps_what_that_one_chose_and_learns_from_its_own_rows(model: ChurnRisk) -> None:
    more, outcome, _ = company(1200, seed=2)
    like = ChurnRisk(monotone=model.monotone).fit(more, outcome, like=model)
    anew = ChurnRisk(monotone=model.monotone).fit(more, outcome)
    assert (like.weights_, like.rounds_, like.derived_) == (model.weights_, model.rounds_, model.derived_)
    assert like.intercept_ == model.intercept_ != anew.intercept_
    chances = [each.predict_proba(more)[:, 1] for each in (like, model, anew)]
    assert np.abs(chances[0] - chances[1]).max() > 0.01
    assert log_loss(outcome, chances[0]) == pytest.approx(log_loss(outcome, chances[2]), rel=0.05)


def test_rows_with_another_column_or_another_kind_of_column_have_everything_chosen_anew(model: ChurnRisk) -> None:
    more, outcome, _ = company(1200, seed=2)
    settings = {"monotone": model.monotone, "seed": model.seed}
    for other in (more.assign(visits=np.arange(1200) % 7), more.assign(constant=np.arange(1200) % 5)):
        like = ChurnRisk(**settings).fit(other, outcome, like=model)
        np.testing.assert_array_equal(
            like.predict_proba(other), ChurnRisk(**settings).fit(other, outcome).predict_proba(other)
        )


def test_a_copy_has_the_settings_and_nothing_learned() -> None:
    copy = clone(ChurnRisk(monotone={"tenure": -1}, seed=3, min_rows=50))
    assert copy.get_params() == {"monotone": {"tenure": -1}, "seed": 3, "min_rows": 50, "min_each": 20}
    assert not hasattr(copy, "classes_")


def test_the_table_is_left_as_it_was(model: ChurnRisk, table: pd.DataFrame) -> None:
    before = table.copy(deep=True)
    clone(model).fit(table, company()[1]).contributions(table.head(3))
    pd.testing.assert_frame_equal(table, before)


def test_levels_never_seen_and_gaps_are_scored(model: ChurnRisk, table: pd.DataFrame) -> None:
    odd = table.head(3).assign(plan="Ten year", area=["SEA999", "MOON", None], price=[None, "free", -5], tenure=np.nan)
    odd["joined"] = ["yesterday", None, pd.NaT]
    chances = model.predict_proba(odd)[:, 1]
    assert ((chances > 0) & (chances < 1)).all()
    nothing = pd.DataFrame([dict.fromkeys(table.columns)])
    assert 0 < model.predict_proba(nothing)[0, 1] < 1


def test_a_missing_column_is_refused_in_a_sentence(model: ChurnRisk, table: pd.DataFrame) -> None:
    with pytest.raises(ColumnsMissing, match=r"The model was trained on columns that are missing here: plan, tenure\."):
        model.predict_proba(table.drop(columns=["plan", "tenure"]))


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, 599))
def test_declared_signs_hold_for_every_row(model: ChurnRisk, table: pd.DataFrame, row: int) -> None:
    customer = pd.concat([table.iloc[[row]]] * 40, ignore_index=True)
    by_tenure = model.predict_proba(customer.assign(tenure=np.linspace(-5, 90, 40)))[:, 1]
    by_price = model.predict_proba(customer.assign(price=np.linspace(0, 200, 40)))[:, 1]
    by_flag = model.predict_proba(customer.head(2).assign(paperless=["No", "Yes"]))[:, 1]
    assert (np.diff(by_tenure) <= 1e-12).all()
    assert (np.diff(by_price) >= -1e-12).all()
    assert np.diff(by_flag)[0] >= -1e-12


def test_a_reason_is_what_the_same_model_says_with_that_column_at_its_usual_value(
    model: ChurnRisk, table: pd.DataFrame
) -> None:
    rows = table.head(4)
    given = model.contributions(rows)
    assert given.columns.tolist() == table.columns.tolist()
    for name in table.columns:
        usual = rows.assign(**{name: [model.usual_[name]] * 4})
        by_hand = model.predict_proba(rows)[:, 1] - model.predict_proba(usual)[:, 1]
        np.testing.assert_allclose(given[name], by_hand, atol=1e-12)
    chance, moved = model.reasons_of_row(rows.iloc[2].to_dict())
    assert chance == pytest.approx(model.predict_proba(rows)[2, 1], rel=1e-12)
    assert moved == pytest.approx(given.loc[2].to_dict(), abs=1e-12)


def test_reasons_of_derived_columns_follow_their_parts() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.uniform(0, 10, (3000, 3)), columns=["day_charge", "eve_charge", "night_charge"])
    y = rng.random(3000) < expit(6 * (frame.sum(axis=1).to_numpy() > 18) - 4)
    risk = ChurnRisk().fit(frame, y)
    assert risk.derived_[0] == "total of day_charge, eve_charge, night_charge"
    moved = risk.contributions(pd.DataFrame({"day_charge": [9.5], "eve_charge": [5.2], "night_charge": [5.2]}))
    assert moved.loc[0, "day_charge"] > 0.4


def test_chances_agree_with_the_rates_they_were_drawn_from() -> None:
    frame, y, _ = company(4000, seed=2)
    held, _, truth = company(4000, seed=3)
    chance = ChurnRisk().fit(frame, y).predict_proba(held)[:, 1]
    groups = np.array_split(np.argsort(chance), 10)
    assert max(abs(chance[g].mean() - truth[g].mean()) for g in groups) < 0.035
    assert abs(chance.mean() - truth.mean()) < 0.02


def test_without_enough_to_learn_from_it_says_how_much_is_missing(table: pd.DataFrame) -> None:
    y = np.zeros(600)
    y[:7] = 1
    sentence = "There are 600 rows and 7 of the rarer outcome; at least 100 rows and 20 of each outcome are needed."
    with pytest.raises(NotEnoughData, match=f"^{re.escape(sentence)}$"):
        ChurnRisk().fit(table, y)
    with pytest.raises(NotEnoughData, match="600 rows and 0 of the rarer"):
        ChurnRisk().fit(table, np.zeros(600))
    with pytest.raises(NotEnoughData, match="There are 50 rows"):
        ChurnRisk().fit(table.head(50), y[:50])


def test_outcomes_that_cannot_be_read_are_refused_in_a_sentence(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="600 rows but 5 outcomes"):
        ChurnRisk().fit(table, np.zeros(5))
    with pytest.raises(ValueError, match="has 3 values"):
        ChurnRisk().fit(table, np.arange(600) % 3)
    with pytest.raises(ValueError, match="missing in 1 rows"):
        ChurnRisk().fit(table, [None, *["Yes"] * 599])
    with pytest.raises(TypeError, match="data frame with named columns"):
        ChurnRisk().fit(table.to_numpy(), np.zeros(600))


def test_a_table_without_any_information_gives_the_base_rate() -> None:
    frame = pd.DataFrame({"empty": [None] * 200, "constant": "x"})
    risk = ChurnRisk().fit(frame, np.arange(200) % 4 == 0)
    np.testing.assert_allclose(risk.predict_proba(frame)[:, 1], 0.25, atol=0.01)
    assert risk.contributions(frame).to_numpy().max() == 0


def test_a_copy_of_the_outcome_is_suspected_but_not_refused_by_the_estimator(table: pd.DataFrame) -> None:
    y = company()[1]
    few = table[["tenure", "plan"]].assign(**{"Left on": pd.Series(y).map({"Yes": "2024-05-01", "No": None})})
    suspicions = ChurnRisk().fit(few, y).suspicions_
    assert suspicions[0].startswith("The column Left on gives the outcome away by itself")
    assert "AUC of 1.000" in suspicions[-1]
    assert str(LeakSuspected(suspicions)) == " ".join(suspicions)


def test_honest_data_raise_no_suspicion(model: ChurnRisk) -> None:
    assert model.suspicions_ == []


def test_a_score_among_the_columns_is_asked_about_and_a_credit_score_is_not() -> None:
    words = {"Churn Score": {"churn", "score"}, "CreditScore": {"credit", "score"}, "tenure": {"tenure"}}
    asked = leak_suspicions(0.85, {"Churn Score": 0.8, "CreditScore": 0.53, "tenure": 0.7}, words)
    assert asked == ["The column Churn Score is named like a model's score (AUC alone 0.80): what is it made from?"]


def test_one_column_that_gives_nearly_everything_is_asked_about() -> None:
    alone = {"a": 0.84, "b": 0.6, "c": 0.6, "d": 0.5, "e": 0.5}
    asked = leak_suspicions(0.86, alone, {name: set() for name in alone})
    assert asked == ["The column a alone gives nearly all there is (AUC 0.84 of 0.86): is it known before?"]


def test_a_customer_seen_at_several_dates_is_not_learned_by_heart() -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(150), 4)
    frame, y = pd.DataFrame({"size": rng.random(150)[ids], "spend": rng.random(150)[ids]}), rng.random(150)[ids] > 0.5
    assert ChurnRisk().fit(frame, y).inner_auc_ > 0.85
    assert ChurnRisk().fit(frame, y, groups=ids).inner_auc_ < 0.65


def test_progress_runs_from_start_to_done(table: pd.DataFrame) -> None:
    told: list[tuple[float, str]] = []
    ChurnRisk().fit(
        table[["tenure"]].head(200), company()[1][:200], progress=lambda share, what: told.append((share, what))
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert told[-1] == (1.0, "done")


def test_the_spline_finds_a_curve_and_keeps_a_sign_against_the_data() -> None:
    x = np.linspace(0, 1, 8000)[:, None]
    truth = 3 * np.sin(3 * x[:, 0])
    y = (np.random.default_rng(0).random(8000) < expit(truth)).astype(float)
    free = SplineLogistic(signs=np.array([0]), penalty=1.0).fit(x, y)
    assert np.abs(expit(free.logits(x)) - expit(truth)).mean() < 0.02
    rising = SplineLogistic(signs=np.array([1]), penalty=1.0).fit(x, y)
    assert (np.diff(rising.logits(x)) >= -1e-12).all()


def test_signed_least_squares_stop_at_zero() -> None:
    curve = np.eye(2)
    assert signed_solution(curve, np.array([2.0, -3.0]), np.array([0, 0])).tolist() == [2.0, -3.0]
    np.testing.assert_allclose(signed_solution(curve, np.array([2.0, -3.0]), np.array([-1, -1])), [0.0, -3.0])


def test_a_blend_leaves_out_weak_members_and_corrects_overconfidence() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, 5000)
    y = (rng.random(5000) < expit(z)).astype(float)
    weights, intercept = blend_weights(np.column_stack([2 * z + 1, rng.normal(0, 1, 5000)]), y)
    assert weights[1] == 0
    np.testing.assert_allclose([weights[0], intercept], [0.5, -0.5], atol=0.06)


def test_leftovers_of_a_right_model_are_chance_and_of_a_wrong_one_are_not() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 4000)
    y, which = rng.random(4000) < expit(x), quantile_groups(x)
    right, wrong = expit(x), np.full(4000, y.mean())
    assert leftover(which, y - right, right * (1 - right)) < 3
    assert leftover(which, y - wrong, wrong * (1 - wrong)) > 30
