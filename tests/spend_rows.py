"""A ledger of any size, written in SQL by the tables' owner: grants, reversals, clawbacks,
around every clock change."""

from __future__ import annotations

import psycopg

from tests.ledger_world import World

# Instants lie thickest around midnight at the turn of a month and in the hours clocks change, by two time zones.
ROWS = """
WITH chosen AS (
    SELECT n, md5(n::text || %(seed)s)::uuid AS decision_id, ('x' || substr(md5(n::text || 'a'), 1,
        7))::bit(28)::int AS dice
    FROM generate_series(1, %(rows)s::int) n
)
SELECT n, decision_id, 'C' || (dice %% 9000) AS customer_id,
       (ARRAY['ann', 'abe', 'ben', 'nor'])[1 + dice %% 4] AS staff_id,
       (ARRAY['north', 'north', 'south', NULL])[1 + dice %% 4] AS team,
       (ARRAY['bill_credit', 'monthly_discount', 'entitled_refund'])[1 + dice / 7 %% 3] AS instrument,
       (ARRAY['GBP', 'GBP', 'GBP', 'JPY', 'KWD'])[1 + dice / 31 %% 5] AS currency,
       (dice / 11 %% 3501)::bigint AS amount, CASE WHEN dice / 7 %% 3 = 1 THEN 1 + dice / 13 %% 12 END AS months,
       (ARRAY['moved', 'price', 'fault', NULL])[1 + dice / 5 %% 4] AS contact_reason,
       CASE dice / 17 %% 4
           WHEN 0 THEN '2025-10-26T00:00Z'::timestamptz + (dice %% 7200) * interval '1 second'  -- hour twice
           WHEN 1 THEN '2026-03-29T00:30Z'::timestamptz + (dice %% 3600) * interval '1 second'  -- and missing
           WHEN 2 THEN date_trunc('month', '2025-09-01Z'::timestamptz + (dice %% 420) * interval '1 day')
                       + (dice %% 7200 - 3600) * interval '1 second'  -- a month's turn
           ELSE '2025-09-03T00:00Z'::timestamptz + (dice %% 37000000) * interval '1 second' END AS given_at,
       CASE WHEN dice %% 2 = 0 THEN 'Europe/London' ELSE 'America/New_York' END AS time_zone,
       CASE WHEN dice / 3 %% 10 = 0 THEN 'reversal' WHEN dice / 3 %% 10 = 1 THEN 'clawback' END AS taken_back,
       dice / 19 %% 50 AS days_after
INTO TEMPORARY made FROM chosen"""
DECISIONS = """
INSERT INTO desk.decisions (decision_id, case_id, customer_id, staff_id, session_id, team, policy_version, currency,
    contact_reason,
                            rolling_cap, rolling_days, given_elsewhere, receipt, sha256, decided_at, expires_at)
SELECT decision_id, %(case)s, customer_id, staff_id, 1, team, %(version)s, currency, contact_reason, 0, 1, 0, '{}',
    'x', given_at, given_at
FROM made"""
GRANTS = """
INSERT INTO desk.ledger (kind, decision_id, customer_id, staff_id, team, instrument, amount, currency, months,
    schedule, policy_version,
                         authority_id, authority, authorised_by, time_window, given_at, cap_at, booked_on,
                             booked_month)
SELECT 'grant', decision_id, customer_id, staff_id, team, m.instrument, amount, currency, months,
    desk.schedule(amount, months::int),
       %(version)s, a.authority_id, a.per_grant, staff_id, 'day', given_at, given_at, d.day, date_trunc('month',
           d.day::timestamp)::date
FROM made m
JOIN desk.policy_authority a ON a.policy_version = %(version)s AND a.role = 'agent' AND a.instrument = m.instrument
CROSS JOIN LATERAL (SELECT (m.given_at AT TIME ZONE m.time_zone)::date AS day) d ORDER BY n"""
TAKEN_BACK = """
INSERT INTO desk.ledger (kind, decision_id, reverses, customer_id, staff_id, team, instrument, amount, currency,
    policy_version,
                         authority_id, authority, authorised_by, time_window, given_at, cap_at, booked_on,
                             booked_month)
SELECT m.taken_back, l.decision_id, l.entry_id, l.customer_id, 'sue', l.team, l.instrument,
       CASE m.taken_back WHEN 'reversal' THEN -l.amount ELSE -(l.amount / 3) END, l.currency, l.policy_version,
           l.authority_id,
       l.authority, l.authorised_by, l.time_window, d.at, l.cap_at, d.day, date_trunc('month', d.day::timestamp)::date
FROM made m JOIN desk.ledger l USING (decision_id)
CROSS JOIN LATERAL (SELECT m.given_at + m.days_after * interval '1 day' AS at,
                           ((m.given_at + m.days_after * interval '1 day') AT TIME ZONE m.time_zone)::date AS day) d
WHERE m.taken_back IS NOT NULL ORDER BY n"""


def fill(world: World, rows: int, *, seed: str = "1") -> None:
    """So many grants, a fifth of them taken back, half of these in a later month; lawful by every trigger."""
    case = world.case("ann", "C1")
    facts = {"rows": rows, "seed": seed, "case": case, "version": world.version}
    with world.owner.transaction(), world.owner.cursor() as cursor:
        for statement in (ROWS, DECISIONS, GRANTS, TAKEN_BACK):
            cursor.execute(statement, facts)  # type: ignore[arg-type]
        cursor.execute("DROP TABLE made")
    analyze(world.owner)


def analyze(owner: psycopg.Connection) -> None:
    owner.execute("ANALYZE desk.ledger, desk.decisions")
