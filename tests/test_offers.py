"""From an open case to an offer: stored before it is shown, within every bound, made anew to the letter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import product
from uuid import UUID, uuid4

import psycopg
import pytest

from churn import casework, cli, db, ledger, offers
from churn.calls import past_cases
from churn.casework import Card, Models
from churn.core.grants import Decision, Grant, OfferedRung, Session
from churn.core.offers.question import Ask
from churn.core.offers.rung import ASKED, CANCEL, OPENING, OTHER, OWED, Rung
from churn.offers import Call, NoPolicy, Offer
from churn.policies import default_policy, stored
from churn.queries import query
from churn.refusals import AboveAuthority, CallClosed, KeyReused
from churn.settings import Settings
from tests.conftest import clone
from tests.factories import put

NOW = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
AGENT, SUPERVISOR = "A001", "S01"
REASONS, ASKS = ("cancel", "fault", "billing", "move_home", None), (None, 500, 4_000, 7_750, 20_000)
FAULTS = ("ours", "theirs", None)
CALLS = list(product(REASONS, FAULTS, ASKS))


@dataclass
class Desk:
    """An agent of the simulated company with callers on the line, and the owner's own connection."""

    settings: Settings
    database: db.Database
    owner: psycopg.Connection
    models: Models
    agent: Session

    def callers(self, count: int, start: int = 0) -> list[Card]:
        """Cards of live customers, opened by the agent."""
        rows = self.owner.execute(
            "SELECT customer_id FROM crm.customers c WHERE EXISTS (SELECT FROM crm.subscriptions s "
            "WHERE s.customer_id = c.customer_id AND s.ended_on IS NULL) ORDER BY md5(customer_id) OFFSET %s LIMIT %s",
            [start, count],
        ).fetchall()
        return [self.card(row[0]) for row in rows]

    def card(self, customer_id: str) -> Card:
        """A customer's card, with a case of the agent's own."""
        return casework.open_case(
            self.database, self.models, customer_id, me=self.agent, clock=NOW, opened_by="account"
        )

    def offer(self, card: Card, **call: object) -> Offer:
        """What the agent may say yes to on a call."""
        return offers.make_offer(self.database, self.agent, card, self.models, Call(**call))

    def needing_approval(self, first: int = 0, **call: object) -> tuple[Card, Offer, int]:
        """A caller with a rung that takes a supervisor, the offer, and the rung's index; from the `first` one on."""
        for start in range(first, first + 60):
            card = self.callers(1, start)[0]
            offer = self.offer(card, **call)
            for index, rung in enumerate(offer.ladder.rungs):
                if rung.needs_approval and rung.is_grant:
                    return card, offer, index
        raise AssertionError("nobody needs a supervisor")

    def count(self, table: str) -> int:
        """How many rows a table of the ledger has."""
        row = self.owner.execute(f"SELECT count(*) FROM desk.{table}").fetchone()  # noqa: S608 - the tests' own names
        assert row is not None
        return row[0]


def sit_down(settings: Settings) -> Iterator[Desk]:
    database = db.open_database(settings, size=4)
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
        owner.execute("DELETE FROM desk.lookup_limits")  # the tests look at more callers than a person may
        with database.transaction("agent") as connection:
            models = casework.load_models(connection, casework.model_versions(connection))
        yield Desk(settings, database, owner, models, ledger.open_session(database, AGENT))
    database.close()


@pytest.fixture
def at_desk(desk: Settings) -> Iterator[Desk]:
    yield from sit_down(desk)


@pytest.fixture(scope="module")
def shared(trained: Settings) -> Iterator[Desk]:
    """One company for the tests that only make offers."""
    made = clone(trained)
    yield from sit_down(next(made))
    made.close()


def grantable(offer: Offer) -> list[int]:
    return [i for i, rung in enumerate(offer.ladder.rungs) if rung.is_grant and not rung.needs_approval]


