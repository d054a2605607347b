"""Every night: count contacts by half-hour, learn what change events brought, forecast, and say how good forecasts are.

Days are counted once and the last ones again, for contacts are handed in late. What is learned and forecast is made
anew and replaces the old in one transaction, so a page never sees half of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import psycopg
from psycopg.rows import dict_row, scalar_row

from churn import db, store
from churn.core.forecasting import volume_bands as bands
from churn.core.forecasting import volume_day
from churn.core.forecasting.volume import Array, Calendar, TooShort
from churn.core.forecasting.volume_events import Event, extra_before
from churn.core.records import Company
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings

LATE_DAYS = 14  # contacts are counted again: some systems hand them in late
LATE_OUTCOMES = 90  # days, of cancels and concessions: leaving is written back
CHUNK_DAYS = 31
MOST_DAYS = 1_100  # learned from: three years
HALF_HOUR_DAYS = 14
ORIGINS, ORIGIN_STEP = 12, 28  # of the back-test: days gone by it looks ahead from
FEWEST_BEFORE = 180  # days known at the first origin
MISSING_RUN = 4  # days in a row without any contact that were not recorded rather than quiet
CALLS = r"(call|phone|voice|tel)"
CLAIMS_NONE = r"no (customer )?impact"
UNPLANNED = ("outage", "fault", "incident")  # kinds that nobody knows of before they begin


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run came to."""

    days: int
    events: int
    refusal: str | None

    def __str__(self) -> str:
        """One line for whoever ran it."""
        done = f"{self.events:,} change events measured, forecast made"
        return f"{self.days:,} days counted; {self.refusal or done}"


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are counted: `anew` is the first that had to be."""

    first: date
    last: date
    anew: date


def run(settings: Settings, *, progress: Tell, is_anew: bool = False) -> Ran:
    """Count, learn, forecast. `is_anew` counts every day again. Raises store.NoCompany."""
    with db.connect(settings, "batch") as connection:
        connection.execute(query("volume", "one_at_a_time"))
        company = store.company(connection)
        span = _span(connection, is_anew)
        if span is None:
            return Ran(0, 0, "there are no inbound contacts yet")
        counted = _count(connection, span, progress)
        first = max(span.first, span.last - timedelta(days=MOST_DAYS - 1))
        history = _history(connection, first, span.last)
        rows = _events(connection, company)
        refusal, measured = None, 0
        with connection.transaction():
            connection.execute(query("volume", "forget_findings"))
            _copy(connection, "add_events", [_event_row(row) for row in rows])
            try:
                measured = _learn_and_forecast(connection, company, history, rows, progress)
            except TooShort as short:
                refusal = str(short)
            connection.execute(
                query("volume", "add_run"),
                {"first": span.first, "until": span.last, "days": counted, "refusal": refusal},
            )
        return Ran(counted, measured, refusal)


def holidays_of(region: str, years: Iterable[int]) -> dict[date, str]:
    """Public holidays in at least half of a country's parts; none where the country is not known."""
    years = list(years)
    if region not in holidays.list_supported_countries():
        return {}
    whole = holidays.country_holidays(region, years=years)
    times, names = Counter(whole), dict(whole)
    parts = whole.subdivisions
    for part in parts:
        for day, name in holidays.country_holidays(region, subdiv=part, years=years).items():
            if day not in whole:
                times[day] += 1
                names.setdefault(day, name)
    return {day: name for day, name in names.items() if day in whole or times[day] * 2 >= len(parts)}


# Counting -------------------------------------------------------------------------------------------------------------


