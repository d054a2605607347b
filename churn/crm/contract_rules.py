"""What the rows of the contract's views must keep: one rule a row of this table, with the SQL that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from churn.core.language import mark, t, tn
from churn.crm.contract import View


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `view` for which `broken` holds break the contract.

    What mends it: `put` stands in the view for the first of `columns`, or only rows for which `keep` holds stay.
    """

    view: str
    columns: tuple[str, ...]
    broken: LiteralString
    sentence: str
    put: str | None = None
    keep: str | None = None
    is_optional: bool = False


# %(today)s is the company's day, %(as_of)s its now; clocks may differ by minutes.
TO_COME: LiteralString = "> %(as_of)s::timestamptz + interval '5 minutes'"
NOW = "(SELECT coalesce(data_until, now()) FROM desk.company)"
TODAY = "(SELECT (coalesce(data_until, now()) AT TIME ZONE time_zone)::date FROM desk.company)"

RULES = (
    Rule(
        "customers",
        ("name",),
        "btrim(name) = ''",
        mark("no name"),
        put="coalesce(nullif(btrim(name), ''), customer_id)",
    ),
    Rule(
        "customers",
        ("phone",),
        r"phone !~ '^\+[1-9][0-9]{6,14}$'",
        mark("a telephone number that is not E.164 (+ and 7 to 15 digits), by which no caller will be found"),
        put=r"CASE WHEN phone ~ '^\+[1-9][0-9]{6,14}$' THEN phone END",
    ),
    Rule(
        "customers",
        ("currency",),
        "currency !~ '^[A-Z]{3}$'",
        mark("a currency that is not three capital letters"),
        put="CASE WHEN upper(btrim(currency)) ~ '^[A-Z]{3}$' THEN upper(btrim(currency)) "
        "ELSE (SELECT currency FROM desk.company) END",
    ),
    Rule(
        "customers",
        ("joined_on",),
        "joined_on > %(today)s",
        mark("a day of joining that is yet to come"),
        keep=f"joined_on <= {TODAY}",
    ),
    Rule(
        "customers",
        ("joined_on",),
        "joined_on <= '1900-01-01'",
        mark("a day of joining that stands for unknown"),
        keep="joined_on > '1900-01-01'",
    ),
    Rule(
        "customers",
        ("attributes",),
        "jsonb_typeof(attributes) <> 'object'",
        mark("attributes that are not one object of names and values"),
        put="CASE WHEN jsonb_typeof(attributes) = 'object' THEN attributes ELSE '{}' END",
    ),
    Rule(
        "customers",
        ("attributes",),
        """jsonb_path_exists(attributes, 'strict $.* ? (@.type() == "object" || @.type() == "array")', '{}', true)""",
        mark("attributes within attributes, which are not read"),
        put="CASE WHEN jsonb_typeof(attributes) = 'object' THEN (SELECT coalesce(jsonb_object_agg(key, value), '{}') "
        "FROM jsonb_each(attributes) WHERE jsonb_typeof(value) NOT IN ('object', 'array')) END",
        is_optional=True,
    ),
    Rule(
        "subscriptions",
        ("end_reason",),
        "end_reason NOT IN ('voluntary', 'involuntary', 'move')",
        mark("an end_reason other than voluntary, involuntary and move"),
        put="CASE WHEN end_reason IN ('voluntary', 'involuntary', 'move') THEN end_reason "
        "/* WHEN end_reason = 'your word' THEN 'voluntary' */ END",
    ),
    Rule(
        "subscriptions",
        ("end_reason", "ended_on"),
        "end_reason IS NOT NULL AND ended_on IS NULL",
        mark("a reason for ending but no end"),
        put="CASE WHEN ended_on IS NOT NULL THEN end_reason END",
        is_optional=True,
    ),
    Rule(
        "subscriptions",
        ("ended_on", "started_on"),
        "ended_on < started_on",
        mark("an end before the start"),
        put="greatest(ended_on, started_on)",
    ),
    Rule(
        "subscriptions",
        ("term_ends_on", "started_on"),
        "term_ends_on < started_on",
        mark("a term that ends before the start"),
        put="CASE WHEN term_ends_on >= started_on THEN term_ends_on END",
    ),
    Rule(
        "subscriptions",
        ("monthly_price",),
        "monthly_price < 0 OR monthly_price = 'NaN'",
        mark("a negative price, or none that is a number"),
        keep="monthly_price >= 0 AND monthly_price <> 'NaN'",
    ),
    Rule(
        "invoices",
        ("due_on", "issued_on"),
        "due_on < issued_on",
        mark("a due date before the invoice's own"),
        put="greatest(due_on, issued_on)",
    ),
    Rule(
        "invoices",
        ("issued_on",),
        "issued_on > %(today)s",
        mark("a date that is yet to come"),
        keep=f"issued_on <= {TODAY}",
    ),
    Rule(
        "invoices",
        ("paid_on",),
        "paid_on > %(today)s",
        mark("a day of payment that is yet to come"),
        put=f"CASE WHEN paid_on <= {TODAY} THEN paid_on END",
    ),
    Rule("invoices", ("amount",), "amount = 'NaN'", mark("no number for an amount"), keep="amount <> 'NaN'"),
    Rule(
        "contacts",
        ("started_at",),
        "started_at " + TO_COME,
        mark("a start that is yet to come: a clock or a time zone is wrong"),
        keep=f"started_at <= {NOW}",
    ),
    Rule(
        "contacts",
        ("ended_at", "started_at"),
        "ended_at < started_at",
        mark("an end before the start"),
        put="CASE WHEN ended_at >= started_at THEN ended_at END",
    ),
    Rule(
        "contacts",
        ("ended_at", "started_at"),
        "ended_at > started_at + interval '1 day'",
        mark("more than a day between start and end"),
        put="CASE WHEN ended_at <= started_at + interval '1 day' THEN ended_at END",
        is_optional=True,
    ),
    Rule(
        "contacts",
        ("direction",),
        "direction NOT IN ('in', 'out')",
        mark("a direction other than in and out"),
        put="CASE WHEN lower(direction) LIKE 'out%' THEN 'out' ELSE 'in' END",
    ),
    Rule(
        "contacts",
        ("csat",),
        "csat NOT BETWEEN 1 AND 5",
        mark("a satisfaction outside 1 to 5"),
        put="CASE WHEN csat BETWEEN 1 AND 5 THEN csat END",
    ),
    Rule(
        "usage",
        ("month",),
        "extract(day FROM month) <> 1",
        mark("a month that is not the first of a month"),
        put="date_trunc('month', month)",
    ),
    Rule("usage", ("month",), "month > %(today)s", mark("a month that is yet to come"), keep=f"month <= {TODAY}"),
    Rule(
        "usage",
        ("quantity",),
        "quantity = 'NaN' OR abs(quantity) = 'Infinity'",
        mark("a quantity that is no number"),
        keep="quantity <> 'NaN' AND abs(quantity) < 'Infinity'",
    ),
    Rule("usage", ("quantity",), "quantity < 0", mark("a negative quantity"), keep="quantity >= 0", is_optional=True),
    Rule(
        "change_events",
        ("ends_at", "starts_at"),
        "ends_at < starts_at",
        mark("an end before the start"),
        put="CASE WHEN ends_at >= starts_at THEN ends_at END",
    ),
    Rule(
        "change_events",
        ("audience_size",),
        "audience_size < 0",
        mark("a negative audience"),
        put="CASE WHEN audience_size >= 0 THEN audience_size END",
    ),
    Rule(
        "concessions",
        ("amount",),
        "amount < 0 OR amount = 'NaN'",
        mark("a negative amount, or none that is a number"),
        keep="amount >= 0 AND amount <> 'NaN'",
    ),
    Rule(
        "concessions",
        ("given_at",),
        "given_at " + TO_COME,
        mark("a time that is yet to come"),
        keep=f"given_at <= {NOW}",
    ),
    Rule(
        "concessions",
        ("propensity",),
        "propensity <= 0 OR propensity > 1",  # NaN is the greatest of all numbers here
        mark("a propensity outside 0 to 1"),
        put="CASE WHEN propensity > 0 AND propensity <= 1 THEN propensity END",
    ),
)

