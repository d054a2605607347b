"""How a version did on customers it had not seen: discrimination, loss, profit, calibration, landmarks, the trial."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import model_reports
from churn.core import charts_models as charts
from churn.core import words
from churn.core.rates import FEWEST, wilson
from churn.model_reports import Version
from churn.ui.gate import Session
from churn.ui.pieces import heading
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NOT_KEPT = "This version was trained before that was kept. The next training keeps it."
BY_CHANCE = "A difference under one standard error is no win."
DID = {"escalation": "handed upwards"}
WHO = {"escalation": "open contacts", "why": "contacts"}


def show_judged(session: Session, connection: psycopg.Connection, shown: Version) -> None:
    """The figures of one version, as its kind is judged."""
    if shown.refusal:
        st.caption("A refusal has no figures.")
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
    who = WHO.get(shown.kind, "customers")
    auc = held.get("auc") or {}
    recalibrated = held.get("calibration") or {}
    with st.container(horizontal=True, gap="medium"):
        _figure("AUC", of.get("auc"), ".3f", _between(auc, ".3f"), "Chance that a leaver is ranked above a stayer.")
        loss = f"usual rate {of['log_loss_of_the_rate']:.4f}" if "log_loss_of_the_rate" in of else None
        _figure("Log loss", of.get("log_loss"), ".4f", loss, "Lower is better; the usual rate says the same to all.")
        brier = f"usual rate {held['brier_of_the_rate']:.4f}" if held else None
        _figure("Brier", of.get("brier"), ".4f", brier, "Mean squared error of the chance.")
        _figure("Lift, top tenth", of.get("lift_top_decile"), ".1f", None, "Rate among the likeliest tenth over all.")
        named = {"low": recalibrated.get("slope_low"), "high": recalibrated.get("slope_high")}
        _figure("Slope", recalibrated.get("slope"), ".2f", _between(named, ".2f"), "1 is right; below, too extreme.")
        named = {"low": recalibrated.get("intercept_low"), "high": recalibrated.get("intercept_high")}
        _figure(
            "In the large", recalibrated.get("intercept"), "+.2f", _between(named, "+.2f"),
            "What must be added to the logit so that chances are right on average; 0 is right.",
        )  # fmt: skip
        if shown.kind == "risk":
            _figure(
                "EMPC", held.get("empc"), ".3f", f"contacts {held['empc_share']:.0%}" if held else None,
                "Expected maximum profit a customer (Verbraken et al. 2013): a customer kept is worth 200, an offer "
                "costs 10, a contact 1, an offer keeps Beta(6, 14) of the leavers. Compare models by it, not months.",
            )  # fmt: skip
    st.caption(
        f"{of.get('rows', 0):,} {who} not seen in training ({of.get('judged_on', 'kept apart')}), "
        f"{of.get('left', 0):,} of them {DID.get(shown.kind, 'left')}. "
        "Under a figure its 95 % interval: DeLong for AUC, Wald else. "
        f"{_gain(held)}"
    )
    _calibrated(session, shown, who)
    if held.get("lift"):
        tenths = pd.DataFrame(held["lift"])
        st.altair_chart(
            charts.lift(tenths), key="lift",
            alt=f"The likeliest tenth holds {tenths['captured'].iloc[0]:.0%} of those who left.",
        )  # fmt: skip
        st.caption(f"Gains on the same {who}; dashed: what picking by chance would find.")
        takeaway(session, "models", f"{shown.kind}-lift", tenths)
    elif not held:
        st.caption(NOT_KEPT)


def _figure(label: str, value: float | None, form: str, more: str | None, why: str) -> None:
    shown = "–" if value is None else format(value, form)
    st.metric(label, shown, delta=more, delta_color="off", delta_arrow="off", help=why, width="content")


def _between(of: dict[str, Any], form: str) -> str | None:
    if of.get("low") is None or of.get("high") is None:
        return None
    return f"{of['low']:{form}} to {of['high']:{form}}"


def _gain(held: Any) -> str:
    if "log_loss_gain" not in held:
        return ""
    gain, error = held["log_loss_gain"], held["log_loss_gain_error"]
    times = f", {gain / error:.1f} standard errors" if error else ""
    return f"Log loss gained on the usual rate: {gain:.4f}{times}. {BY_CHANCE}"


def _calibrated(session: Session, shown: Version, who: str) -> None:
    bins = shown.metrics.get("calibration")
    heading("Calibration", help="Ten groups of equal size by chance: what was predicted and what happened.")
    if not bins:
        st.caption(NOT_KEPT)
        return
    frame = pd.DataFrame(bins).rename(columns={"rows": "customers"})
    low, high = wilson(frame["rate"] * frame["customers"], frame["customers"])
    frame = frame.assign(low=low, high=high)
    first, last = frame.iloc[0], frame.iloc[-1]
    st.altair_chart(
        charts.calibration(frame), key="calibration",
        alt=f"Predicted against happened: lowest group {first.chance:.1%} and {first.rate:.1%}, highest "
        f"{last.chance:.1%} and {last.rate:.1%}.",
    )  # fmt: skip
    st.caption(f"Held-out {who}; bars 95 % (Wilson). On the dashed line chances are right.")
    takeaway(session, "models", f"{shown.kind}-calibration", frame)


def _why(session: Session, shown: Version) -> None:
    of = shown.metrics
    with st.container(horizontal=True, gap="medium"):
        _figure("First guess right", of.get("first_is_right"), ".1%", f"the commonest {of['usual_is_right']:.1%}",
                "How often the likeliest reason was the reason.")  # fmt: skip
        _figure(
            "Log loss", of.get("log_loss"), ".4f", f"usual shares {of['log_loss_of_the_rate']:.4f}", "Lower is better."
        )
    st.caption(f"The newest {of.get('rows', 0):,} contacts, learned from older ones. {_gain(shown.held_out)}")
    _calibrated(session, shown, "contacts, by the chance of what was named first")


def _survival(session: Session, shown: Version) -> None:
    of = shown.metrics
    with st.container(horizontal=True, gap="medium"):
        _figure("Customers", of.get("rows"), ",", None, "Learned from.")
        _figure("Left", of.get("left"), ",", None, "By choice, of these.")
        _figure(
            "Data end at", of.get("data_ends_at_months"), ".0f", "months of tenure", "Beyond, a curve is an assumption."
        )
    cells = [cell for cell in shown.held_out.get("landmarks", []) if cell["seen"] >= FEWEST]
    heading("Landmark calibration", help="Of customers still here at a tenure: who was predicted to leave, who did.")
    if not cells:
        st.caption(NOT_KEPT if not shown.held_out else "Too few customers were kept apart to judge any landmark.")
        return
    frame = pd.DataFrame(cells)
    frame["observed_to_predicted"] = frame["observed"] / frame["predicted"]
    inside = int(((frame["low"] <= frame["predicted"]) & (frame["predicted"] <= frame["high"])).sum())
    st.altair_chart(
        charts.landmarks(frame), key="landmarks", alt=f"{inside} of {len(frame)} landmarks predicted within 95 %."
    )
    st.dataframe(
        frame[["landmark", "ahead", "seen", "left", "predicted", "observed", "low", "high", "observed_to_predicted"]],
        hide_index=True, alt="Predicted and observed risk after each landmark",
        column_config={
            "landmark": st.column_config.NumberColumn("tenure, months"),
            "ahead": st.column_config.NumberColumn("months ahead"),
            **dict.fromkeys(("predicted", "observed", "low", "high"), st.column_config.NumberColumn(format="percent")),
            "observed_to_predicted": st.column_config.NumberColumn("observed / predicted", format="%.2f"),
        },
    )  # fmt: skip
    st.caption(
        f"A quarter of the customers kept apart ({shown.held_out.get('rows', 0):,}), by a curve learned from the rest. "
        "Both sides over the same customer-months, so late entry and censoring weigh on neither; 95 % intervals. "
        f"{inside} of {len(frame)} predictions lie within theirs."
    )
    takeaway(session, "models", "survival-landmarks", frame)


def _effect(session: Session, connection: psycopg.Connection, shown: Version) -> None:
    of, money = shown.metrics, session.company.currency
    with st.container(horizontal=True, gap="medium"):
        _figure(
            "Calls", of.get("calls"), ",", f"{of.get('offers', 0):,} with an offer", "Settled calls it learned from."
        )
        _figure("Drawn by lot", of.get("randomised"), ",", None, "Whose amount a trial chose.")
        _figure("Stayed", of.get("stayed"), ".1%", None, "Still here 90 days after.")
        _figure("As it stands", 100 * of.get("naive_difference", 0), "+.1f", "points", "Offered less not offered.")
        _figure("All else alike", 100 * of.get("adjusted_difference", 0), "+.1f", "points",
                f"By the model, at {words.money(of.get('typical_amount', 0), money)}. Not held out: nobody sees what "
                "the other amount would have done.")  # fmt: skip
    heading("Measured on the trial", help="Amounts drawn by lot around what was meant; calls weighted by their chance.")
    found = model_reports.trial(connection)
    if found is None:
        st.info(
            "Nothing drawn by lot has settled yet: the nightly job measures calls once they are 90 days old.",
            icon=":material/inbox:",
        )  # fmt: skip
        return
    frame = pd.DataFrame([asdict(arm) for arm in found.arms])
    frame["stayed"] = frame["stayed"].where(frame["calls"] >= FEWEST)  # a few calls are a few people
    st.dataframe(
        frame, hide_index=True, placeholder="–", alt="Arms of the trial: calls, amount, share that stayed, lift",
        column_config={
            "amount": st.column_config.NumberColumn(f"mean amount, {money}", format="%.2f"),
            "stayed": st.column_config.NumberColumn(format="percent"),
            "needed": st.column_config.NumberColumn("calls needed"),
            **{name: st.column_config.NumberColumn(format="percent") for name in ("lift", "low", "high")},
        },
    )  # fmt: skip
    short = [arm for arm in found.arms if arm.calls < arm.needed]
    if short:
        told = ", ".join(f"{arm.calls:,} given {arm.arm}" for arm in short)
        st.info(
            f"Not enough calls to say: an arm needs {short[0].needed:,} to see a difference of 5 points four times in "
            f"five; there are {told}.", icon=":material/hourglass:",
        )  # fmt: skip
    st.caption(
        f"Lift: share that stayed {found.window_days} days, less that of the arm given as meant; 95 %. As of "
        f"{words.moment(found.as_of, session.company.time_zone)}."
    )
    takeaway(session, "models", "trial-arms", frame)
