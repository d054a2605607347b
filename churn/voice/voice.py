"""What customers say, as leaders and supervisors read it: aggregates only, and the acts on a problem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg
from psycopg.rows import class_row, dict_row, scalar_row

from churn import store
from churn.core.grants import Session
from churn.core.records import Company
from churn.core.voice.digest import Digest, Told
from churn.core.voice.league import Standing, league
from churn.core.voice.problems import Day, title_said
from churn.db import Database
from churn.gateway import act
from churn.queries import query

MOST_PROBLEMS = 60
MOST_BROKEN = 200
LEAGUE_DAYS = 90
DIGEST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run: days counted up to `until_day`; `level`: false-discovery rate its night was tested at."""

    ran_at: datetime
    until_day: date
    level: float | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is asked for; None: all."""

    first: date
    last: date
    region: str | None = None
    plan: str | None = None
    reason: str | None = None
    state: str | None = None

    @property
    def bucket_days(self) -> int:
        """Days to a point of a chart: a day for up to a quarter, else a week."""
        return 1 if (self.last - self.first).days <= 92 else 7


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from, of the last 90 days."""

    regions: tuple[str, ...]
    plans: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Contacts of one bucket about one reason or topic; None: a group under 10 customers. `share` of the notes, of
    topics.
    """

    bucket: date
    about: str
    contacts: float | None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. Money in minor units; contacts and expected from `began_on` to `last_burst_on`."""

    problem_id: int
    key: str
    reason: str | None
    region: str | None
    plan: str | None
    topic_id: int | None
    topic: str | None
    title: str
    began_on: date
    found_on: date
    last_burst_on: date
    p_value: float
    level: float
    contacts: int
    expected: float
    customers: int
    worth_at_risk: int | None
    currency: str
    at_that_time: list[str]
    is_expected: bool
    state: str
    owner_department: str | None
    fixed_on: date | None
    refreshed_at: datetime


@dataclass(frozen=True, slots=True)
class Quote:
    """What was said, masked."""

    problem_id: int
    said_on: date
    channel: str
    quote: str


@dataclass(frozen=True, slots=True)
class Group:
    """Customers affected in one region or on one plan; value None: groups under 10 customers together."""

    dimension: str
    value: str | None
    customers: int


@dataclass(frozen=True, slots=True)
class Touched:
    """One account a problem touches. Worth in minor units; None: not scored."""

    customer_id: str
    region: str | None
    plan: str | None
    contacts: int
    last_on: date
    p_churn: float | None
    worth: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One decision about a problem."""

    happened_at: datetime
    person: str
    from_state: str
    to_state: str
    owner_department: str | None
    fixed_on: date | None
    remark: str | None


@dataclass(frozen=True, slots=True)
class Broken:
    """An agent's line on what is broken, masked; `of_topic`: how many there are of its topic."""

    topic_id: int | None
    topic: str | None
    said_on: date
    reason: str | None
    note: str
    of_topic: int


def last_run(connection: psycopg.Connection) -> Run | None:
    """The newest run of the job; None before the first."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(query("voice", "last_run")).fetchone()


def choices(connection: psycopg.Connection) -> Choices:
    """Regions, plans and reasons to choose from."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("voice", "choices")).fetchone() or {}
    return Choices(*(tuple(row.get(name) or ()) for name in ("regions", "plans", "reasons")))


def reasons_over_time(connection: psycopg.Connection, asked: Asked) -> list[Point]:
    """Contacts by bucket and reason of everybody, or of one region or plan."""
    return [
        Point(bucket, reason, contacts)
        for bucket, reason, contacts in _series(connection, asked, asked.bucket_days)
        if asked.reason in (None, reason)
    ]


def topics_over_time(connection: psycopg.Connection, asked: Asked) -> list[Point]:
    """Contacts by bucket and topic, reckoned from the share of the notes that were read; of everybody."""
    params = {"first": asked.first, "last": asked.last, "days": asked.bucket_days}
    rows = connection.execute(query("voice", "topic_weeks"), params).fetchall()
    return [Point(bucket, name, contacts, share) for bucket, _, name, _, share, contacts in rows]


def problems(connection: psycopg.Connection, asked: Asked) -> list[Problem]:
    """Problems of the period: what is to be done first, known causes after it, what is settled last."""
    params = {name: getattr(asked, name) for name in Asked.__slots__} | {"most": MOST_PROBLEMS}
    with connection.cursor(row_factory=class_row(Problem)) as cursor:
        return cursor.execute(query("voice", "problems"), params).fetchall()


def courses(connection: psycopg.Connection, problem_ids: Iterable[int]) -> dict[int, list[Day]]:
    """Each problem's days against their usual level."""
    found: dict[int, list[Day]] = defaultdict(list)
    for key, *day in connection.execute(query("voice", "course"), {"problems": list(problem_ids)}):
        found[key].append(Day(*day))
    return found


def quotes(connection: psycopg.Connection, problem_ids: Iterable[int]) -> dict[int, list[Quote]]:
    """What customers said about each problem, masked."""
    found: dict[int, list[Quote]] = defaultdict(list)
    with connection.cursor(row_factory=class_row(Quote)) as cursor:
        for quote in cursor.execute(query("voice", "quotes"), {"problems": list(problem_ids)}):
            found[quote.problem_id].append(quote)
    return found


