"""A small desk to give from: people, a policy, budgets, cases. Every amount in pence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg

from churn import ledger
from churn.core.grants import Decision, Entry, Grant, OfferedRung, Session
from churn.core.policies.policy import Authority, Instrument, Policy, Rule
from churn.db import Database

NOON = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
OCTOBER = date(2026, 10, 1)


def small_policy(**changes: object) -> Policy:
    """Credits and monthly discounts, a fix, a refund; £35 alone, £100 with a supervisor."""
    money = {"cost_model": "once", "step_amount": 100}
    held = {
        "title": "small",
        "currency": "GBP",
        "instruments": (
            Instrument(instrument="fix", title="Fix", lever="fix", cost_model="none", max_amount=0, draws_budget=False),
            Instrument(instrument="bill_credit", title="Credit", lever="credit", max_amount=20_000, **money),
            Instrument(
                instrument="monthly_discount",
                title="Discount",
                lever="discount",
                cost_model="monthly",
                max_amount=20_000,
                max_months=12,
            ),
            Instrument(
                instrument="entitled_refund",
                title="Refund",
                lever="credit",
                max_amount=50_000,
                is_entitlement=True,
                draws_budget=False,
                **money,
            ),
        ),
        "rules": (
            rule("cap", "rolling_cap", 30_000, "money", window_days=365),
            rule("offers", "counter_offers", 3, "times"),
            rule("horizon", "horizon", 90, "days"),
            rule("rate", "discount_rate", Decimal("0.1"), "per_year"),
            rule("ceiling", "ceiling", 20_000, "money"),
        ),
        "authority": tuple(
            Authority(role=role, instrument=name, per_grant=each * most, per_window=window, time_window="day")
            for name, most in (("bill_credit", 1), ("monthly_discount", 1), ("fix", 0), ("entitled_refund", 1))
            for role, each, window in (("agent", 3_500, 1_000_000), ("supervisor", 10_000, 2_000_000))
        ),
    }
    return Policy(**held | changes)


def rule(code: str, effect: str, value: object, unit: str, **conditions: object) -> Rule:
    """A rule whose topic is its effect."""
    held = None if value is None else Decimal(str(value))
    return Rule(code=code, topic=effect, effect=effect, value=held, unit=unit, reason="Because.", **conditions)


@dataclass
class World:
    """The desk under test and shortcuts to act on it."""

    database: Database
    owner: psycopg.Connection
    version: int = 0
    sessions: dict[str, Session] = field(default_factory=dict)

    def __getitem__(self, staff_id: str) -> Session:
        """The session of a person, opened when first asked for."""
        if staff_id not in self.sessions:
            self.sessions[staff_id] = ledger.open_session(self.database, staff_id)
        return self.sessions[staff_id]

    def set_clock(self, at: datetime) -> None:
        """Set the company's own time."""
        self.owner.execute("UPDATE desk.company SET data_until = %s", [at])

    def budget(
        self, amount: int, *, team: str = "north", instrument: str = "bill_credit", month: date = date(2026, 11, 1)
    ) -> None:
        """Put money into a budget, by two people."""
        key = ledger.propose_budget(
            self.database,
            self["finn"],
            team=team,
            instrument=instrument,
            month=month,
            currency="GBP",
            amount=amount,
            reason="plan",
        )
        ledger.confirm_budget(self.database, self["fay"], key)

    def publish(self, policy: Policy) -> int:
        """Put a policy in force now, by two people."""
        version = ledger.draft_policy(self.database, self["finn"], policy)
        ledger.publish_policy(self.database, self["fay"], version, effective_from=None)
        self.version = version
        return version

    def case(self, staff_id: str, customer_id: str) -> UUID:
        """A call on somebody's screen."""
        row = self.owner.execute(
            "INSERT INTO desk.cases (staff_id, customer_id, opened_by) VALUES (%s, %s, 'search') RETURNING case_id",
            [staff_id, customer_id],
        ).fetchone()
        assert row is not None
        return row[0]

    def decision(self, staff_id: str, customer_id: str = "C1", *amounts: int, **changes: object) -> Decision:
        """A decision with one credit rung for each amount, not yet recorded."""
        names = ("cooldown_days", "redemptions", "redemption_days", "needs_approval")
        limits = {name: changes.pop(name) for name in names if name in changes}
        rungs = tuple(
            OfferedRung(rung=i, lever="credit", instrument="bill_credit", amount=amount, ceiling=20_000, **limits)
            for i, amount in enumerate(amounts)
        )
        held = {
            "decision_id": uuid4(),
            "case_id": self.case(staff_id, customer_id),
            "customer_id": customer_id,
            "policy_version": self.version,
            "currency": "GBP",
            "rungs": rungs,
            "rolling_cap": 30_000,
            "rolling_days": 365,
            "receipt": {"why": "test"},
        }
        return Decision(**held | changes)

    def offer(self, staff_id: str, customer_id: str = "C1", amount: int = 2_000, **changes: object) -> Grant:
        """A recorded decision with one credit of `amount`, ready to be given."""
        decision = self.decision(staff_id, customer_id, amount, **changes)
        ledger.record_decision(self.database, self[staff_id], decision)
        return Grant(decision_id=decision.decision_id, instrument="bill_credit", amount=amount, currency="GBP")

    def give(
        self, staff_id: str = "ann", customer_id: str = "C1", amount: int = 2_000, **changes: object
    ) -> ledger.Entry:
        """Offer and give at once."""
        return ledger.give(self.database, self[staff_id], self.offer(staff_id, customer_id, amount, **changes))

    def spent(self, team: str = "north", instrument: str = "bill_credit", month: date = date(2026, 11, 1)) -> int:
        """What a budget's counter says."""
        row = self.owner.execute(
            "SELECT spent FROM desk.budgets JOIN desk.budget_counters USING (budget_id) "
            "WHERE team = %s AND instrument = %s AND month = %s",
            [team, instrument, month],
        ).fetchone()
        assert row is not None
        return row[0]


