"""Each team's money of the month, moved by two people: proposed by one, confirmed by another."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import streamlit as st

from churn import ledger, store
from churn.core import money, words
from churn.core.language import in_english, mark, number, t
from churn.core.money import show
from churn.core.words import spoken
from churn.policies import policy_lab
from churn.policies.policy_lab import Money, Proposal
from churn.policies.stored import policy_in_force
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.policy_pieces import acting, heads, listed, today, when
from churn.ui.spend_table import money_column
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway


def show_budgets(session: Session) -> None:
    """What there is, what waits for a second person, a form, and the history."""
    month = today(session).replace(day=1)
    held = policy_lab.budgets(session.database, session.me, month)
    every = policy_lab.proposals(session.database, session.me)
    heading(
        t("Budgets of this month and the next ones"),
        help=t(
            "Limit: confirmed by two people. Spent: by the ledger, less what was taken back. Left: limit less spent."
        ),
    )
    if held:
        frame, digits = _rows(held), money.exponent(session.company.currency)
        show_table(
            frame, hide_index=True, alt=t("Budgets by month, team and instrument: limit, spent, left."),
            column_config=heads(frame.columns)
            | {name: money_column(spoken(name), digits) for name in ("limit", "spent", "left")},
        )  # fmt: skip
        takeaway(session, "policy", "budgets", in_english(_rows, held))
    else:
        st.info(t("No team has money this month: propose some."), icon=":material/inbox:")
    _waiting(session, [one for one in every if one.confirmed_by is None])
    _propose(session, month)
    _history(session, [one for one in every if one.confirmed_by is not None])


def _rows(held: list[Money]) -> pd.DataFrame:
    """Budgets in units of their currency."""
    return pd.DataFrame(
        [
            {
                "month": words.month(one.month), "team": one.team, "instrument": spoken(one.instrument),
                "limit": float(money.to_major(one.amount_limit, one.currency)),
                "spent": float(money.to_major(one.spent, one.currency)),
                "left": float(money.to_major(one.headroom, one.currency)), "currency": one.currency,
            }
            for one in held
        ]
    )  # fmt: skip


def _waiting(session: Session, waiting: list[Proposal]) -> None:
    heading(t("Waiting for a second person · {n}", n=number(len(waiting))))
    for one in waiting:
        said, button = st.columns([5, 1], vertical_alignment="center")
        asked = (
            mark("**{amount} more** {instrument} for {team}, {month}: “{reason}”, proposed by {who} on {when}")
            if one.amount > 0
            else mark("**{amount} less** {instrument} for {team}, {month}: “{reason}”, proposed by {who} on {when}")
        )
        said.markdown(
            t(
                asked, amount=plain(show(abs(one.amount), one.currency)), instrument=plain(spoken(one.instrument)),
                team=plain(one.team), month=words.month(one.month), reason=plain(one.reason),
                who=plain(one.proposed_by), when=when(one.proposed_at, session),
            ),
            anchors=False,
        )  # fmt: skip
        is_mine = one.proposed_by == session.staff_id
        if button.button(
            t("Confirm"), key=f"confirm-{one.proposal_id}", disabled=is_mine,
            help=t("You proposed this yourself; a second person must confirm.") if is_mine else None,
        ):  # fmt: skip
            with acting(t("Confirmed: the money is moved.")):
                ledger.confirm_budget(session.database, session.me, one.proposal_id)


def _propose(session: Session, month: date) -> None:
    policy = policy_in_force(session.database, session.me)
    with session.database.transaction(session.me) as connection:
        teams = sorted({p.team for p in store.desk_staff(connection) if p.role == "agent" and p.team})
    items = [item.instrument for item in policy.instruments if item.draws_budget] if policy else []
    if not teams or not items:
        st.caption(t("Budgets need a policy in force and agents in teams."))
        return
    months = [month, (month + timedelta(days=32)).replace(day=1)]
    with st.form("propose", clear_on_submit=True):
        columns = st.columns(4)
        team = columns[0].selectbox(t("Team"), teams)
        instrument = columns[1].selectbox(t("Instrument"), items, format_func=spoken)
        which = columns[2].selectbox(t("Month"), months, format_func=words.month)
        typed = columns[3].text_input(
            t("More (or −less), {currency}", currency=session.company.currency), placeholder="500"
        )
        reason = st.text_input(t("Why"), max_chars=200)
        sent = st.form_submit_button(t("Propose"))
    if not sent:
        return
    try:
        amount = money.parse(typed, session.company.currency)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if amount == 0 or not reason.strip():
        st.error(t("A proposal needs an amount other than nothing, and why."), icon=":material/error:")
        return
    with acting(t("Proposed: somebody else confirms it.")):
        ledger.propose_budget(
            session.database, session.me, team=team, instrument=instrument, month=which,
            currency=session.company.currency, amount=amount, reason=reason.strip(),
        )  # fmt: skip


def _history(session: Session, done: list[Proposal]) -> None:
    with st.expander(t("History · {n}", n=number(len(done)))):
        frame = _moves(session, done)
        amount = t("amount, {currency}", currency=session.company.currency)
        show_table(
            frame, hide_index=True, alt=t("Budget moves, who proposed and who confirmed."),
            column_config=heads(frame.columns) | {"amount": st.column_config.NumberColumn(amount)},
        )  # fmt: skip
        takeaway(session, "policy", "budget-history", in_english(_moves, session, done))


def _moves(session: Session, done: list[Proposal]) -> pd.DataFrame:
    """Money moved, in units of its currency."""
    return listed(
        [
            {
                "confirmed": when(one.confirmed_at, session) if one.confirmed_at else "",
                "month": words.month(one.month),
                "team": one.team, "instrument": spoken(one.instrument),
                "amount": float(money.to_major(one.amount, one.currency)), "reason": one.reason,
                "proposed by": one.proposed_by, "confirmed by": one.confirmed_by,
            }
            for one in done
        ],
        ["confirmed", "month", "team", "instrument", "amount", "reason", "proposed by", "confirmed by"],
    )  # fmt: skip