def money(offer: Offer) -> list[Rung]:
    """The rungs of goodwill that carry money."""
    return [rung for rung in offer.ladder.rungs if rung.amount and OWED not in rung.roles]


# stored, then shown ---------------------------------------------------------------------------------------------------


def test_what_is_shown_was_stored_before(shared: Desk) -> None:
    offer = shared.offer(shared.callers(1)[0], contact_reason="cancel", fault="ours", ask=Ask(amount=2_000))
    row = shared.owner.execute(
        "SELECT contact_reason, asked_amount, shown_rung, receipt FROM desk.decisions WHERE decision_id = %s",
        [offer.decision_id],
    ).fetchone()
    assert row is not None
    assert row[:3] == ("cancel", 2_000, offer.ladder.shown)
    assert offers.differences(offer.ladder, row[3]) == []
    rungs = shared.owner.execute(
        "SELECT rung, instrument, amount, months::int FROM desk.decision_rungs WHERE decision_id = %s ORDER BY rung",
        [offer.decision_id],
    ).fetchall()
    shown = enumerate(offer.ladder.rungs)
    assert rungs == [(i, rung.instrument, rung.amount, rung.months) for i, rung in shown if rung.is_grant]


def test_what_cannot_be_stored_is_not_shown(shared: Desk) -> None:
    card = shared.callers(1)[0]
    casework.close_case(shared.database, shared.agent, card.case_id, casework.Ending(outcome="resolved"))
    with pytest.raises(CallClosed):
        shared.offer(card)


def test_without_a_policy_nothing_may_be_given_and_it_says_so(at_desk: Desk) -> None:
    card = at_desk.callers(1)[0]
    at_desk.owner.execute("UPDATE desk.company SET data_until = data_until - interval '1 day'")  # before it began
    with pytest.raises(NoPolicy, match="No policy is in force: nothing may be given until finance publishes one"):
        at_desk.offer(card)


# given ----------------------------------------------------------------------------------------------------------------


def test_a_rung_is_given_once_however_often_it_is_clicked(at_desk: Desk) -> None:
    offer = at_desk.offer(at_desk.callers(1)[0], contact_reason="cancel", fault="ours")
    first, last = grantable(offer)[0], grantable(offer)[-1]
    entry = ledger.give(at_desk.database, at_desk.agent, offers.grant_of(offer, last))
    again = ledger.give(at_desk.database, at_desk.agent, offers.grant_of(offer, last))
    assert (entry.is_replay, again.is_replay) == (False, True)
    assert replace(again, is_replay=False) == entry
    with pytest.raises(KeyReused):
        ledger.give(at_desk.database, at_desk.agent, offers.grant_of(offer, first))
    assert at_desk.count("ledger") == 1
    assert ledger.reconcile(at_desk.database) == []


def test_above_authority_takes_a_supervisor_whatever_the_client_sends(at_desk: Desk) -> None:
    card, offer, index = at_desk.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=6_000))
    grant, rung = offers.grant_of(offer, index), offer.ladder.rungs[index]
    with pytest.raises(AboveAuthority):
        ledger.give(at_desk.database, at_desk.agent, grant)
    assert at_desk.count("ledger") == 0
    supervisor, key = ledger.open_session(at_desk.database, SUPERVISOR), uuid4()
    request = ledger.ask_approval(at_desk.database, at_desk.agent, grant, approval_id=key, reason=rung.reason)
    seen, receipt = offers.asked_rung(at_desk.database, supervisor, request)
    assert (seen["amount"], seen["p_after"]) == (rung.amount, rung.p_after)
    assert receipt["inputs"]["case"]["contact_reason"] == "cancel"
    ledger.approve(at_desk.database, supervisor, key, reason="worth keeping")
    entry = ledger.give(at_desk.database, at_desk.agent, replace(grant, approval_id=key))
    assert (entry.amount, entry.authorised_by, entry.customer_id) == (
        rung.amount, SUPERVISOR, card.facts.customer.customer_id,
    )  # fmt: skip


