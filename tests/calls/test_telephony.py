"""The end of a call by a signed link or a contact row: taken once, closing its case, refused in a sentence else."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import psycopg
import pytest

from churn import db
from churn.calls import telephony
from churn.calls.phone import read_number
from churn.calls.screen_pop import Asked, read_query
from churn.calls.telephony import BadLink, CallEnded, LinkRefused, NoSuchOutcome
from churn.casework import Ending, close_case
from churn.operations import housekeeping
from churn.refusals import (
    CallInTheFuture,
    CallLate,
    EventReused,
    NoSuchCall,
    OtherOutcome,
    SeveralCases,
    WrapUpUnknown,
)
from churn.settings import PROJECT, Settings
from churn.web.secrets_file import NoSecret
from tests.factories import put, put_customer
from tests.ledger_world import World, build

SECRET = "s" * 40
NOW = 1_794_744_000.0
SAID = {"event": "e-1", "contact": "K-1", "ended": str(int(NOW) - 5), "agent": "ann", "disposition": "resolved"}
RECIPES = re.findall(r"^GET (\S+)$\n^→ (.+)$", (PROJECT / "docs/telephony.md").read_text(), re.M)


# screen pop -----------------------------------------------------------------------------------------------------------


def test_there_is_a_recipe_for_each_system() -> None:
    text = (PROJECT / "docs/telephony.md").read_text()
    for system in ("Genesys Cloud", "Amazon Connect", "Five9", "Twilio Flex", "Salesforce Open CTI"):
        assert f"### {system}" in text
    assert len(RECIPES) >= 7


@pytest.mark.parametrize(("url", "told"), RECIPES)
def test_every_address_of_the_recipes_asks_for_whom_it_says(url: str, told: str) -> None:
    asked = read_query(dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
    assert asked is not None
    by, key, call = (part.strip().strip("`") for part in told.split("·"))
    shown = read_number(asked.key, "GB").e164 if asked.by == "ani" else asked.key
    assert (asked.by, shown, asked.call) == (by, key, None if call == "–" else call)


@pytest.mark.parametrize("value", ["{{gcConversationId}}", "a\tb", "ключ", "\x00"])
def test_what_is_no_id_of_a_call_is_not_kept(value: str) -> None:
    assert read_query({"ani": "1", "call": value}) == Asked("ani", "1", None)


# signed links ---------------------------------------------------------------------------------------------------------


def pairs(said: dict[str, str] = SAID, *, seconds: int = 300, key: str = SECRET) -> list[tuple[str, str]]:
    return parse_qsl(telephony.signed_query(said, key, seconds=seconds, now=NOW), keep_blank_values=True)


def test_a_link_says_what_was_signed() -> None:
    ended_at = datetime.fromtimestamp(NOW - 5, UTC)
    assert telephony.read_link(pairs(), SECRET, now=NOW) == CallEnded(
        event="e-1", contact="K-1", ended_at=ended_at, agent="ann", disposition="resolved"
    )
    assert telephony.read_link(pairs(), SECRET, now=NOW + 300).event == "e-1"


def test_the_signature_is_the_one_the_document_shows() -> None:
    said = {"agent": "ann", "contact": "K-1", "disposition": "resolved", "ended": "1794743995", "event": "e-1",
            "expires": "1794744300"}  # fmt: skip
    assert telephony.signature(said, SECRET) in (PROJECT / "docs/telephony.md").read_text()


@pytest.mark.parametrize("name", [*SAID, "expires"])
def test_a_changed_parameter_is_refused(name: str) -> None:
    changed = [(key, value + "1" if key == name else value) for key, value in pairs()]
    with pytest.raises(LinkRefused, match="not that of these parameters"):
        telephony.read_link(changed, SECRET, now=NOW)


@pytest.mark.parametrize(
    ("held", "now", "sentence"),
    [
        (pairs(), NOW + 301, "has ended"),
        (pairs(seconds=86_401), NOW, "a day at the most"),
        (pairs(key="t" * 40), NOW, "not that of these"),
        ([*pairs()[:-1], ("signature", "ü" * 64)], NOW, "plain ASCII"),
        (pairs()[:-1], NOW, "lacks signature"),
        (pairs({**SAID, "event": ""}), NOW, "lacks event"),
        (pairs({**SAID, "amount": "5"}), NOW, "amount is not known"),
        ([*pairs(), ("agent", "abe")], NOW, "there twice"),
        (pairs({**SAID, "contact": "x" * 129}), NOW, "longer than 128"),
        (pairs({**SAID, "contact": "a\nevent=e-2"}), NOW, "plain ASCII"),
        (pairs({**SAID, "ended": "yesterday"}), NOW, "whole seconds since 1970"),
    ],
)
def test_a_bad_link_is_refused_in_a_sentence(held: list[tuple[str, str]], now: float, sentence: str) -> None:
    with pytest.raises((BadLink, LinkRefused), match=sentence):
        telephony.read_link(held, SECRET, now=now)


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPLINE_TELEPHONY_SECRET", "short")
    with pytest.raises(NoSecret, match="32 random characters"):
        telephony.secret()
    monkeypatch.setenv("KEEPLINE_TELEPHONY_SECRET", SECRET)
    assert telephony.secret() == SECRET


# the end of a call ----------------------------------------------------------------------------------------------------


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=10)
    made = build(pool, owner)
    for customer_id in ("C1", "C2"):
        put_customer(owner, customer_id)
    yield made
    pool.close()


def ended(**changes: object) -> CallEnded:
    held = CallEnded(event="e-1", contact="K-1", ended_at=datetime.now(UTC), agent="ann", disposition="resolved")
    return replace(held, **changes)


def case_of(world: World, case_id: UUID) -> tuple[object, ...]:
    row = world.owner.execute(
        "SELECT closed_at IS NOT NULL, outcome, contact_id, wrap_up, call_ended_at IS NOT NULL FROM desk.cases "
        "WHERE case_id = %s",
        [case_id],
    ).fetchone()
    assert row is not None
    return row


def test_a_wrap_up_closes_the_agents_case_and_keeps_the_call(world: World) -> None:
    case_id = world.case("ann", "C1")
    assert telephony.take(world.database, ended()).case_id == case_id
    assert case_of(world, case_id) == (True, "resolved", "K-1", "resolved", True)
    audit = world.owner.execute("SELECT staff_id, subject, detail FROM desk.audit WHERE act = 'call_ended'").fetchall()
    assert audit == [("ann", str(case_id), {"event": "e-1", "outcome": "resolved"})]


def test_what_the_agent_says_after_the_telephone_system_closed_the_case_stands(world: World) -> None:
    case_id = world.case("ann", "C1")
    telephony.take(world.database, ended())
    says = Ending(outcome="cancelled", contact_reason="price", what_is_broken="the bill is wrong")
    close_case(world.database, world["ann"], str(case_id), says)
    close_case(world.database, world["ann"], str(case_id), says)  # a second click
    kept = "SELECT outcome, what_is_broken, cancelled_at IS NOT NULL, wrap_up FROM desk.cases WHERE case_id = %s"
    assert world.owner.execute(kept, [case_id]).fetchone() == ("cancelled", "the bill is wrong", True, "resolved")
    with pytest.raises(OtherOutcome):
        close_case(world.database, world["ann"], str(case_id), Ending(outcome="resolved"))
    assert case_of(world, case_id)[1] == "cancelled"


def test_what_the_agent_says_half_a_day_later_is_refused(world: World) -> None:
    case_id = world.case("ann", "C1")
    telephony.take(world.database, ended())
    world.owner.execute("UPDATE desk.cases SET closed_at = closed_at - interval '12 hours 1 second'")
    with pytest.raises(OtherOutcome):
        close_case(world.database, world["ann"], str(case_id), Ending(outcome="cancelled"))
    assert case_of(world, case_id)[1] == "resolved"


def test_the_same_event_again_changes_nothing(world: World) -> None:
    first, at = world.case("ann", "C1"), datetime.now(UTC)
    telephony.take(world.database, ended(ended_at=at))
    world.case("ann", "C2")  # the agent's next caller
    before = world.owner.execute("SELECT * FROM desk.cases ORDER BY opened_at").fetchall()
    again = telephony.take(world.database, ended(ended_at=at))
    assert (again.case_id, again.is_replay) == (first, True)
    assert world.owner.execute("SELECT * FROM desk.cases ORDER BY opened_at").fetchall() == before


def test_an_event_sent_by_many_at_once_is_taken_once(world: World) -> None:
    case_id, at, gate = world.case("ann", "C1"), datetime.now(UTC), threading.Barrier(8)

    def send(_: int) -> telephony.Taken:
        gate.wait()
        return telephony.take(world.database, ended(ended_at=at))

    with ThreadPoolExecutor(8) as pool:
        came = list(pool.map(send, range(8)))
    assert {one.case_id for one in came} == {case_id}
    assert sorted(one.is_replay for one in came) == [False] + [True] * 7
    assert world.owner.execute("SELECT count(*) FROM desk.telephony_events").fetchone() == (1,)


def test_the_same_event_with_other_words_is_refused(world: World) -> None:
    world.case("ann", "C1")
    at = datetime.now(UTC)
    telephony.take(world.database, ended(ended_at=at))
    with pytest.raises(EventReused):
        telephony.take(world.database, ended(ended_at=at, disposition="cancelled"))


def test_the_end_comes_before_the_wrap_up(world: World) -> None:
    case_id, at = world.case("ann", "C1"), datetime.now(UTC)
    telephony.take(world.database, ended(disposition=None, ended_at=at))
    assert case_of(world, case_id) == (False, None, "K-1", None, True)
    telephony.take(world.database, ended(event="e-2", ended_at=at, agent=None, disposition="Cancelled "))
    assert case_of(world, case_id) == (True, "cancelled", "K-1", "Cancelled", True)
    left = world.owner.execute("SELECT cancelled_at IS NOT NULL FROM desk.cases").fetchone()
    assert left == (True,)


def test_a_call_named_by_the_screen_pop_is_found_among_several(world: World) -> None:
    first, second = world.case("ann", "C1"), world.case("ann", "C2")
    with pytest.raises(SeveralCases, match="2 open cases"):
        telephony.take(world.database, ended())
    telephony.keep_contact(world.database, world["ann"], str(second), "K-1")
    telephony.keep_contact(world.database, world["ann"], str(second), "K-9")  # the first one stays
    telephony.keep_contact(world.database, world["abe"], str(first), "K-8")  # somebody else's case
    assert telephony.take(world.database, ended(agent=None)).case_id == second
    assert case_of(world, first) == (False, None, None, None, False)


def test_what_contradicts_the_agent_is_refused_and_the_same_word_is_not(world: World) -> None:
    case_id = world.case("ann", "C1")
    telephony.keep_contact(world.database, world["ann"], str(case_id), "K-1")
    world.owner.execute("UPDATE desk.cases SET closed_at = now(), outcome = 'deflected'")
    with pytest.raises(OtherOutcome, match="closed as “deflected” .* this says “cancelled”; nothing was changed"):
        telephony.take(world.database, ended(disposition="cancelled"))
    assert case_of(world, case_id) == (True, "deflected", "K-1", None, False)
    telephony.take(world.database, ended(event="e-2", disposition="deflected"))
    assert case_of(world, case_id) == (True, "deflected", "K-1", "deflected", True)


@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"agent": "abe"}, NoSuchCall, "no open case"),
        ({"agent": None}, NoSuchCall, "say which agent"),
        ({"disposition": "RNA"}, WrapUpUnknown, "“RNA” means nothing here"),
        ({"ended_at": datetime.now(UTC) + timedelta(hours=1)}, CallInTheFuture, "in the future"),
    ],
)
def test_what_cannot_be_taken_is_said_and_kept(
    world: World, changes: dict[str, object], refusal: type[Exception], sentence: str
) -> None:
    case_id = world.case("ann", "C1")
    with pytest.raises(refusal, match=sentence):
        telephony.take(world.database, ended(**changes))
    assert case_of(world, case_id)[0] is False
    assert world.owner.execute("SELECT act FROM desk.refusals").fetchall() == [("end_call",)]


def test_late_events_are_refused(world: World) -> None:
    case_id = world.case("ann", "C1")
    telephony.keep_contact(world.database, world["ann"], str(case_id), "K-1")
    with pytest.raises(CallLate, match="before the case was opened"):
        telephony.take(world.database, ended(ended_at=datetime.now(UTC) - timedelta(minutes=6)))
    world.owner.execute("UPDATE desk.cases SET opened_at = now() - interval '13 hours'")
    with pytest.raises(CallLate, match="twelve hours late"):
        telephony.take(world.database, ended(event="e-3"))
    assert case_of(world, case_id)[0] is False


def test_a_wrap_up_code_means_what_it_was_given(world: World) -> None:
    case_id = world.case("ann", "C1")
    telephony.set_code(world.database, " Sale Saved ", "deflected")
    with pytest.raises(NoSuchOutcome):
        telephony.set_code(world.database, "x", "happy")
    telephony.take(world.database, ended(disposition="SALE SAVED"))
    assert case_of(world, case_id)[:2] == (True, "deflected")
    assert telephony.codes(world.database) == [telephony.Code("sale saved", "deflected")]


def test_an_agent_is_known_by_sign_in_too(world: World) -> None:
    world.owner.execute("UPDATE desk.staff SET sign_in = 'Ann@Example.com' WHERE staff_id = 'ann'")
    case_id = world.case("ann", "C1")
    assert telephony.take(world.database, ended(agent="ann@example.com")).case_id == case_id


# contact rows ---------------------------------------------------------------------------------------------------------


def contact(world: World, contact_id: str, **values: object) -> None:
    now = datetime.now(UTC)
    held = {
        "customer_id": "C1",
        "agent_id": "ann",
        "started_at": now - timedelta(minutes=3),
        "ended_at": now,
        "is_resolved": True,
    }
    put(world.owner, "contacts", contact_id=contact_id, **held | values)


def test_a_contact_row_closes_the_case_it_is(world: World) -> None:
    case_id, other = world.case("ann", "C1"), world.case("ann", "C2")
    contact(world, "K-7", ended_at=datetime.now(UTC) + timedelta(seconds=5))
    (came,) = telephony.close_by_contacts(world.database)
    assert (came.case_id, came.contact_id, came.outcome) == (case_id, "K-7", "resolved")
    assert case_of(world, case_id)[:3] == (True, "resolved", "K-7")
    assert case_of(world, other)[0] is False
    assert telephony.close_by_contacts(world.database) == []


@pytest.mark.parametrize(
    "values",
    [
        {"ended_at": None},
        {"agent_id": "abe"},
        {"customer_id": "C2"},
        {"started_at": datetime.now(UTC) - timedelta(hours=3), "ended_at": datetime.now(UTC) - timedelta(hours=2)},
    ],
)
def test_another_contact_closes_nothing(world: World, values: dict[str, object]) -> None:
    world.case("ann", "C1")
    contact(world, "K-7", **{"ended_at": datetime.now(UTC) + timedelta(seconds=5)} | values)
    assert telephony.close_by_contacts(world.database) == []


def test_a_row_that_does_not_say_resolved_closes_without_an_outcome(world: World) -> None:
    case_id = world.case("ann", "C1")
    contact(world, "K-7", is_resolved=None, ended_at=datetime.now(UTC) + timedelta(seconds=5))
    telephony.close_by_contacts(world.database)
    assert case_of(world, case_id)[:3] == (True, None, "K-7")


def minutes_ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def opened(world: World, minutes: float) -> UUID:
    """ann's case of C1, opened so many minutes ago."""
    case_id = world.case("ann", "C1")
    world.owner.execute("UPDATE desk.cases SET opened_at = %s WHERE case_id = %s", [minutes_ago(minutes), case_id])
    return case_id


