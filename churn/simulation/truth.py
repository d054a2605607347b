"""What only the simulator knows, as tables: kinds, curves, causes, talents. Nothing of it goes into the feed."""

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from churn.simulation.callers import KINDS, Callers, p_stay
from churn.simulation.clock import instant
from churn.simulation.details import Contacts, contact_ids, instants
from churn.simulation.events import last_effect_day, quiet_days
from churn.simulation.life import Life, World
from churn.simulation.people import customer_ids, dates, words
from churn.simulation.retention import team_budget, with_talent
from churn.simulation.staff import BETTER, Floor
from churn.simulation.wishes import LEAVE_REASONS


def customers_table(life: Life, until: int) -> pa.Table:
    """Hidden traits of each customer; the reason for leaving only of those who have left."""
    people, left = life.people, life.state.ends < until
    return pa.table(
        {
            "customer_id": customer_ids(people.index),
            "kind": words(KINDS, life.kind),
            "frailty": pa.array(people.frailty),
            "talkativeness": pa.array(people.talk),
            "line_quality": pa.array(people.line),
            "leave_reason": words(LEAVE_REASONS, np.where(left, life.leave_reason, -1)),
        }
    )


def calls_table(life: Life, contacts: Contacts, calls: dict[str, NDArray[Any]]) -> pa.Table:
    """Each retention call that has happened, with its chances with and without what was offered."""
    floor, at = life.floor, np.flatnonzero(contacts.call >= 0)
    c = {name: values[contacts.call[at]] for name, values in calls.items()}
    return pa.table(
        {
            "contact_id": contact_ids(life.number, len(contacts)).take(pa.array(at)),
            "customer_id": customer_ids(life.people.index).take(pa.array(c["customer"])),
            "called_at": instants(contacts.started[at]),
            "agent_id": words(floor.ids, c["agent"]),
            "team": words(floor.team_names, floor.team[c["agent"]]),
            "kind": words(KINDS, c["curve_kind"]),
            "seriousness": pa.array(c["curve_seriousness"]),
            "cap": pa.array(c["cap"]),
            "intended_amount": pa.array(c["intended"]),
            "amount": pa.array(c["amount"]),
            "propensity": pa.array(c["propensity"], from_pandas=True),
            "p_stay_without": pa.array(c["without"]),
            "p_stay_with": pa.array(c["given"]),
            "p_stay_20": pa.array(c["at_20"]),
            "p_stay_40": pa.array(c["at_40"]),
            "p_stay_80": pa.array(c["at_80"]),
            "worth": pa.array(np.round(c["curve_worth"], 2)),
            "stayed": pa.array(c["stayed"].astype(bool)),
            "leaves_on": dates(c["leaves_on"], ~c["stayed"].astype(bool)),
        }
    )


def curves_table(life: Life, contacts: Contacts, calls: dict[str, NDArray[Any]]) -> pa.Table:
    """What `callers.p_stay` needs to know of each call, row by row with `calls_table`. Kept in memory only."""
    at = np.flatnonzero(contacts.call >= 0)
    names = [f.name for f in fields(Callers)]
    columns = {name: pa.array(calls[f"curve_{name}"][contacts.call[at]]) for name in names}
    ids = contact_ids(life.number, len(contacts)).take(pa.array(at))
    return pa.table({"contact_id": ids, **columns, "talent": pa.array(calls["talent"][contacts.call[at]])})


def p_stay_of(curves: pd.DataFrame, amounts: ArrayLike, *, lever: str = "none") -> NDArray[np.float64]:
    """True chance of staying, (n, m), with that agent, for rows of `truth.curves` and amounts (m,) or (n, m)."""
    callers = Callers(**{f.name: curves[f.name].to_numpy() for f in fields(Callers)})
    return with_talent(p_stay(callers, amounts, lever=lever), curves["talent"].to_numpy()[:, None])