def populate(owner: psycopg.Connection, teams: int = 2) -> None:
    """The company and its people: ann and abe give in team north, nor leads it; ben gives in south, sue leads it."""
    owner.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, data_until, source) "
        "VALUES ('Test', 'Europe/London', 'GB', 'GBP', %s, 'simulated')",
        [NOON],
    )
    people = [
        ("ann", "agent", "north"),
        ("abe", "agent", "north"),
        ("nor", "supervisor", "north"),
        ("ned", "supervisor", "north"),
        ("ben", "agent", "south"),
        ("sue", "supervisor", "south"),
        ("finn", "finance", None),
        ("fay", "finance", None),
        ("lea", "leader", None),
        *((f"agent{i}", "agent", f"team{i % teams}") for i in range(32)),
    ]
    with owner.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO desk.staff (staff_id, name, role, team) VALUES (%s, %s, %s, %s)",
            [(who, who.title(), role, team) for who, role, team in people],
        )


def build(database: Database, owner: psycopg.Connection, *, budget: int | None = 100_000, teams: int = 2) -> World:
    """A desk with people, the small policy in force and, unless None, a November budget for team north."""
    populate(owner, teams)
    world = World(database, owner)
    world.publish(small_policy())
    if budget is not None:
        world.budget(budget)
    return world


def add_office(owner: psycopg.Connection) -> None:
    """The roles that are on no call: ana, an analyst, and adi, an administrator."""
    owner.execute(
        "INSERT INTO desk.staff (staff_id, name, role) "
        "VALUES ('ana', 'Ana', 'analyst'), ('adi', 'Adi', 'administrator')"
    )


def give_in_october(world: World) -> Entry:
    """£60 given in October, by a policy in force since September; then it is NOON. The last entry, of £15 to C2."""
    world.set_clock(datetime.fromisoformat("2026-09-20T12:00Z"))
    world.publish(small_policy())
    world.set_clock(datetime.fromisoformat("2026-10-01T12:00Z"))
    world.budget(100_000, month=OCTOBER)
    world.give("ann", "C1", 3_500)
    world.give("abe", "C1", 1_000)
    last = world.give("ann", "C2", 1_500)
    world.set_clock(NOON)
    return last