def test_nothing_offered_is_ever_refused(at_desk: Desk) -> None:
    """Each rung that may be given alone is given and undone; then one for good, until the agent's authority ends."""
    above = 0
    for i, card in enumerate(at_desk.callers(60)):
        reason, fault, asked = CALLS[i * 17 % len(CALLS)] if i % 2 else ("cancel", "ours", None)
        offer = at_desk.offer(card, contact_reason=reason, fault=fault, ask=Ask(amount=asked))
        above += any(rung.needs_approval for rung in offer.ladder.rungs)
        may = sorted(grantable(offer), key=lambda index: order(offer.ladder.rungs[index]))
        for index in may:
            assert tried(at_desk, offers.grant_of(offer, index)) == ("done", None), offer.ladder.rungs[index]
        if may:
            ledger.give(at_desk.database, at_desk.agent, offers.grant_of(offer, may[-1]))
    assert at_desk.count("refusals") == 0
    assert at_desk.count("ledger") > 40
    assert ledger.authority_used(at_desk.database, at_desk.agent)["bill_credit"] > 14_000  # of 17,500 a day
    assert above > 1
    assert ledger.reconcile(at_desk.database) == []


def order(rung: Rung) -> tuple[bool, int]:
    """Credits last, the largest at the end."""
    return rung.instrument == "bill_credit", rung.amount


def tried(at: Desk, grant: Grant) -> tuple[str, str | None]:
    """(outcome, sentence) of giving, undone."""
    params = {name: getattr(grant, name) for name in Grant.__slots__} | {"token": at.agent.token}
    with at.database.transaction(at.agent) as connection, connection.transaction(force_rollback=True):
        row = connection.execute(query("ledger", "give"), params).fetchone()
    assert row is not None
    return row[0], row[2]


def test_with_no_money_left_there_is_still_something_to_say_yes_to(at_desk: Desk) -> None:
    cards = at_desk.callers(20)
    at_desk.owner.execute("UPDATE desk.budget_counters SET amount_limit = 0")
    for card, fault in product(cards, ("ours", None)):
        offer = at_desk.offer(card, fault=fault)
        assert [rung for rung in money(offer) if not rung.needs_approval] == []
        assert [rung for rung in offer.ladder.rungs[:-1] if not rung.needs_approval]  # the last is: give nothing
        assert offer.ladder.say_yes.sentence.startswith("You can say yes to this now")
        if fault == "ours" and grantable(offer):
            assert tried(at_desk, offers.grant_of(offer, grantable(offer)[0])) == ("done", None)


# who calls, and what they ask -----------------------------------------------------------------------------------------


def test_nobody_bargains_with_a_vulnerable_caller(at_desk: Desk) -> None:
    at_desk.owner.execute("UPDATE feed.customers SET is_vulnerable = true")
    for card in at_desk.callers(10):
        offer = at_desk.offer(card, contact_reason="cancel", fault="ours", ask=Ask(amount=20_000))
        assert not offer.ladder.is_negotiable
        roles = {role for rung in offer.ladder.rungs for role in rung.roles}
        assert not roles & {ASKED, OTHER}
        assert len(money(offer)) <= 1
        assert all(rung.amount <= 3_000 for rung in money(offer))


def test_after_three_offers_a_no_is_a_no(shared: Desk) -> None:
    card = next(card for card in shared.callers(20) if not card.facts.customer.is_vulnerable)
    assert not shared.offer(card, counter_offers_made=2).ladder.is_over
    last = shared.offer(card, counter_offers_made=3)
    assert last.ladder.is_over
    assert grantable(last) == []
    assert CANCEL in last.ladder.rungs[0].roles