def _span(connection: psycopg.Connection, is_anew: bool) -> Span | None:
    """The whole days there are, without the first one, which may have begun before the record did."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("volume", "span")).fetchone()
    if row is None or row["first_day"] is None:
        return None
    first, last = row["first_day"], min(row["last_day"], row["today"] - timedelta(days=1))
    if last < first:
        return None
    known, since = row["counted_until"], row["counted_from"]
    if is_anew or known is None or known > last or since != first:  # another company's data may lie there now
        return Span(first, last, first)
    return Span(first, last, max(first, min(known + timedelta(days=1), last - timedelta(days=LATE_DAYS - 1))))


def _count(connection: psycopg.Connection, span: Span, progress: Tell) -> int:
    if span.anew == span.first:
        connection.execute(query("volume", "forget_counts"))
        _recount(connection, date(1900, 1, 1), date(2200, 1, 1), forget_only=True)
    day = span.anew
    while day <= span.last:
        until = min(day + timedelta(days=CHUNK_DAYS - 1), span.last)
        _recount(connection, day, until)
        progress(f"volume: counted until {until:%d %b %Y}")
        day = until + timedelta(days=1)
    late = {"first": max(span.first, span.anew - timedelta(days=LATE_OUTCOMES)), "last": span.last}
    with connection.transaction():
        connection.execute(query("volume", "forget_outcomes"), late)
        connection.execute(query("volume", "count_outcomes"), late)
    return (span.last - span.anew).days + 1


def _recount(connection: psycopg.Connection, first: date, last: date, *, forget_only: bool = False) -> None:
    asked = {"first": first, "last": last, "channels": CALLS}
    with connection.transaction():
        connection.execute(query("volume", "forget_half_hours"), asked)
        connection.execute(query("volume", "forget_days"), asked)
        if not forget_only:
            connection.execute(query("volume", "count_half_hours"), asked)
            connection.execute(query("volume", "count_days"), asked)


# Reading --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """What the job reads back: contacts by day, queue, region; by slot; outcomes by region."""

    history: bands.History
    slots: Array  # (n, queues, SLOTS)
    outcomes: dict[str, bands.History]  # cancels, concessions: one column each


def _history(connection: psycopg.Connection, first: date, last: date) -> Counted:
    asked = {"first": first, "last": last}
    rows = connection.execute(query("volume", "day_counts"), asked).fetchall()
    days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
    queues = tuple(sorted({queue for _, queue, _, _ in rows}))
    place = {queue: q for q, queue in enumerate(queues)}
    counts = np.zeros((len(days), len(queues)))
    regions: dict[str, Array] = {}
    for day, queue, region, contacts in rows:
        at = (day - first).days, place[queue]
        counts[at] += contacts
        if region:
            regions.setdefault(region, np.zeros(counts.shape))[at] += contacts
    slots = np.zeros((len(days), len(queues), volume_day.SLOTS))
    for day, slot, queue, contacts in connection.execute(query("volume", "half_hour_counts"), asked):
        slots[(day - first).days, place[queue], slot] += contacts
    return Counted(
        bands.History(days, queues, _told(counts), regions), slots, _outcomes(connection, days, first, asked)
    )


def _told(counts: Array) -> Array:
    """The counts with days that were not recorded left open: several in a row without a single contact."""
    quiet = counts.sum(axis=1) == 0
    run = np.convolve(quiet, np.ones(MISSING_RUN), "full")
    ends_run = run[: len(quiet)] >= MISSING_RUN
    missing = np.zeros(len(quiet), bool)
    for end in np.flatnonzero(ends_run):
        missing[end - MISSING_RUN + 1 : end + 1] = True
    return np.where(missing[:, None], np.nan, counts)


def _outcomes(
    connection: psycopg.Connection, days: Any, first: date, asked: dict[str, date]
) -> dict[str, bands.History]:
    names = ("cancels", "concessions")
    whole = {name: np.zeros((len(days), 1)) for name in names}
    parts: dict[str, dict[str, Array]] = {name: {} for name in names}
    for day, region, *found in connection.execute(query("volume", "outcome_counts"), asked):
        for name, number in zip(names, found, strict=True):
            at = (day - first).days
            whole[name][at, 0] += number
            if region:
                parts[name].setdefault(region, np.zeros((len(days), 1)))[at, 0] += number
    return {name: bands.History(days, (name,), whole[name], parts[name]) for name in names}


def _events(connection: psycopg.Connection, company: Company) -> list[dict[str, Any]]:
    """Every change there is word of, with the size of its audience."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("volume", "known_events"), {"none": CLAIMS_NONE}).fetchall()
    for row in rows:
        row["is_counted"] = row["audience_size"] is None
        if row["is_counted"]:
            row["audience_size"] = _audience(connection, row, company)
    return rows


def _audience(connection: psycopg.Connection, row: dict[str, Any], company: Company) -> int:
    asked = {name: row[name] for name in ("region", "product", "plan")}
    asked["day"] = store.local_day(row["starts_at"], company.time_zone)
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(query("volume", "audience"), asked).fetchone() or 0)


def event_of(row: dict[str, Any], time_zone: str) -> Event:
    """A change as the core knows it."""
    return Event(
        row["event_id"], row["kind"], store.local_day(row["starts_at"], time_zone), float(row["audience_size"]),
        row["region"], row["claims_none"],
    )  # fmt: skip


# Learning -------------------------------------------------------------------------------------------------------------


