"""The simulated company: what must hold of its tables before anybody looks at them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import phonenumbers
import psycopg
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churn import db
from churn.settings import Settings
from churn.simulation import Company, NotEmpty, NotSimulated, simulate, write_company
from churn.simulation.callers import KINDS
from churn.simulation.company import UNTIL
from churn.simulation.truth import p_stay_of

N = 2_000
LAST_DAY = date(2026, 11, 14)


@pytest.fixture(scope="module")
def company():
    return simulate(customers=N, seed=3)


@pytest.fixture(scope="module")
def tables(company) -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in company.tables().items()}


@pytest.fixture(scope="module")
def lives(tables) -> pd.DataFrame:
    """One row per customer: the first day, the last (NaT while here) and the reason of the end."""
    subs = tables["feed.subscriptions"]
    ends = subs.sort_values(["ended_on", "started_on"], na_position="last").groupby("customer_id").tail(1)
    frame = pd.DataFrame(
        {
            "joined": pd.to_datetime(subs.groupby("customer_id").started_on.min()),
            "ended": pd.to_datetime(ends.set_index("customer_id").ended_on),
            "reason": ends.set_index("customer_id").end_reason,
        }
    )
    return frame.reindex(tables["feed.customers"].customer_id)


# the same again -------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(company):
    again = simulate(customers=N, seed=3).tables()
    assert all(table.equals(again[name]) for name, table in company.tables().items())


def test_another_seed_gives_another_company(company):
    other = simulate(customers=N, seed=4).tables()
    assert not company.tables()["feed.customers"].equals(other["feed.customers"])


def _in_parts(customers: int, size: int) -> Company:
    return replace(simulate(customers=1, months=3), customers=customers, part_size=size, _kept={})


def test_a_part_is_the_same_whatever_the_size_of_the_company():
    small, large = _in_parts(300, 300), _in_parts(900, 300)
    assert all(t.equals(large.part(0).tables[name]) for name, t in small.part(0).tables.items())
    assert large.frame("feed.contacts").contact_id.is_unique
    assert large.frame("desk.staff").staff_id.is_unique


def test_parts_made_by_another_process_are_the_same():
    company = _in_parts(250, 50)
    ahead = list(company.parts(ahead=1))
    assert [part.number for part in ahead] == [0, 1, 2, 3, 4]
    for here, there in zip(company.parts(), ahead, strict=True):
        assert all(t.equals(there.tables[name]) for name, t in here.tables.items())


def test_nonsense_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="at least one customer"):
        simulate(customers=0)
    with pytest.raises(ValueError, match="time zone"):
        simulate(customers=10, until=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


# the contract ---------------------------------------------------------------------------------------------------------


def test_keys_are_unique_and_references_lead_somewhere(tables):
    for name, key in (
        ("feed.customers", "customer_id"), ("feed.subscriptions", "subscription_id"), ("feed.invoices", "invoice_id"),
        ("feed.contacts", "contact_id"), ("feed.concessions", "concession_id"), ("feed.change_events", "event_id"),
        ("desk.staff", "staff_id"),
    ):  # fmt: skip
        assert tables[name][key].is_unique, name
    assert not tables["feed.usage"].duplicated(["customer_id", "month", "measure"]).any()
    known = set(tables["feed.customers"].customer_id)
    for name in ("feed.subscriptions", "feed.invoices", "feed.usage", "feed.contacts", "feed.concessions"):
        assert set(tables[name].customer_id.dropna()) <= known, name
    assert set(tables["feed.concessions"].contact_id) <= set(tables["feed.contacts"].contact_id)
    assert set(tables["feed.contacts"].agent_id.dropna()) <= set(tables["desk.staff"].staff_id)


def test_nothing_is_dated_after_the_data_ends(tables):
    for name, columns in {
        "feed.customers": ["joined_on"], "feed.subscriptions": ["started_on", "ended_on"],
        "feed.invoices": ["issued_on", "paid_on"], "feed.usage": ["month"],
    }.items():  # fmt: skip
        for column in columns:
            assert tables[name][column].dropna().max() <= LAST_DAY, (name, column)
    for name, column in (
        ("feed.contacts", "started_at"), ("feed.contacts", "ended_at"), ("feed.concessions", "given_at"),
        ("truth.events", "starts_at"), ("truth.calls", "called_at"),
    ):  # fmt: skip
        assert tables[name][column].max() <= UNTIL, (name, column)


def test_each_subscription_ends_after_its_start_and_a_reason_comes_only_with_an_end(tables):
    subs = tables["feed.subscriptions"]
    ended = subs.ended_on.notna()
    assert (subs.ended_on[ended] >= subs.started_on[ended]).all()
    assert subs.end_reason[~ended].isna().all()
    termed = subs.term_ends_on.notna()
    assert (subs.term_ends_on[termed] >= subs.started_on[termed]).all()
    assert (subs.monthly_price > 0).all()
    assert (subs.monthly_margin < subs.monthly_price).all()


def test_a_change_of_plan_or_price_leaves_no_gap_and_no_reason(tables):
    subs = tables["feed.subscriptions"].sort_values(["customer_id", "product", "started_on"])
    following = subs.groupby(["customer_id", "product"]).started_on.shift(-1)
    changed = subs.ended_on.notna() & subs.end_reason.isna()
    assert changed.sum() > N / 2
    assert (following[changed] == subs.ended_on[changed]).all()


def test_all_lines_of_a_leaver_end_on_one_day_for_one_reason(tables, lives):
    subs = tables["feed.subscriptions"].merge(lives.reset_index(), on="customer_id")
    last = subs[subs.ended.notna() & (pd.to_datetime(subs.ended_on) == subs.ended) & subs.end_reason.notna()]
    assert (last.end_reason == last.reason).all()
    assert lives.reason[lives.ended.notna()].notna().all()


def test_everyone_joined_when_their_first_subscription_began(tables, lives):
    assert (pd.to_datetime(tables["feed.customers"].joined_on.to_numpy()) == lives.joined.to_numpy()).all()
    assert lives.joined.min() < pd.Timestamp("2017-01-01")


def test_each_invoice_lies_within_a_life_and_is_mostly_paid(tables, lives):
    bills = tables["feed.invoices"].merge(lives.reset_index(), on="customer_id")
    issued = pd.to_datetime(bills.issued_on)
    assert (issued >= bills.joined).all()
    assert (bills.ended.isna() | (issued < bills.ended)).all()
    assert (bills.amount >= 0).all()
    due = bills[pd.to_datetime(bills.due_on) < pd.Timestamp("2026-10-01")]
    assert 0.95 < due.paid_on.notna().mean() < 0.999
    assert 0.02 < (pd.to_datetime(due.paid_on) > pd.to_datetime(due.due_on)).mean() < 0.25


def test_contacts_lie_within_a_life_but_for_a_few_who_ring_again(tables, lives):
    contacts = tables["feed.contacts"].merge(lives.reset_index(), on="customer_id")
    day = contacts.started_at.dt.tz_convert("Europe/London").dt.tz_localize(None).dt.normalize()
    assert (day >= contacts.joined).all()
    after = (day > contacts.ended).mean()
    assert 0 < after < 0.02
    assert 0.005 < tables["feed.contacts"].customer_id.isna().mean() < 0.03


def test_lines_are_open_in_local_hours_summer_and_winter(tables):
    local = tables["feed.contacts"].started_at.dt.tz_convert("Europe/London")
    assert local.dt.hour.min() >= 7
    assert local.dt.hour.max() <= 22
    by_month = local.dt.hour.groupby(local.dt.month).mean()
    assert by_month.max() - by_month.min() < 0.4
    assert (local.dt.month.eq(12) & local.dt.day.eq(25)).sum() == 0
    week = local.dt.dayofweek.value_counts()
    assert week[0] > 2 * week[6]


def test_numbers_are_fictional_and_some_are_missing_or_shared(tables):
    phones = tables["feed.customers"].phone
    assert 0.01 < phones.isna().mean() < 0.08
    assert phones.dropna().duplicated().any()
    valid = [phonenumbers.is_valid_number(phonenumbers.parse(p)) for p in phones.dropna()]
    assert np.mean(valid) > 0.97
    assert phones.dropna().str.startswith("+447700900").any()


def test_attributes_are_flat_typed_objects_with_gaps(tables):
    rows = pd.json_normalize(tables["feed.customers"].attributes.map(pd.io.json.ujson_loads))
    assert rows.shape[1] >= 12
    assert rows.payment_method.notna().all()
    assert rows.favourite_store.isna().any()
    assert rows.household_size.dtype == float


def test_usage_moves_with_the_season_and_only_whole_months_count(tables):
    usage = tables["feed.usage"]
    assert usage.month.map(lambda d: d.day).eq(1).all()
    assert usage.month.max() == date(2026, 10, 1)
    gb = usage[usage.measure == "gb"]
    mean = gb.groupby(gb.month.map(lambda d: d.month)).quantity.mean()
    assert mean[1] > mean[7]


def test_notes_are_varied_and_never_name_a_kind(tables):
    notes = tables["feed.contacts"].notes
    assert 0.03 < notes.isna().mean() < 0.2
    written = notes[tables["feed.contacts"].direction == "in"].dropna()
    assert written.nunique() > 0.7 * len(written)
    assert not written.str.contains("|".join(KINDS)).any()


# the mechanism --------------------------------------------------------------------------------------------------------


def _monthly(lives: pd.DataFrame, reason: str) -> np.ndarray:
    rates = []
    for month in pd.date_range("2024-11-01", "2026-10-01", freq="MS"):
        here = (lives.joined < month) & ~(lives.ended < month)
        gone = here & (lives.ended < month + pd.offsets.MonthBegin()) & (lives.reason == reason)
        rates.append(gone.sum() / here.sum())
    return np.array(rates)


def test_churn_is_a_real_operators(lives):
    assert 0.012 < _monthly(lives, "voluntary").mean() < 0.021
    assert 0.0005 < _monthly(lives, "involuntary").mean() < 0.004
    assert 0.001 < _monthly(lives, "move").mean() < 0.005


def test_people_leave_less_within_a_term_and_most_when_it_ends():
    company = simulate(customers=6_000, seed=5)
    subs = company.frame("feed.subscriptions")
    subs = subs[subs["product"] == "broadband"]
    left = subs.end_reason == "voluntary"
    stop = pd.to_datetime(subs.ended_on).fillna(pd.Timestamp(LAST_DAY))
    begin = pd.to_datetime(subs.started_on).clip(lower=pd.Timestamp("2024-11-01"))
    term = pd.to_datetime(subs.term_ends_on)
    free = term.isna()
    bound_days = ((np.minimum(stop, term - pd.Timedelta(days=60)) - begin).dt.days.clip(lower=0))[~free].sum()
    bound_left = (left & (stop < term - pd.Timedelta(days=60)) & (stop > begin)).sum()
    near = (stop - term).dt.days.between(-59, 60)
    near_days = (np.minimum(stop, term + pd.Timedelta(days=60)) - np.maximum(begin, term - pd.Timedelta(days=60))).dt
    bound = bound_left / bound_days
    assert (left & near).sum() / near_days.days.clip(lower=0)[~free].sum() > 2.0 * bound
    assert (left & free & (stop > begin)).sum() / (stop - begin).dt.days.clip(lower=0)[free].sum() > 1.5 * bound


def test_who_leaves_can_be_learned_from_simple_facts_but_not_trivially():
    tables = {name: t.to_pandas() for name, t in simulate(customers=6_000, seed=6).tables().items()}
    past, future = _facts(tables, "2025-12-01"), _facts(tables, "2026-06-01")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(past.drop(columns="left"), past.left)
    auc = roc_auc_score(future.left, model.predict_proba(future.drop(columns="left"))[:, 1])
    assert 0.70 < auc < 0.88


def _facts(tables: dict[str, pd.DataFrame], day: str) -> pd.DataFrame:
    """A few plain facts as of a day, and whether they left of their own will within 90 days."""
    at = pd.Timestamp(day)
    subs = tables["feed.subscriptions"].copy()
    for column in ("started_on", "ended_on", "term_ends_on"):
        subs[column] = pd.to_datetime(subs[column])
    live = subs[(subs.started_on < at) & ~(subs.ended_on < at)].sort_values("product")
    of = live.groupby("customer_id")
    left_in = (of.term_ends_on.first() - at).dt.days.fillna(-400)
    contacts = tables["feed.contacts"]
    age = (pd.Timestamp(day, tz="UTC") - contacts.started_at).dt.days
    recent = contacts[(age >= 0) & (age < 90)].groupby("customer_id")
    tenure = at - pd.to_datetime(tables["feed.customers"].set_index("customer_id").joined_on)
    frame = pd.DataFrame(
        {
            "lines": of.size(),
            "left_in": left_in.clip(-400, 700),
            "bound": left_in > 45,
            "near": left_in.between(-60, 45),
            "price": of.monthly_price.sum(),
            "tenure": np.log1p(tenure.dt.days.reindex(of.size().index).clip(lower=0)),
            "contacts": recent.size().reindex(of.size().index).fillna(0),
            "cancel": recent.reason.agg(lambda r: (r == "cancel").any()).reindex(of.size().index).eq(True),
        }
    )
    horizon = (subs.ended_on >= at) & (subs.ended_on < at + pd.Timedelta(days=90)) & (subs.end_reason == "voluntary")
    still = subs[subs.ended_on.isna() | (subs.ended_on >= at + pd.Timedelta(days=90))].customer_id
    frame["left"] = frame.index.isin(subs.customer_id[horizon]) & ~frame.index.isin(still)
    return frame.astype(float)


def test_what_the_log_says_of_concessions_is_confounded():
    calls = pd.concat([simulate(customers=6_000, seed=s).frame("truth.calls") for s in (7, 8)])
    given = calls.amount > 0
    naive = calls.stayed[given].mean() - calls.stayed[~given].mean()
    true = (calls.p_stay_with - calls.p_stay_without)[given].mean()
    assert true > 0.06
    assert naive < 0.6 * true
    assert calls.seriousness.corr(calls.intended_amount) > 0.25


def test_what_was_recorded_of_each_call_is_what_happened(tables):
    calls = tables["truth.calls"]
    assert len(calls) > N / 5
    assert abs(calls.stayed.mean() - calls.p_stay_with.mean()) < 4 * np.sqrt(0.25 / len(calls))
    dog = calls.kind == "sleeping_dog"
    assert (calls.p_stay_20[dog] < calls.p_stay_without[dog]).mean() > 0.9
    assert (calls.p_stay_80 >= calls.p_stay_20 - 1e-12).all()
    assert (calls.amount <= calls.cap).all()
    given = calls[calls.amount > 0].merge(tables["feed.concessions"], on="contact_id")
    assert len(given) == (calls.amount > 0).sum()
    assert np.allclose(given.amount_x, given.amount_y)
    asked = tables["feed.contacts"].set_index("contact_id").loc[calls.contact_id]
    assert (asked.queue == "retention").all()
    assert asked.reason.isin(["cancel", "price", "complaint"]).all()


def test_the_true_curve_of_each_call_can_be_asked_at_any_amount(company, tables):
    curves, calls = tables["truth.curves"], tables["truth.calls"]
    assert (curves.contact_id == calls.contact_id).all()
    p = p_stay_of(curves, [0.0, 20.0, 80.0])
    assert np.allclose(p, calls[["p_stay_without", "p_stay_20", "p_stay_80"]])
    assert np.allclose(p_stay_of(curves, calls.amount.to_numpy()[:, None])[:, 0], calls.p_stay_with)


def test_those_who_stayed_are_still_there_after_ninety_days_and_the_others_are_not(tables, lives):
    calls = tables["truth.calls"].merge(lives.reset_index(), on="customer_id")
    called = calls.called_at.dt.tz_localize(None).dt.normalize()
    over = called + pd.Timedelta(days=90)
    seen = over <= pd.Timestamp(LAST_DAY)
    quit_soon = (calls.ended <= over) & (calls.reason == "voluntary")
    assert not quit_soon[seen & calls.stayed].any()
    other = (calls.ended <= over) & (calls.reason != "voluntary")
    assert (quit_soon | other)[seen & ~calls.stayed].all()


def test_a_small_share_of_calls_is_in_a_trial_and_its_zero_amounts_are_logged_too(tables):
    calls, given = tables["truth.calls"], tables["feed.concessions"]
    assert 0.02 < calls.propensity.notna().mean() < 0.09
    trial = given[given.propensity.notna()]
    assert len(trial) == calls.propensity.notna().sum()
    assert trial.intended_amount.notna().all()
    assert trial.propensity.between(1 / 3 - 1e-9, 1).all()


def test_calls_money_was_meant_for_are_logged_with_what_was_meant_when_the_money_was_gone(tables):
    calls, given = tables["truth.calls"], tables["feed.concessions"]
    gone = calls[(calls.amount == 0) & (calls.intended_amount > 0)]
    assert len(gone) > 0.03 * len(calls)
    found = gone.merge(given, on="contact_id", validate="one_to_one")
    assert len(found) == len(gone)
    assert (found.amount_y == 0).all()
    assert np.allclose(found.intended_amount_x, found.intended_amount_y)
    nothing = given[given.amount == 0]
    assert ((nothing.intended_amount > 0) | nothing.propensity.notna()).all()


def test_no_team_spends_more_than_its_month_holds(tables):
    calls, money = tables["truth.calls"], tables["truth.budgets"]
    kept = calls[calls.stayed].assign(month=calls.called_at.dt.tz_convert("Europe/London").dt.strftime("%Y-%m"))
    spent = kept.groupby(["team", "month"]).amount.sum()
    assert spent.max() <= money.amount.max()


def test_another_policy_meets_the_same_people_with_the_same_chances():
    seen: list[int] = []

    def nothing(calls):
        seen.append(len(calls["monthly_bill"]))
        assert {"tenure_months", "agent_id", "intended_amount", "worth"} <= set(calls)
        assert not {"kind", "seriousness", "p_stay"} & set(calls)
        return np.zeros(len(calls["monthly_bill"]))

    habit, policy = simulate(customers=N, seed=3), simulate(customers=N, seed=3, decide=nothing)
    assert habit.tables()["feed.customers"].equals(policy.tables()["feed.customers"])
    a, b = habit.frame("truth.calls"), policy.frame("truth.calls")
    assert sum(seen) >= len(b)
    assert b.amount.eq(0).all()
    both = a.merge(b, on=["customer_id", "called_at"])
    assert len(both) > 0.9 * len(a)
    assert (both.amount_y == 0).all()
    same = both[both.amount_x == 0]
    assert (same.stayed_x == same.stayed_y).mean() > 0.98
    assert a.stayed.mean() > b.stayed.mean()


# what was planted -----------------------------------------------------------------------------------------------------


def test_every_planted_cause_is_recorded_with_the_contacts_it_brought(tables):
    events, causes = tables["truth.events"].set_index("event_id"), tables["truth.contact_causes"]
    assert (events.extra_contacts == causes.event_id.value_counts().reindex(events.index).fillna(0)).all()
    begun = tables["feed.change_events"].starts_at < UNTIL
    assert set(events[events.is_announced].index) == set(tables["feed.change_events"].event_id[begun])
    assert (events[~events.is_announced].kind == "burst").all()
    assert len(events[~events.is_announced]) >= 5
    direct = events.extra_contacts - events.extra_repeats
    assert abs(direct.sum() - events.expected_extra.sum()) < 5 * np.sqrt(events.expected_extra.sum()) + 10
    told = tables["feed.contacts"].merge(causes, on="contact_id").merge(events.reset_index(), on="event_id")
    day = told.started_at.dt.tz_convert("Europe/London").dt.date
    first = ~told.is_repeat
    assert (day[first] >= told.effect_from[first]).all()
    assert (day[first] <= told.effect_until[first] + timedelta(days=1)).all()
    same = told.reason_x.isna() | (told.reason_x == told.reason_y)
    assert same.all()


def test_there_are_enough_quiet_days_and_every_kind_of_event(tables):
    assert tables["truth.days"].is_quiet.sum() >= 100
    kinds = set(tables["feed.change_events"].kind)
    assert {"bill_run", "price_rise", "campaign", "release", "outage"} <= kinds
    assert (tables["feed.change_events"].audience_size > 0).mean() > 0.9


def test_what_other_departments_plan_is_announced_before_it_happens(tables):
    planned = tables["feed.change_events"][tables["feed.change_events"].starts_at >= UNTIL]
    assert {"campaign", "release", "price_rise", "bill_run"} <= set(planned.kind)
    assert (planned.audience_size > 0).all()
    assert (planned.starts_at < UNTIL + timedelta(days=70)).all()


def test_one_agent_is_better_and_one_only_gets_easier_calls():
    company = simulate(customers=12_000, seed=1)
    calls, agents = company.frame("truth.calls"), company.frame("truth.agents").set_index("agent_id")
    better, lucky = agents.index[agents.role == "better"][0], agents.index[agents.role == "lucky"][0]
    rate = calls.groupby("agent_id").stayed.mean()
    assert rate[better] > rate.quantile(0.85)
    assert rate[lucky] > rate.quantile(0.95)
    assert agents.talent[better] == agents.talent.max()
    assert agents.talent[lucky] == 0


def test_the_desk_has_its_people(tables):
    roles = tables["desk.staff"].role.value_counts()
    assert roles["agent"] == 40
    assert roles["supervisor"] == 4
    assert {"leader", "finance", "analyst", "administrator"} <= set(roles.index)
    assert tables["desk.staff"].team.dropna().nunique() == 4
    assert tables["desk.staff"].name.is_unique


def test_nothing_hidden_is_in_the_feed(tables):
    hidden = {
        "kind", "seriousness", "frailty", "talkativeness", "line_quality", "leave_reason", "p_stay_with",
        "p_stay_without", "talent", "leniency", "hearing", "is_repeat", "extra_contacts",
    }  # fmt: skip
    for name, table in tables.items():
        if name.startswith(("feed.", "desk.")):
            assert not (hidden - {"kind"} if name == "feed.change_events" else hidden) & set(table.columns), name
    attributes = " ".join(tables["feed.customers"].attributes.head(200))
    assert not any(word in attributes for word in (*hidden, *KINDS))


def test_an_outcome_is_not_told_before_it_happens(tables):
    """What a retention contact's row says of its resolution must not foretell who leaves weeks later."""
    told = tables["truth.calls"].merge(tables["feed.contacts"], on="contact_id")
    late = told[told.stayed | ((pd.to_datetime(told.leaves_on) - pd.to_datetime(told.called_at.dt.date)).dt.days > 14)]
    resolved = late.groupby("stayed").is_resolved.apply(lambda r: r.eq(True).mean())
    assert abs(resolved[True] - resolved[False]) < 0.12
    assert not late.notes.dropna().str.contains("cancellation processed|notice given").any()


