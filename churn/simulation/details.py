"""From what happened to rows: when exactly, by which channel, with whom, how it went and what was written down."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churn.simulation import clock
from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.happenings import AFTERWARDS, CODE, OUTBOUND, OWN, P_RESOLVED, REASONS, RETENTION, UNKNOWN
from churn.simulation.life import Life, World
from churn.simulation.notes import burst_word, write_notes
from churn.simulation.people import customer_ids, words
from churn.simulation.retention import INSTRUMENTS, agents_on
from churn.simulation.staff import Floor
from churn.simulation.state import Flags

CHANNELS = ("call", "chat", "email", "letter")
CHANNEL_SHARES = (0.64, 0.20, 0.13, 0.03)
QUEUES = ("technical", "billing", "retention", "sales", "care", "collections")
QUEUE_OF = {
    "fault": "technical", "billing": "billing", "price": "care", "complaint": "care", "move_home": "sales",
    "upgrade": "sales", "payment": "billing", "installation": "technical", "account": "care", "usage": "care",
    "cancel": "retention", "renewal": "retention", "service_update": "care", "collections": "collections",
    "satisfaction_survey": "care",
}  # fmt: skip
_QUEUE = np.array([QUEUES.index(QUEUE_OF[r]) for r in REASONS])
MINUTES = np.array([11.0, 8, 9, 14, 9, 8, 6, 7, 5, 4, 13, 6, 1, 5, 1])  # median handling time by reason


@dataclass(frozen=True)
class Contacts:
    """All contacts of a part in the order they came; arrays are (n,)."""

    columns: dict[str, NDArray[Any]]
    key: NDArray[np.uint64]  # names each contact for further draws
    started: Ints  # microseconds
    agent: Ints
    call: Ints  # row in the retention calls, -1 for others

    def __len__(self) -> int:
        return len(self.started)


def gather(world: World, life: Life, calls: dict[str, NDArray[Any]]) -> Contacts:
    """Contacts and retention calls together, in order of time, without those after leaving or after the data's end."""
    rows = _with_calls(world.chance, life, calls)
    keep = _happened(rows, life, world.until)
    rows = {name: values[keep] for name, values in rows.items()}
    who = np.where(rows["customer"] >= 0, life.people.index[rows["customer"]], -1 - life.number)
    key = world.chance.bits("contact", who, rows["month"], rows["source"], rows["place"], rows["chain"])
    channel = _channels(world.chance, rows, key)
    started = clock.instant(rows["day"], clock.minute_of_day(world.chance.uniform("minute", key), channel))
    started += world.chance.below(60, "second", key) * 1_000_000
    rows["channel"] = channel
    order = np.lexsort((key, started))
    rows = {name: values[order] for name, values in rows.items()}
    call, key = rows.pop("call"), key[order]
    agent = agents_on(world.chance, life.floor, "service agent", rows["month"], key)
    mine = call >= 0
    agent[mine] = calls["agent"][call[mine]]
    alone = (rows["source"] == OUTBOUND) & (rows["reason"] != CODE["renewal"])
    agent[alone] = -1
    return Contacts(rows, key, started[order], agent, call)