def test_an_ask_below_the_opening_is_what_is_said_yes_to(shared: Desk) -> None:
    checked = 0
    for card in shared.callers(20):
        usual = shared.offer(card, contact_reason="cancel").ladder
        opening = usual.rungs[usual.shown] if usual.shown is not None else None
        if opening is None or opening.instrument != "bill_credit" or opening.amount <= 500 or not usual.is_negotiable:
            continue
        offer = shared.offer(card, contact_reason="cancel", ask=Ask(amount=500))
        shown = offer.ladder.rungs[offer.ladder.shown or 0]
        assert OPENING in shown.roles
        assert (shown.amount, shown.answers_ask, shown.reason) == (500, True, "They asked for exactly this: say yes.")
        assert tried(shared, offers.grant_of(offer, offer.ladder.shown or 0)) == ("done", None)
        checked += 1
    assert checked > 5


def test_the_reason_and_the_fault_change_the_ladder(shared: Desk) -> None:
    card = next(
        c for c in shared.callers(40) if not any(k.is_escalated and k.is_resolved is False for k in c.facts.contacts)
    )
    plain, ours, moving = (
        shared.offer(card, **call).ladder.rungs
        for call in ({}, {"fault": "ours"}, {"contact_reason": "move_home", "ask": Ask(in_kind="pause")})
    )
    assert [rungs[0].lever for rungs in (plain, ours, moving)][1:] == ["fix", "pause"]
    assert plain[0].lever not in {"fix", "pause"}
    assert moving[0].answers_ask


# what is owed ---------------------------------------------------------------------------------------------------------


def without_events(at: Desk) -> Card:
    """A caller of whom nothing is owed, and who pays on time."""
    at.owner.execute("DELETE FROM feed.change_events")
    at.owner.execute("UPDATE feed.invoices SET paid_on = due_on WHERE paid_on > due_on")
    return at.callers(1)[0]


def hit_by_outage(at: Desk, card: Card, hours: float) -> Card:
    """The same caller after an outage of their line."""
    put(
        at.owner, "change_events", kind="outage", title="Broadband down", region=card.facts.customer.region,
        starts_at=NOW - timedelta(days=3), ends_at=NOW - timedelta(days=3) + timedelta(hours=hours),
    )  # fmt: skip
    return at.card(card.facts.customer.customer_id)


def test_an_outage_is_refunded_first_once_and_from_no_budget(at_desk: Desk) -> None:
    card = without_events(at_desk)
    assert OWED not in at_desk.offer(card, contact_reason="fault").ladder.rungs[0].roles
    card = hit_by_outage(at_desk, card, hours=30)
    price = sum(line.monthly_price for line in card.facts.subscriptions if line.is_live(card.today))
    whole = round(price * 100 * 2 * 12 / 365)
    offer = at_desk.offer(card, contact_reason="fault")
    first = offer.ladder.rungs[0]
    assert (first.roles, first.instrument, first.amount, first.cost) == ((OWED,), "entitled_refund", whole, 0)
    assert first.reason.startswith("An outage of 30 hours from 12 Nov (2 days of ")
    spent = "SELECT sum(spent), sum(amount_limit) FROM desk.budget_counters"
    before = at_desk.owner.execute(spent).fetchone()
    entry = ledger.give(at_desk.database, at_desk.agent, offers.grant_of(offer, 0))
    assert (entry.amount, entry.budget_id) == (whole, None)
    assert at_desk.owner.execute(spent).fetchone() == before
    assert ledger.reconcile(at_desk.database) == []
    again = at_desk.offer(card, contact_reason="fault").ladder
    assert all(OWED not in rung.roles for rung in again.rungs)
    # It was no favour: nothing that counts favours has moved.
    assert again.question.case.given_days_ago == offer.ladder.question.case.given_days_ago
    caps = [
        {limit.kind: limit.amount for limit in held.limits}["rolling_cap"]
        for made in (offer.ladder, again) for held in made.bounds if held.instrument.instrument == "bill_credit"
    ]  # fmt: skip
    assert caps[0] == caps[1]


