"""Who works there: agents in teams on two sites, their supervisors and the few others who sign in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.simulation.callers import Agents, draw_agents
from churn.simulation.chance import Array, Chance
from churn.simulation.names import staff_names

AGENTS, TEAMS = 40, 4
SITES = ("Leeds", "Cardiff")
TEAM_NAMES = ("Leeds Aire", "Leeds Calder", "Cardiff Bay", "Cardiff Taff")
BETTER, LUCKY = 11, 26  # places in the floor of the truly better agent and of the lucky one
CAPS = np.array([60.0, 90.0, 120.0])  # authority by grade, pounds a call
OFFICE = ("leader", "leader", "finance", "finance", "analyst", "administrator", "administrator")


@dataclass(frozen=True)
class Floor:
    """The agents of one part of the company; arrays are (AGENTS,) unless said."""

    number: int
    ids: list[str]
    team: NDArray[np.int64]
    team_names: list[str]
    given: Agents  # leniency, hearing, drift by month
    talent: Array  # logits of staying
    cap: Array  # pounds
    present: Array  # (months, AGENTS): share of a full week worked that month; 0 before joining and after leaving
    easier: NDArray[np.bool_]  # gets the easier calls


def draw_floor(chance: Chance, number: int, months: int) -> Floor:
    """The floor that serves part `number`; the same for the same seed whatever the size of the company."""
    people = np.arange(AGENTS)
    talent = 0.12 * chance.normal("talent", number, people)
    talent[BETTER], talent[LUCKY] = 0.95, 0.0
    present = np.ones((months, AGENTS)) * np.where(chance.uniform("part time", number, people) < 0.25, 0.6, 1.0)
    present[:, LUCKY] = 0.8
    changing = chance.uniform("comes or goes", number, people)
    changing[[BETTER, LUCKY]] = 0.5
    when = chance.below(months, "comes or goes when", number, people)
    month = np.arange(months)[:, None]
    present[(changing < 0.08) & (month >= when)] = 0.0
    present[(changing > 0.88) & (month < when)] = 0.0
    suffix = "" if number == 0 else f" {number + 1}"
    return Floor(
        number=number,
        ids=[f"A{number * AGENTS + i + 1:03d}" for i in range(AGENTS)],
        team=people % TEAMS,
        team_names=[name + suffix for name in TEAM_NAMES],
        given=draw_agents(chance.generator("agents", number), n_agents=AGENTS, n_months=months),
        talent=talent,
        cap=CAPS[chance.pick((0.5, 0.35, 0.15), "grade", number, people)],
        present=present,
        easier=people == LUCKY,
    )


def staff_rows(chance: Chance, floors: list[Floor]) -> list[tuple[str, str, str, str | None, bool]]:
    """(staff_id, name, role, team, is_active) for the desk: every floor's agents and supervisors, then the office."""
    rows: list[tuple[str, str, str, str | None, bool]] = []
    for floor in floors:
        names = staff_names(chance, AGENTS + TEAMS, floor.number)
        rows += [
            (floor.ids[i], names[i], "agent", floor.team_names[floor.team[i]], bool(floor.present[-1, i] > 0))
            for i in range(AGENTS)
        ]
        rows += [
            (f"S{floor.number * TEAMS + t + 1:02d}", names[AGENTS + t], "supervisor", floor.team_names[t], True)
            for t in range(TEAMS)
        ]
    names = staff_names(chance, len(OFFICE), -1)
    rows += [(f"O{i + 1:02d}", names[i], role, None, True) for i, role in enumerate(OFFICE)]
    return rows
