"""How a version did on customers it had not seen: discrimination, loss, profit, calibration, landmarks, the trial."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.language import mark, number, t
from churn.core.trends.rates import FEWEST, wilson
from churn.core.trust import charts_models as charts
from churn.trust import model_reports
from churn.trust.model_reports import Version
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading
from churn.ui.spend_table import number_column
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NOT_KEPT = mark("This version was trained before that was kept. The next training keeps it.")
BY_CHANCE = mark("A difference under one standard error is no win.")
ARMS = {"nothing": mark("nothing"), "less": mark("less"), "as meant": mark("as meant"), "more": mark("more")}
KEPT_APART = mark("kept apart")
EMPC = mark(
    "Expected maximum profit a customer (Verbraken et al. 2013): a customer kept is worth 200, an offer "
    "costs 10, a contact 1, an offer keeps Beta(6, 14) of the leavers. Compare models by it, not months."
)
DID = {
    "risk": mark("{n} customers not seen in training ({how}), {left} of them left."),
    "escalation": mark("{n} open contacts not seen in training ({how}), {left} of them handed upwards."),
}
WHO = {"escalation": mark("open contacts"), "why": mark("contacts, by the chance of what was named first")}
CUSTOMERS = mark("customers")


def show_judged(session: Session, connection: psycopg.Connection, shown: Version) -> None:
    """The figures of one version, as its kind is judged."""
    if shown.refusal:
        st.caption(t("A refusal has no figures."))
    elif shown.kind == "survival":
        _survival(session, shown)
    elif shown.kind == "effect":
        _effect(session, connection, shown)
    elif shown.kind == "why":
        _why(session, shown)
    else:
        _chances(session, shown)


def _chances(session: Session, shown: Version) -> None:
    """Risk and escalation: discrimination, loss, profit, calibration, lift."""
    of, held = shown.metrics, shown.held_out
    who = t(WHO.get(shown.kind, CUSTOMERS))
    auc = held.get("auc") or {}
    recalibrated = held.get("calibration") or {}
    with st.container(horizontal=True, gap="medium"):
        _figure(t("AUC"), of.get("auc"), 3, _between(auc, 3), t("Chance that a leaver is ranked above a stayer."))
        loss = _usual(of["log_loss_of_the_rate"]) if "log_loss_of_the_rate" in of else None
        _figure(t("Log loss"), of.get("log_loss"), 4, loss, t("Lower is better; the usual rate says the same to all."))
        brier = _usual(held["brier_of_the_rate"]) if held else None
        _figure(t("Brier"), of.get("brier"), 4, brier, t("Mean squared error of the chance."))
        _figure(t("Lift, top tenth"), of.get("lift_top_decile"), 1, None, t("Rate among the likeliest tenth over all."))
        named = {"low": recalibrated.get("slope_low"), "high": recalibrated.get("slope_high")}
        _figure(t("Slope"), recalibrated.get("slope"), 2, _between(named, 2), t("1 is right; below, too extreme."))
        named = {"low": recalibrated.get("intercept_low"), "high": recalibrated.get("intercept_high")}
        _figure(
            t("In the large"), recalibrated.get("intercept"), 2, _between(named, 2, is_signed=True),
            t("What must be added to the logit so that chances are right on average; 0 is right."), is_signed=True,
        )  # fmt: skip
        if shown.kind == "risk":
            share = t("contacts {share}", share=words.exact_percent(held["empc_share"], 0)) if held else None
            _figure(t("EMPC"), held.get("empc"), 3, share, t(EMPC))
    how = t(of.get("judged_on", KEPT_APART))
    told = t(DID.get(shown.kind, DID["risk"]), n=number(of.get("rows", 0)), how=how, left=number(of.get("left", 0)))
    intervals = t("Under a figure its 95 % interval: DeLong for AUC, Wald else.")
    st.caption(f"{told} {intervals} {_gain(held)}")
    _calibrated(session, shown, who)
    if held.get("lift"):
        tenths = pd.DataFrame(held["lift"])
        first = words.exact_percent(float(tenths["captured"].iloc[0]), 0)
        chart(
            charts.lift(tenths), key="lift",
            alt=t("The likeliest tenth holds {share} of those who left.", share=first),
        )  # fmt: skip
        st.caption(t("Gains on the same {who}; dashed: what picking by chance would find.", who=who))
        takeaway(session, "models", f"{shown.kind}-lift", tenths)
    elif not held:
        st.caption(t(NOT_KEPT))


def _figure(
    label: str, value: float | None, digits: int, more: str | None, why: str, *, is_signed: bool = False
) -> None:
    _metric(label, "–" if value is None else number(value, digits, is_signed=is_signed), more, why)


def _metric(label: str, shown: str, more: str | None, why: str) -> None:
    st.metric(label, shown, delta=more, delta_color="off", delta_arrow="off", help=why, width="content")


def _usual(loss: float) -> str:
    return t("usual rate {n}", n=number(loss, 4))


def _between(of: dict[str, Any], digits: int, *, is_signed: bool = False) -> str | None:
    if of.get("low") is None or of.get("high") is None:
        return None
    low, high = (number(of[end], digits, is_signed=is_signed) for end in ("low", "high"))
    return t("{low} to {high}", low=low, high=high)


def _gain(held: Any) -> str:
    if "log_loss_gain" not in held:
        return ""
    gain, error = held["log_loss_gain"], held["log_loss_gain_error"]
    told = t("Log loss gained on the usual rate: {gain}.", gain=number(gain, 4))
    if error:
        told = t(
            "Log loss gained on the usual rate: {gain}, {errors} standard errors.", gain=number(gain, 4),
            errors=number(gain / error, 1),
        )  # fmt: skip
    return f"{told} {t(BY_CHANCE)}"


def _calibrated(session: Session, shown: Version, who: str) -> None:
    bins = shown.metrics.get("calibration")
    heading(t("Calibration"), help=t("Ten groups of equal size by chance: what was predicted and what happened."))
    if not bins:
        st.caption(t(NOT_KEPT))
        return
    frame = pd.DataFrame(bins).rename(columns={"rows": "customers"})
    low, high = wilson(frame["rate"] * frame["customers"], frame["customers"])
    frame = frame.assign(low=low, high=high)
    first, last = frame.iloc[0], frame.iloc[-1]
    ends = {
        "low": words.exact_percent(first.chance), "low_rate": words.exact_percent(first.rate),
        "high": words.exact_percent(last.chance), "high_rate": words.exact_percent(last.rate),
    }  # fmt: skip
    chart(
        charts.calibration(frame), key="calibration",
        alt=t(
            "Predicted against happened: lowest group {low} and {low_rate}, highest {high} and {high_rate}.", **ends
        ),
    )  # fmt: skip
    st.caption(t("Held-out {who}; bars 95 % (Wilson). On the dashed line chances are right.", who=who))
    takeaway(session, "models", f"{shown.kind}-calibration", frame)


def _why(session: Session, shown: Version) -> None:
    of = shown.metrics
    with st.container(horizontal=True, gap="medium"):
        usual = t("the commonest {share}", share=words.exact_percent(of["usual_is_right"]))
        why = t("How often the likeliest reason was the reason.")
        _metric(t("First guess right"), _share(of.get("first_is_right")), usual, why)
        shares = t("usual shares {n}", n=number(of["log_loss_of_the_rate"], 4))
        _figure(t("Log loss"), of.get("log_loss"), 4, shares, t("Lower is better."))
    told = t("The newest {n} contacts, learned from older ones.", n=number(of.get("rows", 0)))
    st.caption(f"{told} {_gain(shown.held_out)}")
    _calibrated(session, shown, t(WHO["why"]))


def _share(held: float | None) -> str:
    return "–" if held is None else words.exact_percent(held)


def _survival(session: Session, shown: Version) -> None:
    of = shown.metrics
    with st.container(horizontal=True, gap="medium"):
        _figure(t("Customers"), of.get("rows"), 0, None, t("Learned from."))
        _figure(t("Left"), of.get("left"), 0, None, t("By choice, of these."))
        _figure(
            t("Data end at"), of.get("data_ends_at_months"), 0, t("months of tenure"),
            t("Beyond, a curve is an assumption."),
        )  # fmt: skip
    cells = [cell for cell in shown.held_out.get("landmarks", []) if cell["seen"] >= FEWEST]
    heading(
        t("Landmark calibration"),
        help=t("Of customers still here at a tenure: who was predicted to leave, who did."),
    )
    if not cells:
        st.caption(t(NOT_KEPT) if not shown.held_out else t("Too few customers were kept apart to judge any landmark."))
        return
    frame = pd.DataFrame(cells)
    frame["observed_to_predicted"] = frame["observed"] / frame["predicted"]
    inside = int(((frame["low"] <= frame["predicted"]) & (frame["predicted"] <= frame["high"])).sum())
    chart(
        charts.landmarks(frame), key="landmarks",
        alt=t("{n} of {all} landmarks predicted within 95 %.", n=inside, all=len(frame)),
    )  # fmt: skip
    show_table(
        frame[["landmark", "ahead", "seen", "left", "predicted", "observed", "low", "high", "observed_to_predicted"]],
        hide_index=True, alt=t("Predicted and observed risk after each landmark"),
        column_config={
            "landmark": st.column_config.NumberColumn(t("tenure, months")),
            "ahead": st.column_config.NumberColumn(t("months ahead")),
            "seen": st.column_config.NumberColumn(t("seen"), help=t("Customers still here at that tenure.")),
            "left": st.column_config.NumberColumn(t("left"), help=t("Measured: of these.")),
            **{
                name: st.column_config.NumberColumn(words.spoken(name), format="percent")
                for name in ("predicted", "observed", "low", "high")
            },
            "observed_to_predicted": number_column(t("observed / predicted"), 2),
        },
    )  # fmt: skip
    st.caption(
        t(
            "A quarter of the customers kept apart ({n}), by a curve learned from the rest. "
            "Both sides over the same customer-months, so late entry and censoring weigh on neither; 95 % intervals. "
            "{inside} of {all} predictions lie within theirs.",
            n=number(shown.held_out.get("rows", 0)),
            inside=inside,
            all=len(frame),
        )
    )
    takeaway(session, "models", "survival-landmarks", frame)


def _effect(session: Session, connection: psycopg.Connection, shown: Version) -> None:
    of, money = shown.metrics, session.company.currency
    with st.container(horizontal=True, gap="medium"):
        offers = t("{n} with an offer", n=number(of.get("offers", 0)))
        _figure(t("Calls"), of.get("calls"), 0, offers, t("Settled calls it learned from."))
        _figure(t("Drawn by lot"), of.get("randomised"), 0, None, t("Whose amount a trial chose."))
        _metric(t("Stayed"), _share(of.get("stayed")), None, t("Still here {days} days after.", days=WINDOW_DAYS))
        stands, alike = 100 * of.get("naive_difference", 0), 100 * of.get("adjusted_difference", 0)
        _figure(t("As it stands"), stands, 1, t("points"), t("Offered less not offered."), is_signed=True)
        why = t(
            "By the model, at {amount}. Not held out: nobody sees what the other amount would have done.",
            amount=words.money(of.get("typical_amount", 0), money),
        )
        _figure(t("All else alike"), alike, 1, t("points"), why, is_signed=True)
    heading(
        t("Measured on the trial"),
        help=t("Amounts drawn by lot around what was meant; calls weighted by their chance."),
    )
    found = model_reports.trial(connection)
    if found is None:
        st.info(
            t(
                "Nothing drawn by lot has settled yet: the nightly job measures calls once they are {days} days old.",
                days=WINDOW_DAYS,
            ),
            icon=":material/inbox:",
        )  # fmt: skip
        return
    frame = pd.DataFrame([asdict(arm) for arm in found.arms])
    frame["stayed"] = frame["stayed"].where(frame["calls"] >= FEWEST)  # a few calls are a few people
    show_table(
        frame.assign(arm=[t(ARMS.get(arm, arm)) for arm in frame["arm"]]), hide_index=True, placeholder="–",
        alt=t("Arms of the trial: calls, amount, share that stayed, lift"),
        column_config={
            "arm": t("arm"), "calls": t("calls"),
            "amount": number_column(t("mean amount, {currency}", currency=money), 2),
            "stayed": st.column_config.NumberColumn(words.spoken("stayed"), format="percent"),
            "needed": st.column_config.NumberColumn(t("calls needed")),
            **{
                name: st.column_config.NumberColumn(words.spoken(name), format="percent")
                for name in ("lift", "low", "high")
            },
        },
    )  # fmt: skip
    short = [arm for arm in found.arms if arm.calls < arm.needed]
    if short:
        told = ", ".join(t("{n} given {arm}", n=number(arm.calls), arm=t(ARMS.get(arm.arm, arm.arm))) for arm in short)
        st.info(
            t(
                "Not enough calls to say: an arm needs {n} to see a difference of 5 points four times in "
                "five; there are {told}.", n=number(short[0].needed), told=told,
            ), icon=":material/hourglass:",
        )  # fmt: skip
    st.caption(
        t(
            "Lift: share that stayed {days} days, less that of the arm given as meant; 95 %. As of {when}.",
            days=found.window_days,
            when=words.moment(found.as_of, session.company.time_zone),
        )
    )
    takeaway(session, "models", "trial-arms", frame)
