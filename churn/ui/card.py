"""The caller's card: who, what to say first, why, the risk with its reasons, what they are worth."""

from __future__ import annotations

from itertools import groupby

import streamlit as st

from churn.casework import Card, Why
from churn.core import charts, words
from churn.core.language import number, t, tc, tn
from churn.core.records import Contact
from churn.ui.gate import Session
from churn.ui.pieces import Flag, chart, flags, heading, plain
from churn.ui.reveal import contact_details

LAST = 3  # contacts told in the first line
MOST_CONTACTS = 20  # on screen; the reasons count them all
MARKS = {"resolved": "✓", "not resolved": "✗", "not said": "–", "escalated": "‼"}


def show_who(session: Session, card: Card) -> None:
    """Who it is, and what is wrong with what we know."""
    _who(session, card)
    for trouble in card.troubles:
        st.warning(plain(trouble), icon=":material/report:")
    if card.state == "ended":
        _ended(card)


def show_facts(card: Card) -> None:
    """Risk and worth, beside what is said and offered."""
    if card.p_churn is not None:
        with st.container(border=True, gap="xsmall", key="risk"):
            _risk(card)
        with st.container(border=True, gap="xsmall", key="worth"):
            _worth(card)


def _who(session: Session, card: Card) -> None:
    customer, live = card.facts.customer, [s for s in card.facts.subscriptions if s.is_live(card.today)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"## {plain(customer.name, 80)}", width="content", anchors=False)
        flags(_flags(card))
        st.space("stretch")
        contact_details(session, customer)
        st.button(
            t("Read again"),
            icon=":material/refresh:",
            type="tertiary",
            shortcut="Alt+U",
            help=t("As read for {moment}", moment=words.moment(card.facts.as_of, card.company.time_zone)),
            on_click=forget_case,
        )
    parts = [words.span(customer.joined_on, card.today)]
    if live:
        total = sum(line.monthly_price for line in live)
        price = words.money(float(total), customer.currency)
        parts.append(t("{plan} {money} a month", plan=plain(live[0].plan, 60), money=price))
        parts.append(tn(len(live), "{n} line", "{n} lines"))
    parts += [plain(part, 60) for part in (customer.region, customer.segment) if part]
    if customer.phone:
        parts.append(t("number {number}", number=plain(customer.phone)))
    parts.append(t("account {account}", account=plain(customer.customer_id, 40)))
    if card.facts.contacts:
        ended = groupby(charts.state_of(contact) for contact in card.facts.contacts[:LAST])
        last = ", ".join(f"{MARKS[state] * len([*same])} {t(state)}" for state, same in ended)
        parts.append(t("last contacts {states}", states=last))
    st.markdown(" · ".join(parts), anchors=False)


def forget_case() -> None:
    """Have the next run read the caller anew."""
    st.session_state.pop("case", None)


def _flags(card: Card) -> list[Flag]:
    customer, found = card.facts.customer, list[Flag]()
    if customer.is_vulnerable:
        found.append((t("vulnerable: take time, best fix first"), ":material/volunteer_activism:", "violet"))
    if customer.is_do_not_offer:
        found.append((t("do not offer"), ":material/block:", "red"))
    if any(c.is_escalated and c.is_resolved is False for c in card.facts.contacts):
        found.append((t("open complaint"), ":material/flag:", "red"))
    if card.escalation is not None and card.escalation.is_flagged:
        found.append((str(card.escalation), ":material/trending_up:", "orange"))
    if card.state == "ended":
        found.append((t("no longer a customer"), ":material/logout:", "gray"))
    if card.state == "new":
        found.append((t("brand-new customer"), ":material/waving_hand:", "green"))
    return found


def _ended(card: Card) -> None:
    ended = [line for line in card.facts.subscriptions if line.ended_on]
    if not ended:
        st.info(t("This customer has no subscription."), icon=":material/info:")
        return
    last = max(ended, key=lambda line: line.ended_on)  # type: ignore[arg-type,return-value]
    how = {
        "voluntary": t("left by choice"),
        "involuntary": t("was ended for non-payment"),
        "move": t("moved away"),
    }.get(last.end_reason or "", t("no reason recorded"))
    day = words.day(last.ended_on, card.today)  # type: ignore[arg-type]
    said = t(
        "{plan} ended on {day}: {how}. No risk is shown; ask what would bring them back.",
        plan=plain(last.plan, 60),
        day=day,
        how=how,
    )
    st.info(said, icon=":material/logout:")


