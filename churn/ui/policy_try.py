"""A made-up case under two versions side by side: the bounds and the ladder the desk would show."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from churn.core.effects.effect import ConcessionEffect
from churn.core.language import mark, t, tc
from churn.core.money import show
from churn.core.offers.offer import Ladder
from churn.core.policies.policy import FAULTS, FLAGS, Policy
from churn.core.policies.policy_try import Tried, try_case
from churn.core.words import percent, spoken
from churn.policies.stored import policy_in_force, policy_version
from churn.ui.gate import Session, models
from churn.ui.pieces import heading, plain
from churn.ui.policy_pieces import choose_version, heads, today, versions

LADDER = mark(
    "Stays: chance of staying with the offer, modelled: by the effect model, or else policy’s default curve. Costs: "
    "what it costs once they stay. Gains: chance gained times worth, less the expected cost and handling."
)
REASONS = ("", "price", "cancel", "fault", "billing", "moving")


def show_try(session: Session) -> None:
    """The form of a case, then what each policy makes of it."""
    every = versions(session)
    now = policy_in_force(session.database, session.me)
    if now is None and not every:
        st.info(t("There is no policy yet: save a draft first."), icon=":material/inbox:")
        return
    facts, is_modelled = _form(session.company.currency)
    model = models(session).effect if is_modelled else None
    effect = model.effect.estimator if model else None
    if is_modelled and effect is None:
        st.caption(t("No effect model is in use: policy's default curve answers."))
    left, right = st.columns(2)
    with left:
        chosen = choose_version(t("Draft or version"), every, "tried")
        _one(session, policy_version(session.database, session.me, chosen.version), facts, effect)
    with right:
        st.selectbox(t("In force today"), [f"{now.version} · {now.title}" if now else t("none")], disabled=True)
        _one(session, now, facts, effect)


def _form(currency: str) -> tuple[dict[str, Any], bool]:
    """The facts as typed, money in major units; empty is not known."""
    columns = st.columns(4)
    with columns[0]:
        bill = st.number_input(
            t("Monthly bill, {currency}", currency=currency), min_value=0.0, value=41.0, step=1.0, key="try-bill"
        )
        tenure = st.number_input(t("Tenure, months"), min_value=0, value=None, step=1, key="try-tenure")
    with columns[1]:
        worth = st.number_input(
            t("Worth if they stay, {currency}", currency=currency), value=None, step=10.0, key="try-worth"
        )
        risk = st.number_input(t("Risk, %"), min_value=0.0, max_value=100.0, value=None, step=1.0, key="try-risk")
    with columns[2]:
        reason = st.selectbox(tc("contact", "Reason"), REASONS, format_func=_said, key="try-reason")
        fault = st.selectbox(t("Whose fault"), ("", *FAULTS), format_func=_said, key="try-fault")
    with columns[3]:
        marked = st.multiselect(t("Marked"), FLAGS, format_func=spoken, placeholder=t("nothing"), key="try-flags")
        is_modelled = st.toggle(t("The model’s curve"), value=True, key="try-model")
    facts: dict[str, Any] = {
        "monthly_bill": bill, "tenure_months": tenure, "worth": worth, "risk": None if risk is None else risk / 100,
        "contact_reason": reason or None, "fault": fault or None, "channel": "call",
    } | dict.fromkeys(marked, True)  # fmt: skip
    return facts, is_modelled


def _said(code: str) -> str:
    return spoken(code) if code else t("not said")


def _one(session: Session, policy: Policy | None, facts: dict[str, Any], effect: ConcessionEffect | None) -> None:
    if policy is None:
        st.info(t("No policy is in force."), icon=":material/inbox:")
        return
    try:
        tried = try_case(policy, facts, today(session), effect=effect)
    except (ValueError, ArithmeticError) as error:
        st.error(plain(t("It cannot be reckoned: {why}", why=error)), icon=":material/error:")
        return
    made = tried.ladder
    st.markdown(f"**{plain(made.say_yes.sentence)}**", anchors=False)
    heading(t("Ladder"), help=t(LADDER))
    rungs = _rungs(made)
    st.table(rungs.rename(columns=heads(rungs.columns)), hide_index=True, alt=t("The rungs the desk would show."))
    if facts["worth"] is None or facts["risk"] is None:
        st.caption(
            t("What staying is worth, or the risk, is not said: nothing is reckoned of who stays and what it gains.")
        )
    heading(t("Limits of policy"), help=t("Of the limits that fit this case the lowest, with whole budgets."))
    limits = _limits(tried, made.currency)
    st.table(
        limits.rename(columns=heads(limits.columns)), hide_index=True, alt=t("The binding limit of each instrument.")
    )


def _rungs(made: Ladder) -> pd.DataFrame:
    """Each rung: what is said and why, the part it plays, chance of staying with it, its cost and gain."""
    return pd.DataFrame(
        [
            {
                "offer": f"{plain(rung.title)}: {plain(rung.reason)}",
                "part": ", ".join(
                    [*map(_part, rung.roles), *([t("asks a supervisor")] if rung.needs_approval else [])]
                ),
                "stays": "–" if rung.p_after is None else percent(rung.p_after),
                "costs": "–" if rung.cost is None else show(rung.cost, made.currency),
                "gains": "–" if rung.gain is None else show(rung.gain, made.currency),
            }
            for rung in made.rungs
        ]
    )  # fmt: skip


def _part(role: str) -> str:
    said = t(role)  # some parts are texts, others codes
    return spoken(role) if said == role else said


def _limits(tried: Tried, currency: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "instrument": plain(held.instrument.title), "alone": show(held.agent_limit, currency),
                "with a supervisor": show(held.ceiling, currency), "because": plain(held.binding_limit.reason),
            }
            for held in tried.bounds
        ],
        columns=["instrument", "alone", "with a supervisor", "because"],
    )  # fmt: skip