def test_a_refund_by_the_companys_records_counts_for_no_cap_either(at_desk: Desk) -> None:
    customer_id = without_events(at_desk).facts.customer.customer_id
    at_desk.owner.execute("DELETE FROM feed.concessions WHERE customer_id = %s", [customer_id])
    for instrument, amount in (("entitled_refund", 90), ("bill_credit", 20)):
        put(
            at_desk.owner, "concessions", customer_id=customer_id, instrument=instrument, amount=amount,
            given_at=NOW - timedelta(days=100),
        )  # fmt: skip
    offer = at_desk.offer(at_desk.card(customer_id), contact_reason="cancel")
    row = at_desk.owner.execute(
        "SELECT given_elsewhere FROM desk.decisions WHERE decision_id = %s", [offer.decision_id]
    ).fetchone()
    assert row == (2_000,)
    assert len(offer.ladder.question.case.given_days_ago) == 1


def test_a_late_fee_can_be_waived_when_they_ask(at_desk: Desk) -> None:
    card = without_events(at_desk)
    customer_id = card.facts.customer.customer_id
    at_desk.models = replace(at_desk.models, effect=None)  # by policy's table: whether it pays is not the question here
    asked = Ask(in_kind="fee_waiver")
    at_desk.owner.execute("DELETE FROM feed.concessions WHERE customer_id = %s", [customer_id])
    none = at_desk.offer(at_desk.card(customer_id), ask=asked).ladder
    assert none.question.spending.fee == 0
    assert all(rung.instrument != "fee_waiver" for rung in none.rungs)
    at_desk.owner.execute(
        "UPDATE feed.invoices SET paid_on = due_on + 2 WHERE invoice_id = (SELECT invoice_id FROM feed.invoices "
        "WHERE customer_id = %s AND due_on < '2026-11-01' ORDER BY due_on DESC LIMIT 1)", [customer_id],
    )  # fmt: skip
    offer = at_desk.offer(at_desk.card(customer_id), ask=asked)
    assert offer.ladder.question.spending.fee == 500
    waiver = next(i for i, rung in enumerate(offer.ladder.rungs) if rung.instrument == "fee_waiver")
    assert offer.ladder.rungs[waiver].amount == 500
    assert tried(at_desk, offers.grant_of(offer, waiver)) == ("done", None)


# what it rests on -----------------------------------------------------------------------------------------------------


class Broken:
    """An estimator that cannot read anybody, in one way or another."""

    def __init__(self, at_curve: bool) -> None:
        self.at_curve = at_curve

    def encode(self, row: object) -> object:
        if not self.at_curve:
            raise ValueError("a word nobody knows")
        return row

    def curve(self, *_: object) -> object:
        raise ValueError("no curve")

    gain_interval = curve


@pytest.mark.parametrize("at_curve", [False, True])
def test_a_caller_the_effect_model_cannot_read_gets_policys_table(at_desk: Desk, at_curve: bool) -> None:
    assert at_desk.models.effect is not None
    effect = replace(at_desk.models.effect.effect, estimator=Broken(at_curve))
    whole = at_desk.models
    at_desk.models = replace(whole, effect=replace(whole.effect, effect=effect))
    offer = at_desk.offer(at_desk.callers(1)[0], contact_reason="cancel")
    assert offer.ladder.curve is None
    again, receipt = offers.recompute(at_desk.database, "batch", offer.decision_id)
    assert receipt["inputs"]["versions"]["model"] == "none"
    assert offers.differences(again, receipt) == []
    at_desk.models = whole
    known = at_desk.offer(at_desk.callers(1)[0], contact_reason="cancel").ladder
    assert known.curve is not None
    assert "model" not in known.question.versions