# into the database ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    return simulate(customers=200, months=6, seed=2)


def test_the_jobs_role_writes_everything_in_one_go_and_cannot_read_the_truth(batch: psycopg.Connection, small):
    said: list[str] = []
    counts = write_company(batch, small, progress=lambda what, _done, _total: said.append(what))
    for name in ("customers", "subscriptions", "invoices", "contacts", "usage", "change_events", "concessions"):
        held = batch.execute(f"SELECT count(*) FROM feed.{name}").fetchone()  # noqa: S608 - a name from the line above
        assert held == (counts[f"feed.{name}"],)
        assert counts[f"feed.{name}"] > 0
    who = batch.execute("SELECT source, time_zone, phone_region, currency, data_until FROM desk.company").fetchone()
    assert who == ("simulated", "Europe/London", "GB", "GBP", UNTIL)
    assert any("contacts" in what for what in said)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        batch.execute("SELECT 1 FROM truth.customers")


def test_what_is_in_the_database_is_what_was_generated(database: Settings, small):
    with psycopg.connect(db.admin_conninfo(database)) as owner:
        write_company(owner, small)
        paid = owner.execute("SELECT sum(amount), count(paid_on), min(issued_on) FROM feed.invoices").fetchone()
        bills = small.frame("feed.invoices")
        assert paid is not None
        assert float(paid[0]) == pytest.approx(bills.amount.sum(), abs=0.005)
        assert paid[1:] == (bills.paid_on.notna().sum(), bills.issued_on.min())
        note = owner.execute("SELECT contact_id, notes, started_at FROM feed.contacts ORDER BY 1 LIMIT 1").fetchone()
        first = small.frame("feed.contacts").iloc[0]
        assert note == (first.contact_id, first.notes, first.started_at.to_pydatetime())
        kinds = owner.execute("SELECT count(*) FROM truth.customers").fetchone()
        assert kinds == (200,)
        years = owner.execute("SELECT count(*) FROM feed.customers WHERE attributes ? 'payment_method'").fetchone()
        assert years == (200,)