def causes_table(part: int, world: World, contacts: Contacts) -> pa.Table:
    """Which contacts an event brought, directly or as a repeat."""
    source = contacts.columns["source"]
    at = np.flatnonzero(source >= 0)
    return pa.table(
        {
            "contact_id": contact_ids(part, len(contacts)).take(pa.array(at)),
            "event_id": words([e.event_id for e in world.events], source[at]),
            "is_repeat": pa.array(contacts.columns["chain"][at] > 0),
        }
    )


def budgets_table(world: World, floor: Floor, customers: int) -> pa.Table:
    """The money each team of the floor may give in each month."""
    months, teams = len(world.starts) - 1, len(floor.team_names)
    return pa.table(
        {
            "team": pa.array(np.repeat(floor.team_names, months), pa.string()),
            "month": dates(np.tile(world.starts[:-1], teams)),
            "amount": pa.array(np.full(months * teams, team_budget(customers))),
        }
    )


class Tally:
    """Contacts brought by each event, added up over the parts."""

    def __init__(self, world: World) -> None:
        self._place = {e.event_id: i for i, e in enumerate(world.events)}
        self.audience = np.zeros(len(world.events), np.int64)
        self.extra, self.repeats = self.audience.copy(), self.audience.copy()

    def add(self, audience: NDArray[np.int64], causes: pa.Table) -> None:
        """Count one part's."""
        self.audience += audience
        for repeat, into in ((None, self.extra), (True, self.repeats)):
            rows = causes if repeat is None else causes.filter(pc.field("is_repeat"))
            for pair in pc.value_counts(rows["event_id"]).to_pylist():
                into[self._place[pair["values"]]] += pair["counts"]


def events_table(world: World, tally: Tally) -> pa.Table:
    """Every cause that has begun, announced or not."""
    chosen = [i for i, e in enumerate(world.events) if e.day < world.until]
    events = [world.events[i] for i in chosen]
    reach = [e.kernel[: world.until - e.day].sum() for e in events]  # the share of the effect before the data ends
    audience = tally.audience[chosen]
    return pa.table(
        {
            "event_id": pa.array([e.event_id for e in events]),
            "is_announced": pa.array([e.announced for e in events]),
            "kind": pa.array([e.kind for e in events]),
            "reason": pa.array([e.reason for e in events]),
            "title": pa.array([e.title for e in events]),
            "starts_at": instants(np.array([instant(e.day, e.minute)[()] for e in events], np.int64)),
            "effect_from": dates(np.array([e.day for e in events])),
            "effect_until": pa.array([last_effect_day(e) for e in events]),
            "lag_days": pa.array([float(e.kernel @ np.arange(e.span)) for e in events]),
            "audience_size": pa.array(audience.astype(np.int32)),
            "expected_extra": pa.array([e.rate * a * r for e, a, r in zip(events, audience, reach, strict=True)]),
            "extra_contacts": pa.array(tally.extra[chosen].astype(np.int32)),
            "extra_repeats": pa.array(tally.repeats[chosen].astype(np.int32)),
        }
    )


def agents_table(floors: list[Floor]) -> pa.Table:
    """Talent, leniency and hearing of every agent, and who is truly better or only lucky."""
    role = np.zeros(len(floors[0].ids), np.int64)
    role[BETTER] = 1
    role[floors[0].easier] = 2
    return pa.table(
        {
            "agent_id": pa.array([a for f in floors for a in f.ids]),
            "talent": pa.array(np.concatenate([f.talent for f in floors])),
            "leniency": pa.array(np.concatenate([f.given.leniency for f in floors])),
            "hearing": pa.array(np.concatenate([f.given.skill for f in floors])),
            "role": words(("ordinary", "better", "lucky"), np.tile(role, len(floors))),
        }
    )


def days_table(world: World) -> pa.Table:
    """Each day of the history, and whether any planted cause reaches into it."""
    first = int(world.starts[0])
    return pa.table(
        {
            "day": dates(np.arange(first, world.until)),
            "is_quiet": pa.array(quiet_days(world.events, first, world.until)),
        }
    )
