"""The night's judgement of calls: validated saves by agent against what their callers would have done with anybody.

Read are the newest calls of a year of people who came to cancel, as the features of the day before the call had them;
an expectation never comes from calls of the agent it is held against (`churn.core.trends.case_mix`). How long anybody
talked is nowhere read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import dict_row

from churn import db, store
from churn.core import features
from churn.core.money import to_major
from churn.core.refusals import NotEnoughData
from churn.core.trends import case_mix, funnel, wins
from churn.core.trends.case_mix import Expected
from churn.core.voice.quotes import mask_quote
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings

SINCE_DAYS = 731  # two years: an agent has a few hundred calls of people who came to cancel in that time
MOST_CALLS = 40_000
BATCH = 5_000
FORTNIGHT = 14
LONGEST_WORDS = 240


@dataclass(frozen=True, slots=True)
class Judged:
    """What one night judged. `refusal`: why nobody was judged."""

    agents: int
    calls: int
    above: int
    below: int
    refusal: str | None = None

    def __str__(self) -> str:
        """One line for whoever ran it."""
        if self.refusal is not None:
            return f"nobody judged: {self.refusal}"
        return (
            f"{self.calls:,} calls of {self.agents:,} agents; beyond the outer limits {self.above:,} above and "
            f"{self.below:,} below"
        )


def judge(settings: Settings, *, progress: Tell) -> Judged:
    """Make every agent's figures anew, in one transaction. Raises store.NoCompany."""
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        as_of = company.data_until or datetime.now(UTC)
        today = store.local_day(as_of, company.time_zone)
        progress("team: reading calls of people who came to cancel")
        calls = read_calls(connection, today)
        frame = features_of(connection, calls, progress)
        calls = calls.loc[frame.index]
        try:
            progress(f"team: what {len(calls):,} callers would have done with anybody")
            expected = case_mix.expect(
                frame, calls["is_saved"].to_numpy(float), calls["is_known"].to_numpy(), calls["staff_id"].to_numpy()
            )
        except NotEnoughData as refusal:
            return Judged(0, len(calls), 0, 0, str(refusal))
        with connection.transaction():
            connection.execute(query("team", "clear_outcomes"))
            connection.execute(query("team", "clear_funnel"))
            connection.execute(query("team", "clear_topics"))
            connection.execute(query("team", "clear_wins"))
            connection.execute(query("team", "clear_words"))
            told = _write_outcomes(connection, calls, expected, as_of, company.currency)
            _write_topics(connection, calls, expected)
            _write_wins(connection, as_of)
            _write_words(connection, as_of)
    return told


def read_calls(connection: psycopg.Connection, today: date) -> pd.DataFrame:
    """A row a call, oldest first: intent_id, customer_id, staff_id, topic, called_on, known_at, is_known, is_saved."""
    asked = {"today": today, "since": today - timedelta(days=SINCE_DAYS), "most": MOST_CALLS}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("team", "calls"), asked).fetchall()
    columns = ["intent_id", "customer_id", "staff_id", "topic", "called_on", "known_at", "is_known", "is_saved"]
    return pd.DataFrame(rows, columns=columns)


def features_of(connection: psycopg.Connection, calls: pd.DataFrame, progress: Tell) -> pd.DataFrame:
    """What a model may know of each caller the day before, indexed like `calls`, unknown customers left out."""
    rows: list[dict[str, Any]] = []
    for at in range(0, len(calls), BATCH):
        part = calls.iloc[at : at + BATCH]
        rows += store.features(connection, part["customer_id"].tolist(), part["known_at"].tolist())
        progress(f"team: {len(rows):,} callers read")
    place = {
        key: i for i, key in zip(calls.index, zip(calls["customer_id"], calls["known_at"], strict=True), strict=True)
    }
    if not rows:
        return pd.DataFrame()
    frame = features.frame(rows)
    at_call = [place[row["customer_id"], row["as_of"]] for row in rows]
    return frame[features.usable(frame.columns)].set_axis(at_call).sort_index()


def _write_outcomes(
    connection: psycopg.Connection, calls: pd.DataFrame, expected: Expected, as_of: datetime, currency: str
) -> Judged:
    chance = pd.Series(expected.chance, index=calls.index)
    known = calls["is_known"]
    held = calls[known].assign(p=chance[known], v=chance[known] * (1 - chance[known]))
    agents = held.groupby("staff_id").agg(
        calls=("p", "size"), saved=("is_saved", "sum"), expected=("p", "sum"), variance=("v", "sum"),
        since_on=("called_on", "min"), until_on=("called_on", "max"),
    )  # fmt: skip
    made, places = funnel.place_all(*(agents[name] for name in ("calls", "saved", "expected", "variance")))
    since = held["called_on"].min()
    more = _everything_else(connection, held["intent_id"].tolist(), since, currency)
    hard = _hard(calls, chance)
    for (staff_id, row), place in zip(agents.iterrows(), places, strict=True):
        connection.execute(
            query("team", "add_outcome"),
            {
                "staff_id": staff_id, "since_on": row["since_on"], "until_on": row["until_on"],
                "calls": int(row["calls"]), "saved": int(row["saved"]), "expected": float(row["expected"]),
                "variance": float(row["variance"]),
                "usual_calls": place.usual_calls, "difference": place.difference, "told": place.told,
                "shrunk": place.shrunk, "low": place.low, "high": place.high, "zone": place.zone,
                **more[str(staff_id)], **hard[str(staff_id)],
            },
        )  # fmt: skip
    window = connection.execute(query("team", "window_days")).fetchone()
    connection.execute(
        query("team", "add_funnel"),
        {
            "as_of": as_of, "window_days": window[0] if window else 0, "calls": len(held), "agents": len(agents),
            "mean_variance": made.mean_variance, "overdispersion": made.overdispersion, "spread": made.spread,
            "middle": made.middle, "auc": expected.auc, "calibration_error": expected.calibration_error,
        },
    )  # fmt: skip
    zones = [place.zone for place in places]
    return Judged(len(agents), len(held), zones.count("above"), zones.count("below"))