def _learn_and_forecast(
    connection: psycopg.Connection, company: Company, counted: Counted, rows: list[dict[str, Any]], progress: Tell
) -> int:
    """Write what was learned; how many events were measured. Raises TooShort."""
    history = counted.history
    years = range(history.days[0].astype(object).year, history.days[-1].astype(object).year + 2)
    calendar = Calendar(holidays_of(company.phone_region, years))
    events = [event_of(row, company.time_zone) for row in rows]
    learned = bands.learn(history, calendar, events)
    progress(f"volume: {len(learned.effects.effects):,} change events measured")
    tested = bands.back_test(history, calendar, events, _origins(len(history.days)), is_planned=_is_planned)
    progress("volume: forecasts of days gone by compared with what came")
    _copy(connection, "add_kinds", _kind_rows(learned))
    _copy(connection, "add_effects", _effect_rows(learned, counted, calendar, events))
    _copy(connection, "add_accuracy", [_accuracy_row(one) for one in bands.accuracy(tested)])
    begun = [event for event in events if np.datetime64(event.starts_on) <= history.days[-1]]
    outlook = learned.ahead(history.days[-1] + 1, bands.AHEAD_DAYS, begun)
    low, high = bands.bands_of(tested).around(outlook, history.queues)
    _copy(connection, "add_forecasts", _day_rows(company, history.queues, outlook, low, high))
    _copy(connection, "add_forecasts", _half_hour_rows(company, counted, outlook, calendar))
    return len(learned.effects.effects)


def _is_planned(event: Event) -> bool:
    return not event.kind.startswith(UNPLANNED)


def _origins(days: int) -> list[int]:
    first = max(FEWEST_BEFORE, days - HALF_HOUR_DAYS - ORIGINS * ORIGIN_STEP)
    return list(range(first, days - HALF_HOUR_DAYS + 1, ORIGIN_STEP))


def _kind_rows(learned: bands.Learned) -> Iterable[Sequence[Any]]:
    for kind in learned.effects.kinds.values():
        for q, queue in enumerate(learned.effects.queues):
            yield (
                kind.name, queue, float(kind.mean[q]), float(kind.mean_sd[q]), float(kind.spread[q]),
                kind.mixture.tolist(), kind.events, float(kind.none_mean[q]), kind.none_events,
            )  # fmt: skip


def _effect_rows(
    learned: bands.Learned, counted: Counted, calendar: Calendar, events: Sequence[Event]
) -> Iterable[Sequence[Any]]:
    """Contacts, cancels and concessions of each event; of contacts also what earlier events would have said."""
    before = extra_before(learned.effects)
    for effect in learned.effects.effects:
        event_id = effect.event.event_id
        yield (event_id, "contacts", *effect.extra, effect.share_seen, before.get(event_id))
    for name, history in counted.outcomes.items():
        if history.counts.sum() < len(history.days) / 4:
            continue  # too few to say anything of
        for effect in bands.learn(history, calendar, events).effects.effects:
            yield (effect.event.event_id, name, *effect.extra, effect.share_seen, None)


def _accuracy_row(one: bands.Accuracy) -> Sequence[Any]:
    numbers = (one.mase, one.error, one.bias, one.covered)
    return (one.queue, one.first_day, one.last_day, one.origins, *(None if x is None else float(x) for x in numbers))


def _day_rows(
    company: Company, queues: Sequence[str], outlook: bands.Outlook, low: Array, high: Array
) -> Iterable[Sequence[Any]]:
    zone = ZoneInfo(company.time_zone)
    for d, day in enumerate(outlook.days.astype(object)):
        at = datetime.combine(day, time(0), zone)
        for q, queue in enumerate(queues):
            usual = float(outlook.expected[d, q])
            yield False, queue, at, usual, min(float(low[d, q]), usual), max(float(high[d, q]), usual), 1.0


def _half_hour_rows(
    company: Company, counted: Counted, outlook: bands.Outlook, calendar: Calendar
) -> Iterable[Sequence[Any]]:
    history = counted.history
    closed = calendar.is_holiday(history.days)
    days = outlook.days[:HALF_HOUR_DAYS].astype(object)
    for q, queue in enumerate(history.queues):
        slots = counted.slots[:, q]
        within = volume_day.bands_within(history.days, slots, closed=closed)
        of_weekday = volume_day.profile(history.days, slots, closed=closed)
        for d, day in enumerate(days):
            for at, share in volume_day.shares_of(day, company.time_zone, of_weekday[day.weekday()]):
                usual = float(outlook.expected[d, q]) * share
                low, high = within.around(usual)
                yield True, queue, at, usual, low, high, share


def _event_row(row: dict[str, Any]) -> Sequence[Any]:
    names = ("event_id", "owner_department", "kind", "title", "starts_at", "ends_at", "audience_size", "is_counted",
             "region", "product", "plan", "what_to_say", "claims_none")  # fmt: skip
    return [row[name] for name in names]


def _copy(connection: psycopg.Connection, name: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor().copy(query("volume", name)) as copy:
        for row in rows:
            copy.write_row(row)