def test_a_published_policy_is_read_once_and_a_newer_one_at_once(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    rows_of = stored.rows_of
    monkeypatch.setattr(stored, "rows_of", lambda *asked: (read.append(asked[3]), rows_of(*asked))[1])
    first = stored.policy_in_force(at_desk.database, at_desk.agent)
    read.clear()
    assert stored.policy_in_force(at_desk.database, at_desk.agent) is first
    assert read == ["in_force"]
    people = [row[0] for row in at_desk.owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'finance' LIMIT 2")]
    one, other = (ledger.open_session(at_desk.database, staff_id) for staff_id in people)
    version = ledger.draft_policy(at_desk.database, one, replace(default_policy(), title="Newer"))
    assert stored.policy_version(at_desk.database, one, version).title == "Newer"
    ledger.publish_policy(at_desk.database, other, version)
    newer = stored.policy_in_force(at_desk.database, at_desk.agent)
    assert (newer.version, newer.title) == (version, "Newer")
    monkeypatch.setattr(stored, "MOST_KEPT", 1)
    stored._kept.clear()
    for number in (first.version, version, first.version):
        stored.policy_version(at_desk.database, one, number)
        assert len(stored._kept) == 1
    assert stored.policy_version(at_desk.database, one, first.version) == first


def test_worth_is_reckoned_by_the_policy_in_force(at_desk: Desk) -> None:
    card = at_desk.callers(1)[0]
    usual = at_desk.offer(card).ladder.question.worth
    shorter = [
        replace(rule, value=Decimal(12)) if rule.effect == "worth_months" else rule for rule in default_policy().rules
    ]
    people = [row[0] for row in at_desk.owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'finance' LIMIT 2")]
    one, other = (ledger.open_session(at_desk.database, staff_id) for staff_id in people)
    version = ledger.draft_policy(at_desk.database, one, replace(default_policy(), rules=tuple(shorter)))
    ledger.publish_policy(at_desk.database, other, version)
    fresh = at_desk.card(card.facts.customer.customer_id)
    assert fresh.outlook.staying.shape[1] == 12
    assert card.outlook.staying.shape[1] == 36
    assert fresh.outlook.worth.clv[0] < 0.5 * card.outlook.worth.clv[0]
    # A card that was opened before is offered from by today's policy.
    assert at_desk.offer(card).ladder.question.worth.amount == at_desk.offer(fresh).ladder.question.worth.amount
    assert at_desk.offer(card).ladder.question.worth.amount < 0.5 * usual.amount


def test_what_all_of_a_teams_supervisors_have_used_is_no_longer_promised(at_desk: Desk) -> None:
    card, offer, index = at_desk.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=6_000))
    rung = offer.ladder.rungs[index]
    assert rung.instrument == "bill_credit"
    team = [row[0] for row in at_desk.owner.execute(
        "SELECT staff_id FROM desk.staff WHERE role = 'supervisor' AND is_active AND team = %s", [at_desk.agent.team]
    )]  # fmt: skip
    use = "INSERT INTO desk.agent_counters VALUES (%s, 'bill_credit', 'GBP', 'day', '2026-11-15', %s)"
    for staff_id in team[1:]:
        at_desk.owner.execute(use, [staff_id, 120_000])
    assert at_desk.offer(card, contact_reason="cancel", fault="ours", ask=Ask(amount=6_000)).ladder.say_yes.lifts_to
    at_desk.owner.execute(use, [team[0], 120_000 - 100])
    made = at_desk.offer(card, contact_reason="cancel", fault="ours", ask=Ask(amount=6_000)).ladder
    assert made.question.spending.supervisor_used == {"bill_credit": 119_900}
    assert not any(r.needs_approval and r.instrument == "bill_credit" for r in made.rungs)


def test_nearest_cases_work_from_the_card_and_from_the_receipt(at_desk: Desk) -> None:
    with db.connect(at_desk.settings, "batch") as connection:
        past_cases.refill(connection, stored.policy_in_force(at_desk.database, "batch"), NOW.date(), NOW)
    card = at_desk.callers(1)[0]
    offer = at_desk.offer(card, contact_reason="cancel", fault="ours")
    mine = offers.nearest_cases(at_desk.database, at_desk.agent, card, "cancel", fault="ours")
    receipt = offers.receipt_of(at_desk.database, at_desk.agent, offer.decision_id)
    supervisor = ledger.open_session(at_desk.database, SUPERVISOR)
    assert offers.nearest_cases(at_desk.database, supervisor, receipt) == mine
    assert len(mine) == 5
    assert [case.distance for case in mine] == sorted(case.distance for case in mine)
    said = offers.what_kept_similar(at_desk.database, at_desk.agent, card, "cancel")
    assert said is not None
    assert " of 25 similar callers stayed" in said


def test_the_usual_risk_is_that_of_the_newest_scoring(at_desk: Desk) -> None:
    mean = at_desk.owner.execute("SELECT avg(p_churn) FROM desk.scores").fetchone()[0]
    assert at_desk.callers(1)[0].usual_risk == pytest.approx(mean)
    at_desk.owner.execute(
        "INSERT INTO desk.scoring_runs (as_of, customers, mean_risk, risk_version) "
        "SELECT as_of, 5, 0.125, risk_version FROM desk.scoring_runs"
    )
    assert at_desk.callers(1)[0].usual_risk == 0.125


# made anew ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(4))
def test_a_thousand_receipts_give_the_same_ladders(shared: Desk, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """250 decisions of 25 callers in each part. A published policy never changes, so the test reads it once."""
    for name in ("policy_in_force", "policy_version"):
        monkeypatch.setattr(offers, name, cache(getattr(offers, name)))
    calls = list(product(CALLS, (0, 1)))
    stored = [
        shared.offer(
            card, contact_reason=reason, fault=fault, counter_offers_made=made,
            ask=Ask(amount=asked, in_kind=None if i % 7 else "pause"),
        )
        for i, card in enumerate(shared.callers(25, start=part * 25))
        for (reason, fault, asked), made in [calls[(part * 31 + i * 10 + j * 17) % len(calls)] for j in range(10)]
    ]  # fmt: skip
    assert len(stored) == 250
    for offer in stored:
        again, receipt = offers.recompute(shared.database, "batch", offer.decision_id)
        assert offers.differences(again, receipt) == []
        assert again == offer.ladder


def test_replay_on_the_command_line(
    shared: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = shared.callers(1)[0]
    offer = shared.offer(card, contact_reason="cancel", fault="ours")
    assert obeyed(shared, monkeypatch, "replay", str(offer.decision_id)) == 0
    assert "the same ladder" in capsys.readouterr().out

    receipt = offer.ladder.as_receipt()
    receipt["rungs"][0]["title"] = "Something else"
    forged = tampered(shared, card, offer, receipt)
    assert obeyed(shared, monkeypatch, "replay", str(forged)) == 1
    told = capsys.readouterr().out
    assert 'rungs[0].title: stored "Something else", now "Put it right, no charge"' in told
    assert "1 values differ" in told

    assert obeyed(shared, monkeypatch, "replay", str(uuid4())) == 1
    assert "There is no decision" in capsys.readouterr().err


def tampered(at: Desk, card: Card, offer: Offer, receipt: dict) -> UUID:
    """A decision whose receipt says something else than was reckoned."""
    decision = Decision(
        decision_id=uuid4(), case_id=UUID(card.case_id), customer_id=card.facts.customer.customer_id,
        policy_version=offer.ladder.policy_version or 0, currency="GBP", rolling_cap=5_000, rolling_days=365,
        rungs=(OfferedRung(rung=0, lever="fix", instrument="fix", amount=0, ceiling=0),), receipt=receipt,
    )  # fmt: skip
    return ledger.record_decision(at.database, at.agent, decision)


def obeyed(at: Desk, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(cli, "_leave_no_server", lambda: None)
    monkeypatch.setenv("KEEPLINE_DATABASE", at.settings.database)
    return cli.obey(cli.read_arguments(arguments))
