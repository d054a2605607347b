"""Every read. One function a query, rows as frozen records."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row, dict_row, scalar_row

from churn.core import records
from churn.core.language import mark, t
from churn.gateway import refusals_by_name
from churn.queries import query

T = TypeVar("T")
SHORTEST_WORD = 2  # a single letter would match half the book
SHORTEST_ENDING = 4  # digits
SHORTEST_NATIONAL = 6  # digits: fewer after a zero are the end of a number, zero and all
LONGEST_SEARCH = 128
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
NO_COMPANY = mark(
    "This database holds no company yet: run `python3 -m churn demo` or `import`, or write the contract's views."
)


class NoCompany(LookupError):
    """This database holds no company yet: run `python3 -m churn demo` or `import`, or write the contract's views."""


class NoSuchCustomer(LookupError):
    """There is no customer with this account."""


def company(connection: psycopg.Connection) -> records.Company:
    """The company this database is about. Raises NoCompany."""
    with connection.cursor(row_factory=class_row(records.Company)) as cursor:
        found = cursor.execute(query("customers", "company")).fetchone()
    if found is None:
        raise NoCompany(t(NO_COMPANY))
    return found


def moment(connection: psycopg.Connection, customer_id: str, clock: datetime) -> datetime:
    """The instant one caller's card is read for. Raises NoCompany."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(query("customers", "moment"), {"customer_id": customer_id, "clock": clock}).fetchone()
    if found is None:
        raise NoCompany(t(NO_COMPANY))
    return cast(datetime, found)


def caller_facts(
    connection: psycopg.Connection, customer_id: str, as_of: datetime, time_zone: str
) -> records.CallerFacts:
    """Everything about one caller as it stood at `as_of`, in one round trip. Raises NoSuchCustomer."""
    day = as_of.astimezone(ZoneInfo(time_zone)).date()
    known = {"customer_id": customer_id, "as_of": as_of, "day": day}
    with connection.pipeline():
        customer = _ask(connection, records.Customer, "customer", known)
        subscriptions = _ask(connection, records.Subscription, "subscriptions", known)
        contacts = _ask(connection, records.Contact, "contacts", known)
        invoices = _ask(connection, records.Invoice, "invoices", known)
        events = _ask(connection, records.ChangeEvent, "events", known)
        concessions = _ask(connection, records.Concession, "concessions", known)
        features = connection.cursor(row_factory=dict_row).execute(
            query("features", "features"), _features_of([customer_id], [as_of])
        )
        found = customer.fetchone()
        if found is None:
            raise NoSuchCustomer(t("There is no customer with the account {account}.", account=customer_id))
        return records.CallerFacts(
            as_of=as_of,
            customer=found,
            subscriptions=tuple(subscriptions),
            contacts=tuple(contacts),
            invoices=tuple(invoices),
            events=tuple(events),
            concessions=tuple(concessions),
            features=features.fetchone() or {},
        )


def features(
    connection: psycopg.Connection, customers: Sequence[str], instants: Sequence[datetime]
) -> list[dict[str, Any]]:
    """One row of features per (customer, instant), in order of customer and instant. Unknown customers give none."""
    pairs = dict.fromkeys(zip(customers, instants, strict=True))  # two calls of a day are asked for once
    with connection.cursor(row_factory=dict_row) as cursor:
        asked = _features_of([customer for customer, _ in pairs], [instant for _, instant in pairs])
        return cursor.execute(query("features", "features"), asked).fetchall()


def features_of_everyone(
    connection: psycopg.Connection,
    as_of: datetime,
    *,
    first: str | None = None,
    beyond: str | None = None,
    batch: int = 20_000,
) -> Iterator[list[dict[str, Any]]]:
    """Rows of features for every customer with first <= customer_id < beyond at one instant, in batches."""
    asked = {"customers": None, "instants": None, "as_of": as_of, "first": first, "beyond": beyond}
    with connection.transaction(), connection.cursor(name="everyone", row_factory=dict_row) as cursor:
        cursor.execute(query("features", "features"), asked)
        while rows := cursor.fetchmany(batch):
            yield rows


def outcomes(connection: psycopg.Connection, as_of: datetime, horizon_days: int) -> dict[str, str | None]:
    """Customers live at `as_of` → how they left within the horizon (voluntary, involuntary, move); None: stayed."""
    asked = {"as_of": as_of, "horizon_days": horizon_days}
    return dict(connection.execute(query("features", "outcomes"), asked).fetchall())


def lifetimes(connection: psycopg.Connection, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """For customers live at `since`: tenure then, tenure at the end or `until`, and whether they left by choice."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("features", "lifetimes"), {"since": since, "until": until}).fetchall()


def first_fact(connection: psycopg.Connection) -> datetime:
    """When the company's records begin; the start of 1970 for a company without any."""
    row = connection.execute(query("features", "first_fact")).fetchone()
    return row[0] if row and row[0] else datetime(1970, 1, 1, tzinfo=UTC)