def show_opening(card: Card) -> None:
    """What to say first, and why they probably call."""
    with st.container(border=True, key="say_first", gap="xsmall"):
        heading(t("Say first"), help=t("From this caller's own records, in the order in which trust is at stake."))
        st.markdown(f"### {t('“{said}”', said=plain(card.opening.text))}", anchors=False)
        st.caption(plain(card.opening.ground))
        heading(
            t("Likely why"),
            help=t("Chances learned from past inbound contacts and what was known before each; the facts are theirs."),
        )
        st.markdown(
            "  ·  ".join(map(_why, card.why)) or t("Nothing on record points to a reason: **ask**."), anchors=False
        )


def _why(why: Why) -> str:
    chance = f" ({words.percent(why.chance)})" if why.chance is not None else ""
    fact = f": {plain(why.fact)}" if why.fact else ""
    return f"**{plain(words.spoken(why.reason))}**{chance}{fact}"


def _risk(card: Card) -> None:
    assert card.p_churn is not None  # noqa: S101 - the caller asks only then
    chance, days = words.percent(card.p_churn), card.company.horizon_days
    heading(
        t("Risk"),
        help=t(
            "Chance of leaving by choice within {days} days, modelled from this caller's facts "
            "as of {moment}; usual is the mean over all customers.",
            days=days,
            moment=words.moment(card.facts.as_of, card.company.time_zone),
        ),
    )
    if card.usual_risk:
        times = number(card.p_churn / card.usual_risk, 1)
        said = t("{percent} leave within {days} days ({times}× usual)", percent=chance, days=days, times=times)
    else:
        said = t("{percent} leave within {days} days", percent=chance, days=days)
    st.markdown(f"### {said}", anchors=False)
    if not card.reasons:
        st.markdown(t("Nothing stands out against the usual customer."), anchors=False)
    told = [f"▲ {plain(reason.text)} · {words.points(reason.points)}" for reason in card.reasons]
    st.markdown("  \n".join(told), anchors=False)
    if card.reasons:
        st.caption(t("Points: how much lower the same model would put the risk if this one fact were as usual."))


def _worth(card: Card) -> None:
    ahead = card.economics.horizon_months
    heading(
        t("Worth"),
        help=t(
            "Expected margin over the next {months} months, discounted at {rate} a year, with a 90 % interval; "
            "the curve is the chance of still being a customer, dashed where it goes beyond the data. Modelled.",
            months=ahead,
            rate=words.percent(card.economics.annual_rate),
        ),
    )
    if card.outlook is None:
        st.markdown(t("No survival model is in use, so no worth is reckoned."), anchors=False)
        return
    worth, currency = card.outlook.worth, card.facts.customer.currency
    figure = words.money(round(float(worth.clv[0])), currency)
    low, high = (words.money(round(float(end[0])), currency) for end in (worth.low, worth.high))
    st.markdown(f"### {t('{figure} ({low} to {high})', figure=figure, low=low, high=high)}", anchors=False)
    months = number(float(card.outlook.expected_months[0]))
    st.markdown(t("{months} of {ahead} months expected", months=months, ahead=ahead), anchors=False)
    if worth.is_assumed[0]:
        share = words.percent(card.economics.margin_rate)
        st.caption(t("The margin is not in the data: {share} of the price is assumed.", share=share))
    at_end = words.percent(float(card.outlook.staying[0, -1]))
    chart(
        charts.staying_curve(card.outlook, height=150),
        width="stretch",
        alt=t(
            "Chance of still being a customer over {ahead} months, {percent} at the end", ahead=ahead, percent=at_end
        ),
    )


def show_contacts(card: Card) -> None:
    """The last contacts over time, and what was written down of each."""
    heading(t("Last contacts"))
    if not card.facts.contacts:
        st.markdown(t("No contact on record: this is their first, as far as we know."), anchors=False)
        return
    last = card.facts.contacts[:MOST_CONTACTS]
    chart(
        charts.contact_timeline(last, card.company.time_zone),
        width="stretch",
        alt=t("The last {n} contacts over time by channel and outcome; listed below", n=len(last)),
    )
    with st.expander(t("Read the last {n}", n=len(last))):
        # One element for all of them: each is a message of its own to the browser.
        st.markdown("\n\n".join(_one_contact(card, contact) for contact in last), anchors=False)


def _one_contact(card: Card, contact: Contact) -> str:
    channel = plain(tc("code", contact.channel))
    way = channel if contact.direction == "in" else t("{channel} from us", channel=channel)
    about = plain(words.spoken(contact.reason)) if contact.reason else t("no reason given")
    csat = f" · {t('{rating} of 5', rating=contact.csat)}" if contact.csat else ""
    state = charts.state_of(contact)
    notes = f"  \n:small[:gray[{plain(contact.notes, 600)}]]" if contact.notes else ""
    return (
        f"**{words.moment(contact.started_at, card.company.time_zone)}** · {way} · {about} · "
        f"{MARKS[state]} {t(state)}{csat}{notes}"
    )
