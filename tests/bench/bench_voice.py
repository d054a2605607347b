"""Is every planted burst found within a day, and how many findings are false? And is the page quick at full size?

    python3 -m tests.bench.bench_voice [seed ...]

For each seed a company of 20,000 customers is simulated for two years and every night is tested as the job does it,
with what was known by then. A finding is true when the truth has an event of that reason reaching into its days: a
planted burst, or a change some department announced (bill run, outage …). All others are false; those on the days on
which the truth has nothing at all are counted apart. Nothing but this evaluation reads the truth. Smaller companies
have the same bursts with fewer contacts: how far down they are still found is the power of the test.

The page reads aggregates whose size does not grow with contacts: days × reasons × regions × plans. They are filled as
for 1,000,000 customers with 20 million contacts, and the page's queries timed against the bare sum.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import psycopg

from churn import db, simulation
from churn.core.voice import bursts
from churn.settings import Settings, read_settings
from churn.voice import voice
from churn.voice.voice_nights import Table

SEEDS = (7, 1, 2, 3, 4, 5)
SIZES = (10_000, 5_000, 2_000)  # besides 20,000: how far down bursts are found
DATABASE = "keepline_bench_voice"
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Judged:
    """One company: `lags` days from the start of each planted burst to its finding, by title; None: never found."""

    customers: int
    lags: dict[str, int | None]
    announced: int  # true findings that are somebody's announced change
    false: int
    false_on_quiet: int
    quiet_days: int
    extra: dict[str, int]

    @property
    def found(self) -> int:
        """Planted bursts found within one day."""
        return sum(lag is not None and lag <= 1 for lag in self.lags.values())

    @property
    def false_share(self) -> float:
        """False findings among false and planted ones; announced changes left out, which only makes it larger."""
        return self.false / max(self.false + sum(lag is not None for lag in self.lags.values()), 1)


def evaluate(seed: int, customers: int = 20_000, months: int = 24) -> Judged:
    """Simulate, test every night, and compare with the truth."""
    company = simulation.simulate(customers=customers, months=months, seed=seed)
    tables = company.tables()
    events, days = tables["truth.events"].to_pandas(), tables["truth.days"].to_pandas()
    last_day = days["day"].max()
    table = table_of(contacts_by_key(company), days["day"].min(), last_day)
    quiet = dict(zip(days["day"], days["is_quiet"], strict=True))
    lags: dict[str, int | None] = {e.title: None for e in events.itertuples() if not e.is_announced}
    announced = false = false_on_quiet = 0
    for day, reason in findings(table, last_day):
        causes = [e for e in events.itertuples() if e.reason == reason and e.effect_from <= day <= e.effect_until]
        for event in causes:
            if not event.is_announced and lags[event.title] is None:
                lags[event.title] = (day - event.effect_from).days
        announced += bool(causes) and all(event.is_announced for event in causes)
        false += not causes
        false_on_quiet += not causes and quiet[day]
    extra = {e.title: int(e.extra_contacts) for e in events.itertuples() if not e.is_announced}
    return Judged(customers, lags, announced, false, false_on_quiet, int(days["is_quiet"].sum()), extra)


def contacts_by_key(company: simulation.Company) -> pd.DataFrame:
    """(day, key, contacts) as `key_counts` has them: reasons as a whole, by region, by the dearest plan of the day."""
    contacts = company.frame("feed.contacts")
    contacts = contacts[(contacts["direction"] == "in") & contacts["reason"].notna()]
    contacts = contacts.assign(day=contacts["started_at"].dt.tz_convert("Europe/London").dt.date)
    people = company.frame("feed.customers")[["customer_id", "region"]]
    contacts = contacts[["contact_id", "customer_id", "day", "reason"]].merge(people, how="left", on="customer_id")
    lines = company.frame("feed.subscriptions")[["customer_id", "plan", "started_on", "ended_on", "monthly_price"]]
    live = contacts[["contact_id", "customer_id", "day"]].merge(lines, on="customer_id")
    live = live[(live["started_on"] <= live["day"]) & (live["ended_on"].isna() | (live["ended_on"] > live["day"]))]
    dearest = live.sort_values("monthly_price").drop_duplicates("contact_id", keep="last")[["contact_id", "plan"]]
    contacts = contacts.merge(dearest, how="left", on="contact_id")
    parts = [
        contacts["reason"],
        (contacts["reason"] + "|region|" + contacts["region"]).dropna(),
        (contacts["reason"] + "|plan|" + contacts["plan"]).dropna(),
    ]
    keyed = pd.concat([pd.DataFrame({"day": contacts.loc[part.index, "day"], "key": part}) for part in parts])
    return keyed.value_counts(["day", "key"]).rename("contacts").reset_index()


def table_of(counts: pd.DataFrame, first: date, last: date) -> Table:
    """The job's own table of these counts."""
    inside = counts[(counts["day"] >= first) & (counts["day"] <= last)]
    return Table.of_rows(list(inside.itertuples(index=False, name=None)), first, last)