def test_the_housekeeping_closes_a_case_by_its_contact_row(world: World) -> None:
    case_id = opened(world, 20)
    contact(world, "K-7", started_at=minutes_ago(21), ended_at=minutes_ago(11))
    assert housekeeping.tidy(world.database)
    assert case_of(world, case_id)[:3] == (True, "resolved", "K-7")


def test_the_housekeeping_leaves_the_agent_time_to_say_how_it_ended(world: World) -> None:
    case_id = opened(world, 20)
    contact(world, "K-7", started_at=minutes_ago(21), ended_at=minutes_ago(9))
    assert housekeeping.tidy(world.database)
    assert case_of(world, case_id)[0] is False
    (came,) = telephony.close_by_contacts(world.database)  # who asks for it has it now
    assert came.case_id == case_id


def test_the_id_of_an_earlier_call_closes_nothing(world: World) -> None:
    """An address that was kept and opened again bears the id of the call it was made for."""
    contact(world, "K-7", started_at=minutes_ago(90), ended_at=minutes_ago(60))
    case_id = opened(world, 20)
    telephony.keep_contact(world.database, world["ann"], str(case_id), "K-7")
    assert telephony.close_by_contacts(world.database) == []
    assert case_of(world, case_id)[0] is False


def test_a_row_whose_end_is_still_to_come_closes_nothing(world: World) -> None:
    world.case("ann", "C1")
    contact(world, "K-7", ended_at=minutes_ago(-6))
    assert telephony.close_by_contacts(world.database) == []


def test_two_rows_that_could_be_it_leave_it_open_and_are_told(world: World) -> None:
    case_id = world.case("ann", "C1")
    later = datetime.now(UTC) + timedelta(seconds=5)
    contact(world, "K-7", ended_at=later)
    contact(world, "K-8", ended_at=later)
    (came,) = telephony.close_by_contacts(world.database)
    assert (came.contact_id, came.sentence) == (None, "2 calls could be this one; it stays open")
    telephony.keep_contact(world.database, world["ann"], str(case_id), "K-8")  # the screen pop says which
    (came,) = telephony.close_by_contacts(world.database)
    assert (came.contact_id, came.outcome) == ("K-8", "resolved")
