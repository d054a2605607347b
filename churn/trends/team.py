"""What the team page reads. The database shows an agent their own rows, a supervisor the team's and a leader all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from churn.core.trends.funnel import Funnel
from churn.core.trends.wins import Topic
from churn.queries import query


@dataclass(frozen=True, slots=True)
class Ground:
    """What the funnel is drawn from: one row for the whole company."""

    as_of: datetime
    window_days: int
    calls: int
    agents: int
    mean_variance: float
    overdispersion: float
    spread: float
    middle: float
    auc: float | None
    calibration_error: float | None

    @property
    def funnel(self) -> Funnel:
        """The funnel itself."""
        return Funnel(self.mean_variance, self.overdispersion, self.spread, self.middle)


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent's figures as the night made them; saves a call of usual difficulty, money in the company's currency."""

    staff_id: str
    name: str
    team: str | None
    since_on: date
    until_on: date
    calls: int
    saved: int
    expected: float
    variance: float
    usual_calls: float
    difference: float
    told: float
    shrunk: float
    low: float
    high: float
    zone: str
    retained_margin: Decimal | None
    given: Decimal
    asks: int
    ask_gap: Decimal | None
    offers: int
    overrides: int
    referrals_asked: int
    referrals_made: int
    referrals_missed: int
    hard_run: int
    hard_share: float | None

    @property
    def margin_per_unit(self) -> float | None:
        """Margin kept for each unit of money given; None where nothing was given or no margin is known."""
        return None if self.retained_margin is None or not self.given else float(self.retained_margin / self.given)


def ground(connection: psycopg.Connection) -> Ground | None:
    """What the funnel is drawn from; None before the first night."""
    with connection.cursor(row_factory=class_row(Ground)) as cursor:
        return cursor.execute(query("team", "funnel")).fetchone()


def agents(connection: psycopg.Connection) -> list[Agent]:
    """The agents one may see, by name: no order of merit."""
    with connection.cursor(row_factory=class_row(Agent)) as cursor:
        return cursor.execute(query("team", "agents")).fetchall()


def topics(connection: psycopg.Connection) -> dict[tuple[str, str], dict[str, Topic]]:
    """(key, name) of each agent one may see → contact reason → how they do with it, the commonest first."""
    found: dict[tuple[str, str], dict[str, Topic]] = {}
    for staff_id, name, topic, *figures in connection.execute(query("team", "topics")):
        found.setdefault((staff_id, name), {})[topic] = Topic(*figures)
    return found


def small_wins(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """staff_id, name, won_on, what, times: small wins of the last day."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("team", "small_wins")).fetchall()


def customers_words(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """staff_id, name, said_on, csat, words: what customers said, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("team", "customers_words")).fetchall()