def groups(connection: psycopg.Connection, problem_id: int) -> list[Group]:
    """Who is affected, by region and by plan."""
    with connection.cursor(row_factory=class_row(Group)) as cursor:
        return cursor.execute(query("voice", "groups"), {"problem_id": problem_id}).fetchall()


def touched(connection: psycopg.Connection, problem_id: int) -> list[Touched]:
    """The accounts with most worth at risk, without a name."""
    with connection.cursor(row_factory=class_row(Touched)) as cursor:
        return cursor.execute(query("voice", "customers"), {"problem_id": problem_id}).fetchall()


def history(connection: psycopg.Connection, problem_id: int) -> list[Step]:
    """What was decided about a problem, newest first."""
    with connection.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(query("voice", "history"), {"problem_id": problem_id}).fetchall()


def next_states(connection: psycopg.Connection, state: str) -> list[str]:
    """What a problem in this state may become."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query("voice", "next_states"), {"state": state}).fetchall()


def owners(connection: psycopg.Connection) -> list[str]:
    """Departments that own something already."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query("voice", "owners")).fetchall()


def broken(connection: psycopg.Connection, asked: Asked) -> list[Broken]:
    """Agents' notes of what is broken, by topic, the largest first."""
    params = {"first": asked.first, "last": asked.last, "most": MOST_BROKEN}
    with connection.cursor(row_factory=class_row(Broken)) as cursor:
        return cursor.execute(query("voice", "broken"), params).fetchall()


def standings(connection: psycopg.Connection, asked: Asked) -> list[Standing]:
    """The league of the last LEAGUE_DAYS days against those before them."""
    first = asked.last - timedelta(days=2 * LEAGUE_DAYS - 1)
    period = Asked(first, asked.last, asked.region, asked.plan)
    counts: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for bucket, reason, contacts in _series(connection, period, LEAGUE_DAYS):
        if contacts is not None and reason != "unknown":
            counts[bucket > first][reason] = int(contacts)
    classes = {row[0]: (row[1], row[2]) for row in connection.execute(query("voice", "classes"))}
    return league(counts[True], counts[False], classes)


def move(
    database: Database,
    me: Session,
    problem_id: int,
    to: str,
    *,
    owner: str | None = None,
    fixed_on: date | None = None,
    remark: str | None = None,
) -> None:
    """Bring a problem forward. Raises NoSuchProblem, ProblemStands, ProblemIncomplete, RoleMayNot."""
    asked = {"problem_id": problem_id, "to": to, "owner": owner, "fixed_on": fixed_on, "remark": remark}
    act(database, me, "voice", "move_problem", asked)


def classify(database: Database, me: Session, reason: str, to_us: str, to_them: str) -> None:
    """Say whether contacts about a reason are worth having: `valuable` or `irritating`, to us and to them."""
    act(database, me, "voice", "classify", {"reason": reason, "to_us": to_us, "to_them": to_them}, tries=1)


def digest(connection: psycopg.Connection, company: Company) -> Digest | None:
    """What there is to tell of the last days; None before the first run."""
    run = last_run(connection)
    if run is None:
        return None
    asked = Asked(run.until_day - timedelta(days=DIGEST_DAYS - 1), run.until_day)
    found = problems(connection, asked)
    said = quotes(connection, [one.problem_id for one in found])
    course = courses(connection, [one.problem_id for one in found])
    yesterday = sum(
        contacts or 0 for bucket, _, contacts in _series(connection, Asked(run.until_day, run.until_day), 1)
    )
    told = tuple(_told(one, said[one.problem_id], course[one.problem_id]) for one in found)
    notes = tuple((one.topic, one.note) for one in broken(connection, asked))
    return Digest(company.name, run.until_day, int(yesterday), told, tuple(standings(connection, asked)), notes)


def local_today(company: Company, clock: datetime) -> date:
    """The business day of the company's own now."""
    return store.local_day(company.data_until or clock, company.time_zone)


def _told(one: Problem, said: Sequence[Quote], course: Sequence[Day]) -> Told:
    return Told(
        title=title_said(one.title, one.reason),
        where=one.region or one.plan,
        began_on=one.began_on,
        last_burst_on=one.last_burst_on,
        contacts=one.contacts,
        expected=one.expected,
        customers=one.customers,
        worth_at_risk=one.worth_at_risk,
        currency=one.currency,
        at_that_time=tuple(one.at_that_time),
        is_expected=one.is_expected,
        state=one.state,
        owner=one.owner_department,
        fixed_on=one.fixed_on,
        quotes=tuple(quote.quote for quote in said),
        course=tuple(course),
    )


def _series(connection: psycopg.Connection, asked: Asked, days: int) -> list[tuple[date, str, int | None]]:
    params = {"first": asked.first, "last": asked.last, "days": days, "region": asked.region, "plan": asked.plan}
    return connection.execute(query("voice", "series"), params).fetchall()