def findings(table: Table, last: date) -> list[tuple[date, str]]:
    """(day, reason) of every reason found on a night, tested in order from the first night there is a level for."""
    found_nights: list[int] = []
    found: list[tuple[date, str]] = []
    nights = (last - table.first).days + 1 - bursts.LEAST_DAYS
    for night in range(nights):
        day = table.first + timedelta(days=bursts.LEAST_DAYS + night)
        seen = table.look(day, bursts.level_of_night(night, found_nights))
        if seen is not None and seen.found.any():
            found_nights.append(night)
            found += [(day, str(reason)) for reason in sorted(set(table.keys.reasons[seen.found]))]
    return found


def main() -> int:
    """Both tables; 1 when a planted burst of a 20,000-customer company is missed, or more than 10 % are false."""
    seeds = [int(word) for word in sys.argv[1:]] or list(SEEDS)
    print("seed  customers  planted within a day  false  of them on quiet days (of)  announced changes found")
    judged = []
    for seed in seeds:
        judged.append(one := evaluate(seed))
        print(
            f"{seed:4}{one.customers:11,}{one.found:12} of {len(one.lags)}{one.false:14}{one.false_on_quiet:12}"
            f" ({one.quiet_days}){one.announced:24}"
        )
    planted, found = sum(len(one.lags) for one in judged), sum(one.found for one in judged)
    false, quiet = sum(one.false for one in judged), sum(one.false_on_quiet for one in judged)
    share = false / max(false + found, 1)
    per_100 = 100 * quiet / sum(one.quiet_days for one in judged)
    print(
        f"found within a day: {found} of {planted}; false-discovery rate {share:.1%}; "
        f"{per_100:.2f} false in 100 quiet days"
    )
    print("\npower: planted bursts by the contacts they bring, over smaller companies of the same seeds")
    smaller = [evaluate(seed, size) for size in SIZES for seed in seeds[:3]]
    _print_power([*judged, *smaller])
    small_false = sum(one.false for one in smaller)
    print(
        f"false at the smaller sizes: {small_false} beside {sum(one.found for one in smaller)} planted "
        "found within a day"
    )
    print()
    _page()
    return 0 if found == planted and share <= bursts.RATE else 1


def _print_power(judged: list[Judged]) -> None:
    rows = [(one.extra[title], lag) for one in judged for title, lag in one.lags.items()]
    edges = (0, 15, 30, 60, 120, 240, 10**9)
    for low, high in pairwise(edges):
        lags = [lag for extra, lag in rows if low <= extra < high]
        if lags:
            soon = sum(lag is not None and lag <= 1 for lag in lags)
            ever = sum(lag is not None for lag in lags)
            reach = f"{low:,} to {high - 1:,}" if high < 10**9 else f"{low:,} and more"
            print(
                f"  {reach:>14} extra contacts in 3 to 7 days: {soon:3} of {len(lags):3} within a day, {ever:3} at all"
            )


def _page() -> None:
    settings = read_settings(DATABASE)
    db.create_database(settings)
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
        try:
            _fill(owner)
            _time(settings, owner)
        finally:
            owner.execute("TRUNCATE desk.reason_days")


def _fill(owner: psycopg.Connection) -> None:
    owner.execute("TRUNCATE desk.reason_days")
    # 11 reasons, 12 regions, 10 plans over two years: 27,000 contacts a day.
    owner.execute(
        """
        INSERT INTO desk.reason_days (day, reason, region, plan, contacts, customers)
        SELECT date '2026-11-14' - d, 'reason ' || r, 'region ' || g, 'plan ' || p, n, n
        FROM generate_series(0, 729) d, generate_series(1, 11) r, generate_series(1, 12) g, generate_series(1, 10) p
        CROSS JOIN LATERAL (SELECT 11 + (d * 7 + r * 5 + g * 3 + p) % 21 AS n) x
        """
    )
    owner.execute("ANALYZE desk.reason_days")


def _time(settings: Settings, owner: psycopg.Connection) -> None:
    total = owner.execute("SELECT count(*), sum(contacts) FROM desk.reason_days").fetchone()
    assert total is not None
    print(f"page at full size: {total[0]:,} cells of {total[1]:,} contacts; median of {ROUNDS}, in milliseconds")
    last = date(2026, 11, 14)
    with db.connect(settings, "leader") as connection:
        for days in (90, 365):
            asked = voice.Asked(last - timedelta(days=days - 1), last)
            bare = (
                "SELECT day, reason, sum(contacts) FROM desk.reason_days WHERE day BETWEEN %s AND %s "
                "GROUP BY day, reason"
            )
            plain = _median(lambda b=bare, a=asked: owner.execute(b, [a.first, a.last]).fetchall())
            chart = _median(lambda a=asked: voice.reasons_over_time(connection, a))
            print(f"  {days:3} days: chart {chart:6.1f}, bare query {plain:6.1f}, ratio {chart / plain:.2f}")
        region = voice.Asked(last - timedelta(days=89), last, region="region 3")
        print(f"   90 days of one region: {_median(lambda: voice.reasons_over_time(connection, region)):6.1f}")
        print(f"  choices: {_median(lambda: voice.choices(connection)):6.1f}")
        print(f"  league: {_median(lambda: voice.standings(connection, region)):6.1f}")


def _median(act: object) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()  # type: ignore[operator]
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    sys.exit(main())
