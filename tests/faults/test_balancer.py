"""Four processes behind nginx; one is killed in the middle of its agents' calls, and nobody's case loses anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from churn import db, people
from churn.settings import Settings
from tests.balancer import Balanced, Process, balanced
from tests.bench.agents import Agent, Caller
from tests.bench.load_company import callers
from tests.tabs import Lost

AGENTS = 6  # three with the process that is killed, one with each of the others
SUBJECTS = [f"agent{n}@desk.example" for n in range(AGENTS)]


@pytest.fixture
def many(desk: Settings, tmp_path: Path) -> Iterator[Balanced]:
    """Four processes, and six agents of a team that has money."""
    database = db.open_database(desk, size=1)
    team = next(one.team for one in people.everyone(database) if one.role == "agent")
    for n, subject in enumerate(SUBJECTS):
        people.put(database, people.Employee(f"Z{n}", f"Zed {n}", "agent", team, subject))
    database.close()
    with balanced(desk, tmp_path, SUBJECTS) as running:
        yield running


@pytest.mark.slow
def test_a_killed_process_costs_its_users_one_reload_and_nothing_they_did(many: Balanced, desk: Settings) -> None:
    victim, *others = many.processes
    homes = [victim, victim, victim, *others]
    agents = [Agent(many.sign_in(who, to=home), None) for who, home in zip(SUBJECTS, homes, strict=True)]
    on_the_line = able_to_give(desk)[:AGENTS]
    for agent, caller in zip(agents, on_the_line, strict=True):
        agent.find(caller)
        agent.hear("billing", "ours")
        agent.ask(15.0)
    has_given, clicks_as_it_dies, has_asked, *unharmed = agents
    has_given.give_or_refuse()

    click = threading.Thread(target=lambda: give_if_possible(clicks_as_it_dies))
    click.start()
    time.sleep(0.03)  # the click is under way
    victim.kill()
    click.join(90)

    for agent in unharmed:  # their lines were never cut
        agent.give_or_refuse()
    for agent, caller in zip(agents[:3], on_the_line, strict=False):
        with pytest.raises(Lost):
            agent.tab.run()
        assert many.leads_to(agent.at) != victim.port
        agent.reload()
        shows_the_call_so_far(agent, caller)
    assert "given and recorded as entry" in has_given.tab.text()
    has_asked.give_or_refuse()
    if "given and recorded as entry" not in clicks_as_it_dies.tab.text():
        clicks_as_it_dies.give_or_refuse()
    assert [agent.played.faults for agent in agents] == [[]] * AGENTS
    assert grants(desk) == sorted((who.customer_id, 1) for who in on_the_line)

    victim.start()
    victim.wait()
    comes_back(many, victim, has_given)
    shows_the_call_so_far(has_given, on_the_line[0])
    for agent in agents:
        agent.end()
        agent.close()
    assert open_cases(desk) == 0


def able_to_give(settings: Settings) -> list[Caller]:
    """Callers in an order of their own."""
    return callers(settings)


def give_if_possible(agent: Agent) -> None:
    with suppress(Lost):
        agent.give_or_refuse()


def shows_the_call_so_far(agent: Agent, caller: Caller) -> None:
    """Who rang, why, whose fault, what they asked for: all of it chosen before the process was gone."""
    said = agent.tab.text()
    assert caller.name in said
    assert agent.tab.find("selectbox", key="reason-").raw_value == "billing"
    assert list(agent.tab.find("button_group", key="fault-").raw_values) == ["ours"]
    assert "Their ask: **£15" in said


def comes_back(many: Balanced, process: Process, agent: Agent) -> None:
    """nginx tries a process again some seconds after it was gone: reload until it has this agent again."""
    deadline = time.monotonic() + 60
    while many.leads_to(agent.at) != process.port:
        assert time.monotonic() < deadline, "nginx never came back to the process"
        time.sleep(0.5)
    agent.reload()


def grants(settings: Settings) -> list[tuple[str, int]]:
    """Grants in the ledger by customer."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        found = connection.execute(
            "SELECT customer_id, count(*) FROM desk.ledger WHERE kind = 'grant' AND staff_id LIKE 'Z%' GROUP BY 1"
        )
        return sorted(found.fetchall())


def open_cases(settings: Settings) -> int:
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM desk.cases WHERE staff_id LIKE 'Z%' AND closed_at IS NULL"
        ).fetchone()
    assert row is not None
    return int(row[0])
