"""A click on the offer runs the offer alone: over the real websocket, for only there are there fragments."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from churn import db
from churn.settings import Settings
from churn.ui.gate import JUST_ASKED
from tests.balancer import Process, free_ports
from tests.bench.agents import Agent
from tests.bench.load_company import callers
from tests.tabs import Address

pytestmark = pytest.mark.slow


@pytest.fixture
def owner(desk: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as connection:
        yield connection


@pytest.fixture
def agent(desk: Settings, tmp_path: Path, owner: psycopg.Connection) -> Iterator[Agent]:
    """An agent with a caller's card before them, in a process of their own."""
    app = Process(free_ports(1)[0], desk.database, tmp_path, dict(os.environ))
    app.start()
    app.wait()
    row = owner.execute("SELECT min(staff_id) FROM desk.staff WHERE role = 'agent' AND is_active").fetchone()
    assert row is not None
    made = Agent(Address(app.port), row[0])
    made.find(callers(desk)[0])
    yield made
    made.close()
    app.stop()


def test_it_sends_the_offer_only_counts_as_life_and_ends_with_the_session(
    agent: Agent, owner: psycopg.Connection
) -> None:
    whole, above = agent.tab.received, agent.tab.text().split("ASK FIRST")[0]
    agent.hear("billing", "theirs")
    assert agent.tab.received - whole < whole  # both clicks together less than the card
    assert agent.tab.text().startswith(above)  # and the rest of it still stands
    assert "LAST CONTACTS" in agent.tab.text()

    owner.execute("UPDATE desk.sessions SET last_seen_at = clock_timestamp() - interval '29 minutes'")
    time.sleep(JUST_ASKED.total_seconds())
    agent.ask(15.0)
    assert "Their ask: **£15" in agent.tab.text()
    seen = owner.execute("SELECT max(last_seen_at) > clock_timestamp() - interval '1 minute' FROM desk.sessions")
    assert seen.fetchone() == (True,)

    owner.execute("UPDATE desk.sessions SET revoked_at = clock_timestamp()")
    before = owner.execute("SELECT count(*) FROM desk.sessions").fetchone()
    agent.tab.choose("ours", key="fault-")
    assert owner.execute("SELECT count(*) - 1 FROM desk.sessions").fetchone() == before  # local mode lets them in anew
    assert "Their ask: **£15" in agent.tab.text()
    assert agent.played.faults == []
