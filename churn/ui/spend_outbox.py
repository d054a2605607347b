"""What goes out to billing: how much of it waits, arrived or was given up, and having sent again what was given up."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.finance import outbox, webhook
from churn.finance.outbox import Late, State
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.spend_table import head
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway
from churn.web.secrets_file import NoSecret

# state → what it is called, what it means
STATES = {
    "waiting": (mark("Waiting"), mark("Put out and not yet delivered; what failed and is tried again is among it.")),
    "delivered": (mark("Delivered"), mark("Billing answered that it has them.")),
    "dead": (mark("Given up"), mark("Tried {n} times, over about a day and a half; nobody tries them any more.")),
    "skipped": (
        mark("Not to be sent"),
        mark("Billing has read them for itself, or they were given before anything was put out."),
    ),
}
NO_WEBHOOK = mark(
    "No webhook is set up, so nothing is sent: what is put out is there for billing to read. To have billing told, an "
    "administrator puts `[webhook]` into the secrets file; `docs/billing.md` says how."
)
BAD_WEBHOOK = mark(
    "The webhook cannot be used as it is set up, so nothing is sent: `python3 -m churn outbox send` says what is wrong."
)
NOTHING = mark("Nothing was put out to billing yet: every concession is, the moment it is given.")
TO_MEND = mark(
    "The last error says why. Have it mended at billing, or in `[webhook]` of the secrets file, and then have finance "
    "send again: what billing has by its `webhook-id` it leaves out. Till then, what takes them back waits too."
)
WITH_A_NUMBER = ((r"answered (\d+)", mark("answered {n}")), (r"no answer in ([\d.]+) s", mark("no answer in {n} s")))
EVERYTHING = 0  # among entries to choose from, which are numbered from 1


def show_told(session: Session) -> None:
    """Counts by state, what did not arrive, and for finance the way to have it sent again."""
    heading(
        t("Told to billing"),
        help=t("Rows of the ledger since it began: each grant, and what takes one back, is put out with its entry."),
    )
    states = {one.state: one for one in outbox.states(session.database, session.me)}
    if not states:
        st.info(t(NOTHING), icon=":material/inbox:")
    else:
        _counts(session, states)
    _webhook()
    found = outbox.late(session.database, session.me)
    if found:
        _late(session, found)
    if "dead" in states:
        _given_up(session, found, states["dead"].rows)


def _counts(session: Session, states: dict[str, State]) -> None:
    with st.container(horizontal=True):
        for state, (name, meaning) in STATES.items():
            rows = states[state].rows if state in states else 0
            help_ = t(meaning, n=outbox.MOST_ATTEMPTS) if state == "dead" else t(meaning)
            st.metric(t(name), number(rows), help=help_, width="content")
    if (waiting := states.get("waiting")) is not None and waiting.oldest_at is not None:
        when = words.moment(waiting.oldest_at, session.company.time_zone)
        st.caption(plain(t("The oldest that waits was put out on {when}.", when=when)))


def _webhook() -> None:
    try:
        is_there = webhook.configured() is not None
    except (webhook.BadWebhook, NoSecret):
        st.warning(t(BAD_WEBHOOK), icon=":material/link_off:")
        return
    if not is_there:
        st.info(t(NO_WEBHOOK), icon=":material/link_off:")


def _late(session: Session, found: list[Late]) -> None:
    many = outbox.MOST_LISTED
    heading(
        t("Tried and not arrived"), help=t("What was given up first, then by position; the first {n}.", n=number(many))
    )
    told = pd.DataFrame([_row(session, one) for one in found])
    config: dict[str, Any] = {name: st.column_config.Column(head(name)) for name in told.columns}
    show_table(
        told, hide_index=True, placeholder="–", column_config=config,
        alt=t("What was tried and did not arrive at billing, and why."),
    )  # fmt: skip
    takeaway(session, "spend", "not-arrived", pd.DataFrame([asdict(one) for one in found]))


def _row(session: Session, one: Late) -> dict[str, Any]:
    is_dead = one.state == "dead"
    return {
        "position": one.position, "entry_id": one.entry_id, "kind": words.spoken(one.kind),
        "state": t("given up") if is_dead else t("tried again"), "attempts": one.attempts,
        "next_at": None if is_dead else words.moment(one.next_at, session.company.time_zone),
        "last_error": why(one.last_error),
    }  # fmt: skip


def why(last_error: str | None) -> str | None:
    """Why an attempt failed, in the language spoken here."""
    for pattern, said in WITH_A_NUMBER:
        if found := re.fullmatch(pattern, last_error or ""):
            return t(said, n=found[1])
    return t(last_error) if last_error else None


def _given_up(session: Session, found: list[Late], many: int) -> None:
    said = tn(many, "{n} row was given up.", "{n} rows were given up.")
    st.warning(f"{said} {t(TO_MEND)}", icon=":material/cancel_schedule_send:")
    if session.person.role != "finance":
        return
    names = {EVERYTHING: tn(many, "everything given up: {n} row", "everything given up: {n} rows")} | {
        one.entry_id: t(
            "position {position}, entry {entry}, {kind}",
            position=one.position, entry=one.entry_id, kind=words.spoken(one.kind),
        )
        for one in found if one.state == "dead"
    }  # fmt: skip
    with st.form("send_again", clear_on_submit=False, border=True):
        chosen = st.selectbox(t("What was given up"), list(names), key="given_up", format_func=names.__getitem__)
        if not st.form_submit_button(t("Send again"), icon=":material/send:"):
            return
    try:
        rows = outbox.send_again(session.database, session.me, chosen or None)
    except Refusal as refusal:
        st.error(plain(str(refusal)), icon=":material/block:")
        return
    done = tn(rows, "{n} row is due again.", "{n} rows are due again.")
    st.toast(done if rows else t("It was sent again before."), icon=":material/check_circle:")
    st.rerun()