def _everything_else(
    connection: psycopg.Connection, intents: Sequence[int], since: date, currency: str
) -> Mapping[str, dict[str, Any]]:
    """Margin kept, money given, asks, overrides and referrals by agent; nothing of an agent is zeros."""
    nothing = {
        "retained_margin": None, "given": 0, "asks": 0, "ask_gap": None, "offers": 0, "overrides": 0,
        "referrals_asked": 0, "referrals_made": 0, "referrals_missed": 0,
    }  # fmt: skip
    found: defaultdict[str, dict[str, Any]] = defaultdict(lambda: dict(nothing))
    for staff_id, retained, given in connection.execute(query("team", "retained"), {"intents": list(intents)}):
        found[staff_id] |= {"retained_margin": retained, "given": given}
    for staff_id, unit, given in connection.execute(query("team", "desk_money"), {"since": since}):
        if unit == currency:
            found[staff_id]["given"] += to_major(given, unit)
    for staff_id, offers, asks, gap, overrides in connection.execute(query("team", "offers_made"), {"since": since}):
        gap_major = None if gap is None else to_major(round(gap), currency)
        found[staff_id] |= {"offers": offers, "asks": asks, "ask_gap": gap_major, "overrides": overrides}
    for staff_id, asked, done, missed in connection.execute(query("team", "referrals"), {"since": since}):
        found[staff_id] |= {"referrals_asked": asked, "referrals_made": done, "referrals_missed": missed}
    return found


def _hard(calls: pd.DataFrame, chance: pd.Series) -> Mapping[str, dict[str, Any]]:
    """The run of hard calls each agent is in, and the share of hard ones in the last fortnight with calls."""
    is_hard = chance < wins.hard_below(chance.to_numpy())
    begin = calls["called_on"].max() - timedelta(days=FORTNIGHT)
    found: dict[str, dict[str, Any]] = {}
    for staff_id, mine in calls.groupby("staff_id"):
        late = is_hard[mine.index][mine["called_on"] > begin]
        found[str(staff_id)] = {
            "hard_run": wins.run_of_hard(late.tolist()), "hard_share": float(late.mean()) if len(late) else None,
        }  # fmt: skip
    return found


def _write_topics(connection: psycopg.Connection, calls: pd.DataFrame, expected: Expected) -> None:
    chance = pd.Series(expected.chance, index=calls.index)
    held = calls[calls["is_known"]].assign(p=chance, v=chance * (1 - chance))
    for (staff_id, topic), part in held.groupby(["staff_id", "topic"]):
        told = wins.topic_of(len(part), int(part["is_saved"].sum()), float(part["p"].sum()), float(part["v"].sum()))
        connection.execute(
            query("team", "add_topic"),
            {
                "staff_id": staff_id, "topic": topic, "calls": told.calls, "saved": told.saved,
                "expected": told.expected, "low": told.low, "high": told.high,
            },
        )  # fmt: skip


def _write_wins(connection: psycopg.Connection, as_of: datetime) -> None:
    row = connection.execute(query("team", "last_day"), {"as_of": as_of}).fetchone()
    if row is None or row[0] is None:
        return
    for staff_id, what, times in connection.execute(query("team", "wins"), {"day": row[0]}).fetchall():
        connection.execute(
            query("team", "add_win"), {"staff_id": staff_id, "won_on": row[0], "what": what, "times": times}
        )


def _write_words(connection: psycopg.Connection, as_of: datetime) -> None:
    for place, (staff_id, said_on, csat, text) in enumerate(_words(connection, as_of)):
        connection.execute(
            query("team", "add_words"),
            {"staff_id": staff_id, "said_on": said_on, "place": place % 32_000, "csat": csat, "words": text},
        )


def _words(connection: psycopg.Connection, as_of: datetime) -> Iterator[tuple[str, date, int, str]]:
    """(agent, day, marks, words) without what says who the customer is."""
    for staff_id, said_on, csat, notes, name in connection.execute(query("team", "words"), {"as_of": as_of}).fetchall():
        text = mask_quote(notes, name)[:LONGEST_WORDS]
        if text:
            yield staff_id, said_on, csat, text