def test_a_company_that_is_not_simulated_is_never_overwritten(batch: psycopg.Connection, small):
    batch.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
        "VALUES ('Real Ltd', 'Europe/London', 'GB', 'GBP', 'files')"
    )
    with pytest.raises(NotSimulated, match="Real Ltd"):
        write_company(batch, small, replace=True)
    assert batch.execute("SELECT name FROM desk.company").fetchone() == ("Real Ltd",)


def test_a_filled_database_is_replaced_only_when_asked(batch: psycopg.Connection, small):
    write_company(batch, small)
    with pytest.raises(NotEmpty, match="--replace"):
        write_company(batch, small)
    again = write_company(batch, simulate(customers=50, months=2, seed=9), replace=True)
    assert batch.execute("SELECT count(*) FROM feed.customers").fetchone() == (50,)
    assert again["feed.customers"] == 50


def test_a_write_that_fails_leaves_nothing(batch: psycopg.Connection, small):
    def stop(what: str, _done: int, _total: int) -> None:
        if "contacts" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_company(batch, small, progress=stop)
    assert batch.execute("SELECT count(*) FROM feed.customers").fetchone() == (0,)
    assert batch.execute("SELECT count(*) FROM desk.company").fetchone() == (0,)


def test_until_may_be_any_aware_instant():
    company = simulate(customers=60, months=2, until=datetime(2025, 4, 10, 15, tzinfo=UTC))
    assert company.frame("feed.contacts").started_at.max() < pd.Timestamp("2025-04-10", tz="Europe/London")
    assert company.frame("feed.invoices").issued_on.max() == date(2025, 4, 4)