# Views whose customer must be known, and whether a row of nobody known may stay: a contact may, with no customer_id.
REFERENCES = {"subscriptions": False, "invoices": False, "usage": False, "concessions": False, "contacts": True}
KNOWN = "EXISTS (SELECT FROM crm.customers AS c WHERE c.customer_id = v.customer_id)"


def rules_of(view: View) -> list[Rule]:
    """The rules of one view: no empty value where one is required, then the table's."""
    empty = []
    for column in view.columns:
        if not column.is_nullable and not column.is_optional:
            name: LiteralString = column.name
            put = f"coalesce({name}, {column.otherwise})" if column.otherwise else None
            keep = None if put else f"{name} IS NOT NULL"
            empty.append(Rule(view.name, (name,), name + " IS NULL", f"no {name}", put=put, keep=keep))
    return [*empty, *(rule for rule in RULES if rule.view == view.name)]


def reference_rule(view: View) -> Rule | None:
    """The rule that a row's customer is known, where the view has one."""
    if view.name not in REFERENCES:
        return None
    sentence, may_stay = mark("a customer who is not in crm.customers"), REFERENCES[view.name]
    put = f"CASE WHEN {KNOWN} THEN customer_id END" if may_stay else None
    return Rule(
        view.name,
        ("customer_id",),
        "",
        sentence,
        put=put,
        keep=None if may_stay else KNOWN,
        is_optional=may_stay,
    )


def row_problem(view: str, what: str, rows: int, example: str = "") -> str:
    """Rows that break a rule, as a sentence; `what`: the rule's own, in English."""
    column = what.removeprefix("no ")
    is_empty = what.startswith("no ") and column.isidentifier() and what not in {rule.sentence for rule in RULES}
    told = {"view": view, "what": t("no {column}", column=column) if is_empty else t(what)}
    if example:
        return tn(
            rows,
            "crm.{view}: {n} row has {what}, e.g. {example}.",
            "crm.{view}: {n} rows have {what}, e.g. {example}.",
            example=example,
            **told,
        )
    return tn(rows, "crm.{view}: {n} row has {what}.", "crm.{view}: {n} rows have {what}.", **told)
