"""The first five minutes on the simulated company: each role's steps, with links to the very page and state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st

from churn.core.language import mark, t, tn
from churn.core.money import show
from churn.core.words import day, money, percent, span
from churn.documents import tour
from churn.documents.tour import Guest
from churn.ui import connection, sign_in, spend, voice
from churn.ui import policy as policy_page
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading

ROLES = ("agent", "supervisor", "leader", "finance")
GUEST = "tour_guest"
TITLES = {
    "agent": mark("As an agent: a caller is on the line"),
    "supervisor": mark("As a supervisor: somebody waits for your answer"),
    "leader": mark("As a CX leader: what happens to us"),
    "finance": mark("As finance: what the money does"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and where it is done, if that is elsewhere: label, page, query."""

    text: str
    link: tuple[str, str, dict[str, str]] | None = None


def show_tour(session: Session) -> None:
    """The steps of one's own role; without sign-in, where anybody may be anyone, of all."""
    if session.company.source != "simulated":
        st.info(t("The tour is of the simulated company; here real customers ring. The guide says what to do."),
                icon=":material/tour:")  # fmt: skip
        return
    people = _people(session)
    steps = {role: [*_steps(session, role, people)] for role in ROLES if role in people}
    if not any(steps.values()):
        st.info(t("There is no tour for your role; the guide says what your pages are for."), icon=":material/tour:")
    for role, own in steps.items():
        if own:
            heading(t(TITLES[role]))
            _show(own, people[role], role)


def _people(session: Session) -> dict[str, str | None]:
    """Role → who the links are for: oneself without a word, in local mode somebody of each role by name."""
    if sign_in.provider() is not None:
        return {session.person.role: None}
    people: dict[str, str | None] = {}
    for one in connection.staff(session.database):
        people.setdefault(one.role, one.staff_id)
    return people | {session.person.role: session.staff_id}


def _show(steps: list[Step], who: str | None, role: str) -> None:
    for number, step in enumerate(steps, start=1):
        text, button = st.columns([3, 1], vertical_alignment="center")
        text.markdown(f"**{number}.** {step.text}", anchors=False)
        if step.link is not None:
            label, page, query = step.link
            chosen = query | ({"who": who} if who else {})
            button.link_button(label, f"./{page}?{urlencode(chosen)}", key=f"tour-{role}-{number}",
                               icon=":material/open_in_new:", width="stretch")  # fmt: skip


def _steps(session: Session, role: str, people: dict[str, str | None]) -> Iterator[Step]:
    if role == "agent":
        yield from _agent(session, people)
    elif role == "supervisor":
        yield Step(
            t("Keep this open while an agent's caller asks for more than the agent may give alone: the request appears "
              "by itself, with the nearest past cases and the budget after. Approve, counter or decline, with a "
              "reason; the agent sees it at once."),
            (t("Approvals"), "approvals", {}),
        )  # fmt: skip
        yield Step(
            t("See the team against what its callers would have done with anybody: what is chance says so."),
            (t("Team"), "team", {}),
        )
    elif role == "leader":
        yield Step(
            t("See who leaves, by plan: a band is what chance alone explains. Choose a mark to see whom it is."),
            (t("Churn by plan"), "trends", {"by": t("plan")}),
        )  # fmt: skip
        yield Step(
            t("See which contacts were not worth having, and what each cause costs a month."),
            (t("Worth having"), "voice", {"view": t(voice.VIEWS["league"])}),
        )
    else:
        yield Step(
            t("See what the money really saved, and how that was measured."),
            (t("Return"), "spend", {"view": t(spend.VIEWS["return"])}),
        )
        yield Step(
            t("Try a case: what the policy in force lets be given, and which limit decides."),
            (t("Try a case"), "policy", {"view": t(policy_page.VIEWS["try"])}),
        )


def _agent(session: Session, people: dict[str, str | None]) -> Iterator[Step]:
    guest = None
    with reading(t("The tour's caller")):
        guest = _guest(session, people["agent"])
    if guest is None:
        st.caption(t("Nobody of the kind the tour wants has called lately: open Callbacks and take the first."))
        return
    caller = guest.caller
    yield Step(_who(session, guest), (t("Open the card"), "desk", {"account": caller.customer_id}))
    yield Step(
        t("Read *say first* aloud. Then choose why they call (fault) and whose fault it is (ours): what may be given "
          "depends on it.")
    )  # fmt: skip
    yield Step(
        t("Ask first what would put it right, and write it down: only then are offers on the screen. Policy lets you "
          "give up to {alone} alone and up to {most} with your supervisor; the page says what is worth giving.",
          alone=plain(show(guest.alone, guest.currency)), most=plain(show(guest.most, guest.currency)))
    )  # fmt: skip
    yield Step(t("Say yes: give what the page says. It is written down at once, and once only, whatever you click."))
    yield Step(t("End the call: what came of it. Reload in between if you like; the call goes on where it was."))


def _guest(session: Session, agent: str | None) -> Guest | None:
    """Found once a tab: whoever was given something is no guest any more, and the walk is not over yet."""
    if GUEST not in st.session_state:
        staff = {one.staff_id: one.team for one in connection.staff(session.database)}
        team = staff.get(agent or session.staff_id) or ""
        st.session_state[GUEST] = tour.find_guest(session.database, team)
    found: Guest | None = st.session_state[GUEST]
    return found


def _who(session: Session, guest: Guest) -> str:
    caller, company = guest.caller, session.company
    return t(
        "**{name}** has been with us for {span}, pays {bill} a month and rang on {day} about a fault nobody has put "
        "right. Of customers like this {risk} leave within {days}.",
        name=plain(caller.name, 80), span=span(caller.joined_on, caller.today),
        bill=plain(money(caller.monthly_bill, guest.currency)),
        day=plain(day(caller.called_at, caller.today, company.time_zone)), risk=percent(caller.risk),
        days=tn(company.horizon_days, "{n} day", "{n} days"),
    )  # fmt: skip