def reasoned_contacts(connection: psycopg.Connection, until: datetime, most: int) -> list[tuple[str, datetime, str]]:
    """(customer, instant just before, reason) of the newest inbound contacts with a reason, oldest first."""
    return connection.execute(query("features", "reasoned_contacts"), {"until": until, "most": most}).fetchall()


def retention_log(connection: psycopg.Connection, until: datetime, window_days: int, most: int) -> list[dict[str, Any]]:
    """Calls of the kinds in which things are given, what was given, and whether they stayed through the window."""
    with connection.cursor(row_factory=dict_row) as cursor:
        asked = {"until": until, "window_days": window_days, "most": most}
        return cursor.execute(query("effect", "retention_log"), asked).fetchall()


def by_phone(connection: psycopg.Connection, phone: str) -> list[records.Match]:
    """The customers on one E.164 number."""
    return _find(connection, "ani", phone)


def by_account(connection: psycopg.Connection, customer_id: str) -> list[records.Match]:
    """The customer of one account, else those whose account differs in case only."""
    return _find(connection, "account", customer_id)


def by_contact(connection: psycopg.Connection, contact_id: str) -> list[records.Match]:
    """The customer a contact belongs to, or none."""
    return _find(connection, "contact", contact_id)


def search(connection: psycopg.Connection, text: str) -> list[records.Match]:
    """Up to 20 customers by account, by the last digits of a number, or by beginnings of any words of the name."""
    text = text[:LONGEST_SEARCH].strip()
    if len(text) < SHORTEST_WORD and not _is_a_word(text):
        return []
    return _find(connection, "search", text, account_like=_like(text) + "%", digits_like=_last_digits(text))


def open_case(connection: psycopg.Connection, customer_id: str, opened_by: str) -> str:
    """Take a caller on the line: the key of my open case of them, or of a new one.

    Raises NoSuchCustomer, TooManyLookups.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        asked = {"customer_id": customer_id, "opened_by": opened_by}
        with refusals_by_name():
            case_id = cursor.execute(query("customers", "open_case"), asked).fetchone()
    if case_id is None:
        raise NoSuchCustomer(t("There is no customer with the account {account}.", account=customer_id))
    return str(case_id)


def reveal(connection: psycopg.Connection, customer_id: str, field: str, reason: str) -> str | None:
    """A caller's `phone` or `email` in full, for a reason that is written down.

    Raises TooManyLookups, NotOnYourLine, ReasonMissing.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        asked = {"customer_id": customer_id, "field": field, "reason": reason}
        with refusals_by_name():
            return cursor.execute(query("customers", "reveal"), asked).fetchone()


def recent_callers(connection: psycopg.Connection, staff_id: str) -> list[records.RecentCaller]:
    """Whom one member of staff had on screen lately, newest first."""
    return _ask(connection, records.RecentCaller, "recent", {"staff_id": staff_id}).fetchall()


def desk_staff(connection: psycopg.Connection) -> list[records.Staff]:
    """The active people of the desk, agents first."""
    return _ask(connection, records.Staff, "desk_staff", {}).fetchall()


def contact_reasons(connection: psycopg.Connection) -> list[str]:
    """The reasons customers got in touch for in the last 90 days of the data, the commonest first."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query("customers", "contact_reasons")).fetchall()


def usual_risk(connection: psycopg.Connection) -> float | None:
    """The mean risk of all scored customers; None before the first scoring."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query("customers", "usual_risk")).fetchone()


def local_day(moment_: datetime, time_zone: str) -> date:
    """The calendar day of an instant where the company works."""
    return moment_.astimezone(ZoneInfo(time_zone)).date()


def _ask(connection: psycopg.Connection, record: type[T], name: str, parameters: dict[str, Any]) -> psycopg.Cursor[T]:
    return connection.cursor(row_factory=class_row(record)).execute(query("customers", name), parameters)


def _find(
    connection: psycopg.Connection, by: str, key: str, account_like: str | None = None, digits_like: str | None = None
) -> list[records.Match]:
    # Postgres holds no NUL and no half of a surrogate pair: whoever types one finds nobody.
    if UNSTORABLE.search(key):
        return []
    asked = {"by": by, "key": key, "account_like": account_like, "digits_like": digits_like}
    with refusals_by_name():
        return _ask(connection, records.Match, "find", asked).fetchall()


def _is_a_word(text: str) -> bool:
    # One sign of a script without cases (李) says as much as several letters.
    return len(text) == 1 and unicodedata.category(text) == "Lo"


def _last_digits(text: str) -> str | None:
    """The pattern of a number typed in part, last digit first; None where the text is no number."""
    digits = "".join(str(unicodedata.digit(c)) for c in text if c.isdecimal())
    if len(digits) < SHORTEST_ENDING or any(c.isalpha() for c in text):
        return None
    national = digits.lstrip("0")  # the 0 or 00 dialled before a number is not part of it
    return (national if len(national) >= SHORTEST_NATIONAL else digits)[::-1] + "%"


def _features_of(customers: Sequence[str], instants: Sequence[datetime]) -> dict[str, Any]:
    return {
        "customers": list(customers),
        "instants": list(instants),
        "as_of": None,
        "first": None,
        "beyond": None,
    }


def _like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)