def _with_calls(chance: Chance, life: Life, calls: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    rows = {name: np.concatenate([m[name] for m in life.contacts]) for name in life.contacts[0]}
    n, m = len(rows["day"]), len(calls["day"])
    price, fault = calls["price_reason"].astype(bool), calls["fault"].astype(bool)
    who = (life.people.index[calls["customer"]], calls["month"])
    u = chance.uniform("call reason", *who)
    reason = np.select([(u < 0.6) | ~(price | fault), fault], [CODE["cancel"], CODE["complaint"]], CODE["price"])
    own = {
        "customer": calls["customer"],
        "month": calls["month"],
        "day": calls["day"],
        "reason": reason,
        "source": np.full(m, RETENTION),
        "place": np.zeros(m, np.int64),
        "chain": np.zeros(m, np.int64),
        "resolved": chance.uniform("call resolved", *who) < 0.75,  # says nothing of what comes later
        "goodwill": np.zeros(m),
    }
    joined = {name: np.concatenate([rows[name], own[name]]) for name in rows}
    joined["call"] = np.concatenate([np.full(n, -1), np.arange(m)])
    return joined


def _happened(rows: dict[str, NDArray[Any]], life: Life, until: int) -> Flags:
    state, who = life.state, rows["customer"]
    known = who >= 0
    within = (rows["day"] >= state.joined[who]) & (rows["day"] <= state.ends[who])
    anyway = np.isin(rows["source"], [AFTERWARDS, RETENTION]) | ~known
    return np.asarray((rows["day"] < until) & (within | anyway))


def _channels(chance: Chance, rows: dict[str, NDArray[Any]], key: NDArray[np.uint64]) -> Ints:
    channel = chance.pick(CHANNEL_SHARES, "channel", key)
    channel = np.where(rows["source"] == RETENTION, np.where(channel == 1, 1, 0), channel)
    out = rows["source"] == OUTBOUND
    post = np.where(rows["reason"] == CODE["collections"], 3, 2)
    return np.where(out, np.where(rows["reason"] == CODE["renewal"], 0, post), channel)


def contacts_table(world: World, life: Life, contacts: Contacts, calls: dict[str, NDArray[Any]]) -> pa.Table:
    """Rows of `feed.contacts`."""
    chance, key, rows = world.chance, contacts.key, contacts.columns
    reason, channel, n = rows["reason"], rows["channel"], len(contacts)
    resolved = rows["resolved"].astype(bool)
    outbound = rows["source"] == OUTBOUND
    minutes = MINUTES[reason] * np.exp(0.5 * chance.normal("handling", key)) * np.where(channel == 1, 1.6, 1.0)
    timed = (channel <= 1) | (reason == CODE["renewal"])
    ended = contacts.started + np.round(minutes.clip(0.5, 120) * 60).astype(np.int64) * 1_000_000
    over = ended <= clock.instant(world.until, 0)  # a call may still be going on when the data ends
    escalated = chance.uniform("escalated", key) < _escalation(reason, rows["chain"], resolved) * ~outbound
    uncoded = (chance.uniform("uncoded", key) < 0.05) | (outbound & (reason != CODE["renewal"]))
    unknown = (rows["source"] == UNKNOWN) | (
        (chance.uniform("unmatched", key) < 0.008) & (rows["source"] == OWN) & (rows["goodwill"] == 0)
    )
    unmatched = np.where(unknown, -1, rows["customer"])
    id_of = customer_ids(life.people.index)
    reasonless = chance.uniform("no reason", key) < 0.03
    return pa.table(
        {
            "contact_id": contact_ids(life.number, n),
            "customer_id": id_of.take(pa.array(unmatched.clip(0), mask=unmatched < 0)),
            "started_at": instants(contacts.started),
            "ended_at": instants(ended, timed & over & (chance.uniform("no end", key) > 0.01)),
            "channel": words(CHANNELS, channel),
            "direction": words(("in", "out"), outbound.astype(int)),
            "queue": words(QUEUES, np.where(rows["source"] == RETENTION, 2, _QUEUE[reason])),
            "reason": words(REASONS, np.where(reasonless & (rows["source"] != RETENTION), -1, reason)),
            "agent_id": words(life.floor.ids, contacts.agent),
            "is_resolved": pa.array(resolved, mask=uncoded | ~over),
            "is_escalated": pa.array(escalated),
            "csat": _csat(chance, contacts, life.floor, resolved, escalated),
            "notes": _notes(world, contacts, calls, resolved),
        }
    )


def _escalation(reason: Ints, chain: Ints, resolved: Flags) -> Array:
    """Chance of being handed upwards: complaints, and the same matter for the third time."""
    base = np.where(reason == CODE["complaint"], 0.11, np.where(reason == CODE["fault"], 0.012, 0.006))
    return np.asarray(np.minimum(base * (1.0 + 2.2 * chain) * np.where(resolved, 0.5, 1.6), 0.9))


def _csat(chance: Chance, contacts: Contacts, floor: Floor, resolved: Flags, escalated: Flags) -> pa.Array:
    key, rows = contacts.key, contacts.columns
    talent = np.append(floor.talent, 0.0)[contacts.agent]
    feeling = 0.5 + 1.1 * resolved - 1.2 * escalated - 0.35 * rows["chain"] + 0.5 * talent
    score = np.round(3.2 + 0.8 * feeling + 0.9 * chance.normal("csat", key)).clip(1, 5).astype(np.int16)
    asked = (chance.uniform("answers csat", key) < 0.24) & (rows["source"] != OUTBOUND) & (rows["channel"] <= 1)
    return pa.array(score, mask=~asked)


def _notes(world: World, contacts: Contacts, calls: dict[str, NDArray[Any]], resolved: Flags) -> pa.Array:
    rows = contacts.columns
    mine = contacts.call >= 0
    seems_to_stay = np.zeros(len(contacts), bool)
    at = contacts.call[mine]
    seems_to_stay[mine] = calls["stayed"][at].astype(bool) | (calls["leaves_on"][at] > calls["day"][at] + 14)
    ending = np.where(mine, np.where(seems_to_stay, 2, 3), np.where(resolved, 0, 1))
    titles = [burst_word(e.title) if not e.announced else None for e in world.events]
    own = [t for t in titles if t is not None]
    place = np.array([own.index(t) if t is not None else -1 for t in titles] + [-1], np.int64)
    source = np.where(rows["source"] >= 0, rows["source"], len(titles))
    return write_notes(
        world.chance, contacts.key, reason=rows["reason"], channel=rows["channel"], ending=ending,
        burst=place[source], bursts=own,
    )  # fmt: skip


def concessions_table(life: Life, contacts: Contacts, calls: dict[str, NDArray[Any]]) -> pa.Table:
    """Rows of `feed.concessions`: offers on retention calls, goodwill, and calls money was meant for that got none."""
    at = np.flatnonzero(contacts.call >= 0)
    call = contacts.call[at]
    # Without those who got none of what was meant, by lot or because the money was gone, nothing says what it changed.
    meant = (calls["intended"][call] > 0) | np.isfinite(calls["propensity"][call])
    logged = (calls["amount"][call] > 0) | meant
    kind = np.flatnonzero(
        (contacts.columns["goodwill"] > 0) & (contacts.columns["customer"] >= 0) & (contacts.agent >= 0)
    )
    at, call = at[logged], call[logged]
    rows = np.concatenate([at, kind])
    none = np.full(len(kind), np.nan)
    instrument = np.concatenate([calls["instrument"][call], np.full(len(kind), 2)])
    amount = np.concatenate([calls["amount"][call], contacts.columns["goodwill"][kind]])
    intended = np.concatenate([calls["intended"][call], none])
    propensity = np.concatenate([calls["propensity"][call], none])
    order = np.argsort(rows, kind="stable")
    rows, instrument, amount = rows[order], instrument[order], amount[order]
    return pa.table(
        {
            "concession_id": pc.binary_join_element_wise(f"G{life.number:03d}-", _padded(np.arange(len(rows)), 6), ""),
            "customer_id": customer_ids(life.people.index).take(pa.array(contacts.columns["customer"][rows])),
            "contact_id": contact_ids(life.number, len(contacts)).take(pa.array(rows)),
            "agent_id": words(life.floor.ids, contacts.agent[rows]),
            "given_at": instants(contacts.started[rows] + 180_000_000),
            "instrument": words(INSTRUMENTS, instrument),
            "amount": pa.array(amount),
            "months": pa.array(np.full(len(rows), 6, np.int16), mask=instrument != 1),
            "intended_amount": pa.array(intended[order], from_pandas=True),
            "propensity": pa.array(propensity[order], from_pandas=True),
        }
    )


def contact_ids(part: int, n: int) -> pa.Array:
    """Ids of a part's contacts in order of time."""
    return pc.binary_join_element_wise(f"C{part:03d}-", _padded(np.arange(n), 7), "")


def _padded(number: Ints, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")


def instants(us: Ints, known: Flags | None = None) -> pa.Array:
    """UTC instants from microseconds since 1970; null where not `known`."""
    return pa.array(us, mask=None if known is None else ~known).cast(pa.timestamp("us", tz="UTC"))


assert len(P_RESOLVED) == len(REASONS) == len(MINUTES)  # noqa: S101 - tables by reason stay in step
