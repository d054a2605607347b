"""Open contacts that may be handed upwards: found and scored every night; the supervisors' list and the card's flag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from churn import db, registry, store
from churn.core import features
from churn.core.calls import escalation
from churn.core.calls.escalation import FLAGGED, HORIZON_DAYS, OPEN_DAYS, Escalation
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.risk import ChurnRisk
from churn.core.money import to_minor
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings

Rows = list[dict[str, Any]]
MOST_SCORED = 50_000
EXPLAINED = 500  # the likeliest: those a person may look at
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open contact. Worth in minor units; None: not scored."""

    contact_id: str
    customer_id: str
    as_of: datetime
    started_at: datetime
    reason: str | None
    team: str | None
    p_escalates: float
    usual: float
    because: list[str]
    worth: int | None
    currency: str


def open_contacts(connection: psycopg.Connection, instants: Sequence[datetime], *, most: int) -> Rows:
    """The contacts open at each instant, at most `most` of each, one a customer, with what became of them if it is
    known.
    """
    asked = {"instants": list(instants), "most": most, "open_days": OPEN_DAYS, "horizon_days": HORIZON_DAYS}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("escalations", "open_contacts"), asked).fetchall()


def with_features(connection: psycopg.Connection, contacts: Rows) -> tuple[Rows, Rows]:
    """Rows of features of the customers at those instants, and the contacts in the same order."""
    rows = store.features(connection, [c["customer_id"] for c in contacts], [c["as_of"] for c in contacts])
    by_key = {(contact["customer_id"], contact["as_of"]): contact for contact in contacts}
    return rows, [by_key[row["customer_id"], row["as_of"]] for row in rows]


def score_open(settings: Settings, *, progress: Tell) -> int | None:
    """Score every open contact anew, in one transaction; how many. None: no escalation model is in use."""
    with db.connect(settings, "batch") as connection:
        version = registry.current(connection).get("escalation")
        if version is None:
            return None
        company = store.company(connection)
        model: Fitted[ChurnRisk] = registry.load(connection, version.model_version)
        as_of = company.data_until or datetime.now(UTC)
        contacts = open_contacts(connection, [as_of], most=MOST_SCORED)
        scored = _scored(connection, model, contacts) if contacts else []
        told = {"currency": company.currency, "model_version": version.model_version}
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(query("escalations", "empty"))
            cursor.executemany(query("escalations", "fill"), [row | told for row in scored])
        progress(f"escalations: {len(scored):,} open contacts")
        return len(scored)


def waiting(connection: psycopg.Connection, *, by_worth: bool = False, most: int = MOST_SHOWN) -> list[Waiting]:
    """The open contacts a supervisor may see that are well above the usual chance, the likeliest first."""
    asked = {"times_usual": FLAGGED, "by_worth": by_worth, "most": most}
    with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(query("escalations", "waiting"), asked).fetchall()


def of_caller(connection: psycopg.Connection, customer_id: str) -> Escalation | None:
    """The chance that this caller's open contact is handed upwards; None where none is open or scored."""
    row = connection.execute(query("escalations", "of_caller"), {"customer_id": customer_id}).fetchone()
    return Escalation(row[0], row[1], tuple(row[2])) if row else None


def _scored(connection: psycopg.Connection, model: Fitted[ChurnRisk], contacts: Rows) -> Rows:
    rows, contacts = with_features(connection, contacts)
    frame = escalation.frame(rows, contacts, model.columns)
    chances = model.estimator.predict_proba(frame)[:, 1]
    customers = {"customers": [contact["customer_id"] for contact in contacts]}
    worth: dict[str, float] = dict(connection.execute(query("escalations", "worth_of"), customers).fetchall())
    currency = store.company(connection).currency
    likeliest = (-chances).argsort(kind="stable")[:EXPLAINED]
    moved = model.estimator.contributions(frame.iloc[likeliest]).to_dict("records")
    why = {
        int(k): escalation.because(points, contacts[k], features.flatten(rows[k]))
        for k, points in zip(likeliest, moved, strict=True)
    }
    return [
        {
            **{name: contact[name] for name in ("contact_id", "customer_id", "as_of", "started_at", "reason", "team")},
            "p_escalates": float(chance),
            "usual": float(chances.mean()),
            "because": why.get(k, []),
            "worth": to_minor(worth[contact["customer_id"]], currency) if contact["customer_id"] in worth else None,
        }
        for k, (contact, chance) in enumerate(zip(contacts, chances, strict=True))
    ]
