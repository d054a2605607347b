-- What was given: sums over the ledger, the way down to its rows, months as reported and restated, what the night found.

-- months --
-- One row per month and currency: booked in it, and what is about it wherever it was booked; closed when by whom.
SELECT m.month, m.currency, sum(m.entries)::bigint AS entries, coalesce(sum(m.granted), 0)::bigint AS granted, sum(m.reported)::bigint AS reported,
       sum(m.restated)::bigint AS restated, c.closed_by, c.closed_at
FROM (
    SELECT booked_month AS month, currency, count(*) AS entries, sum(amount) FILTER (WHERE kind = 'grant') AS granted,
           sum(amount) AS reported, 0 AS restated
    FROM desk.spend_entries GROUP BY 1, 2
    UNION ALL
    SELECT belongs_month, currency, 0, 0, 0, sum(amount) FROM desk.spend_entries GROUP BY 1, 2
) m LEFT JOIN desk.month_closes c ON c.month = m.month
GROUP BY m.month, m.currency, c.closed_by, c.closed_at ORDER BY m.month DESC, m.currency

-- by --
-- One row per value of a cut of the entries booked in some months: agent, team, instrument, reason, plan, region or kind.
SELECT CASE %(by)s::text
           WHEN 'agent' THEN e.staff_id WHEN 'team' THEN e.team WHEN 'instrument' THEN e.instrument WHEN 'reason' THEN e.reason
           WHEN 'kind' THEN e.kind WHEN 'plan' THEN coalesce(p.plan, 'not known') WHEN 'region' THEN coalesce(r.region, 'not known')
       END AS value, count(*) AS entries, count(DISTINCT e.customer_id) AS customers,
       coalesce(sum(e.amount) FILTER (WHERE e.kind = 'grant'), 0)::bigint AS granted,
       coalesce(sum(e.amount) FILTER (WHERE e.kind = 'reversal'), 0)::bigint AS reversed,
       coalesce(sum(e.amount) FILTER (WHERE e.kind = 'clawback'), 0)::bigint AS clawed_back, sum(e.amount)::bigint AS net
FROM desk.spend_entries e
LEFT JOIN LATERAL (
    SELECT s.plan FROM subscriptions s
    WHERE %(by)s::text = 'plan' AND s.customer_id = e.customer_id AND s.started_on <= e.booked_on
        AND (s.ended_on IS NULL OR s.ended_on >= e.booked_on)
    ORDER BY s.monthly_price DESC NULLS LAST, s.subscription_id LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT c.region FROM customers c WHERE %(by)s::text = 'region' AND c.customer_id = e.customer_id LIMIT 1) r ON true
WHERE e.booked_month BETWEEN %(first)s AND %(last)s AND e.currency = %(currency)s
GROUP BY 1 ORDER BY net DESC, value

-- entries --
-- The ledger rows behind a figure, newest first, with how many there are and what they come to.
SELECT e.entry_id, e.kind, e.booked_on, e.booked_month, e.belongs_month, e.team, e.staff_id, e.done_by, e.instrument, e.reason,
       e.customer_id, e.amount, e.currency, e.months, e.reverses, e.remark,
       count(*) OVER () AS all_of_them, (sum(e.amount) OVER ())::bigint AS net_of_all
FROM desk.spend_entries e
LEFT JOIN LATERAL (
    SELECT s.plan FROM subscriptions s
    WHERE %(by)s::text = 'plan' AND s.customer_id = e.customer_id AND s.started_on <= e.booked_on
        AND (s.ended_on IS NULL OR s.ended_on >= e.booked_on)
    ORDER BY s.monthly_price DESC NULLS LAST, s.subscription_id LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT c.region FROM customers c WHERE %(by)s::text = 'region' AND c.customer_id = e.customer_id LIMIT 1) r ON true
WHERE e.booked_month BETWEEN %(first)s AND %(last)s AND e.currency = %(currency)s
    AND (%(value)s::text IS NULL OR %(value)s::text = CASE %(by)s::text
        WHEN 'agent' THEN e.staff_id WHEN 'team' THEN e.team WHEN 'instrument' THEN e.instrument WHEN 'reason' THEN e.reason
        WHEN 'kind' THEN e.kind WHEN 'plan' THEN coalesce(p.plan, 'not known') WHEN 'region' THEN coalesce(r.region, 'not known')
        WHEN 'customer' THEN e.customer_id END)
ORDER BY e.entry_id DESC LIMIT %(most)s

-- corrections --
-- Rows booked in one month that are about an earlier one, with the entry they correct.
SELECT e.entry_id, e.kind, e.booked_on, e.belongs_month, e.reverses, e.team, e.instrument, e.amount, e.currency, e.done_by, e.remark
FROM desk.spend_entries e WHERE e.booked_month = %(month)s AND e.belongs_month <> e.booked_month
ORDER BY e.entry_id

-- budgets --
-- Each budget of a month: its limit, what the ledger says is spent, whether it is closed.
SELECT b.budget_id, b.team, b.instrument, b.currency::text AS currency, b.time_zone, c.amount_limit, c.is_closed,
       coalesce((SELECT sum(e.amount) FROM desk.spend_entries e WHERE e.budget_id = b.budget_id), 0)::bigint AS spent
FROM desk.budgets b JOIN desk.budget_counters c USING (budget_id)
WHERE b.month = %(month)s ORDER BY b.team, b.instrument, b.currency

-- days --
-- Net amounts by day of what draws budgets, since a day: what a forecast goes by.
SELECT e.team, e.instrument, e.currency, e.booked_on, sum(e.amount)::bigint AS net
FROM desk.spend_entries e WHERE e.budget_id IS NOT NULL AND e.booked_on >= %(since)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4

-- begun --
-- Since when each team's budgets of an instrument could be spent.
SELECT b.team, b.instrument, b.currency::text, min(b.month) FROM desk.budgets b GROUP BY 1, 2, 3

-- repeats --
-- Customers given money more than once in some months, the most first, by key.
SELECT e.customer_id, count(*) FILTER (WHERE e.kind = 'grant') AS grants, sum(e.amount)::bigint AS net, e.currency,
       max(e.booked_on) FILTER (WHERE e.kind = 'grant') AS last_on, count(DISTINCT e.staff_id) AS agents
FROM desk.spend_entries e
WHERE e.booked_month BETWEEN %(first)s AND %(last)s AND e.currency = %(currency)s
GROUP BY e.customer_id, e.currency HAVING count(*) FILTER (WHERE e.kind = 'grant' AND e.amount > 0) > 1
ORDER BY grants DESC, net DESC, e.customer_id LIMIT %(most)s

-- near_limits --
-- How often each amount was given, by instrument and the giver's own limit for one grant.
SELECT e.instrument, e.own_limit, e.amount, count(*) AS times
FROM desk.spend_entries e
WHERE e.kind = 'grant' AND e.amount > 0 AND e.own_limit > 0 AND e.currency = %(currency)s
    AND e.booked_month BETWEEN %(first)s AND %(last)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3

-- accrual --
-- By the month it was given in: granted, taken back since, applied by billing, still owed.
SELECT b.booked_month AS month, b.currency, sum(b.granted)::bigint AS granted, sum(b.taken_back)::bigint AS taken_back,
       sum(b.applied)::bigint AS applied, sum(b.promised - b.applied)::bigint AS owed
FROM desk.billing_entries b WHERE b.key LIKE 'entry:%%' GROUP BY 1, 2 ORDER BY 1 DESC, 2

-- statement --
-- The sums signed off for a month, as they were then; none while it is open.
SELECT c.month, c.closed_by, c.closed_at, c.statement FROM desk.month_closes c WHERE c.month = %(month)s

-- sums --
-- The sums of a month as the ledger has them now, in the shape of a statement.
SELECT l.team, l.instrument, l.currency::text AS currency, count(*) AS entries,
       coalesce(sum(l.amount) FILTER (WHERE l.kind = 'grant'), 0)::bigint AS granted,
       coalesce(sum(l.amount) FILTER (WHERE l.kind = 'reversal'), 0)::bigint AS reversed,
       coalesce(sum(l.amount) FILTER (WHERE l.kind = 'clawback'), 0)::bigint AS clawed_back, sum(l.amount)::bigint AS net
FROM desk.ledger l WHERE l.booked_month = %(month)s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3

-- state --
-- When the night last looked at the money.
SELECT s.as_of, s.refreshed_at, s.currency::text AS currency, s.since_on, s.until_on, s.window_days, s.run_off_missing,
       s.mean_variance, s.overdispersion, s.spread, s.middle
FROM desk.spend_state s

-- returns --
-- What money brought, all of it first, then by instrument.
SELECT r.scope, r.label, r.given, r.without, r.spent, r.kept, r.kept_low, r.kept_high, r.margin, r.margin_low, r.margin_high,
       r.deadweight, r.deadweight_low, r.deadweight_high, r.missing
FROM desk.spend_returns r ORDER BY r.scope <> 'all', r.scope

-- run_off --
-- What recurring discounts still cost, by month.
SELECT o.month, o.instrument, o.currency::text AS currency, o.customers, o.promised, o.expected
FROM desk.spend_run_off o ORDER BY o.month, o.instrument, o.currency

-- givers --
-- What each agent gave against what callers like theirs are given.
SELECT g.staff_id, coalesce(s.name, g.staff_id) AS name, g.team, g.calls, g.given, g.expected, g.usual_calls, g.difference, g.told,
       g.shrunk, g.low, g.high, g.zone
FROM desk.spend_givers g LEFT JOIN desk.staff s USING (staff_id) ORDER BY name

-- likeness --
-- How far apart amounts of near-identical cases are, in all and by group.
SELECT k.cut, k.value, k.cases, k.spread, k.above, k.low, k.high
FROM desk.spend_likeness k ORDER BY k.cut <> 'all', k.cut, k.value

-- one_refresh --
-- One night at a time.
SELECT pg_advisory_xact_lock(7305116)

-- desk_calls --
-- Calls of this desk in which money could be offered, the window over: what was given, meant, drawn, and did they stay.
SELECT d.decision_id::text AS contact_id, d.customer_id, d.decided_at - interval '1 second' AS as_of,
       coalesce(g.amount, 0) AS amount, d.intended_amount, n.p_nothing, d.staff_id AS agent_id, d.contact_reason,
       g.instrument, d.currency::text AS currency, o.stage = 'saved' AS stayed
FROM desk.decisions d
JOIN desk.save_outcomes o ON o.case_id = d.case_id
LEFT JOIN LATERAL (
    SELECT sum(l.amount)::bigint AS amount, min(l.instrument) AS instrument
    FROM desk.decisions e JOIN desk.ledger l USING (decision_id)
    WHERE e.case_id = d.case_id AND l.kind <> 'clawback' HAVING sum(l.amount) > 0) g ON true
LEFT JOIN LATERAL (  -- the chance that nothing was shown, where rungs were drawn
    SELECT sum(r.propensity) FILTER (WHERE r.amount = 0) AS p_nothing FROM desk.decision_rungs r
    WHERE r.decision_id = d.decision_id AND d.propensity < 1) n ON true
WHERE o.stage IN ('saved', 'lost_deflect', 'cancelled')
    AND o.called_on + o.windows[cardinality(o.windows)] <= %(today)s::date
    AND NOT EXISTS (SELECT FROM desk.decisions e WHERE e.case_id = d.case_id
                    AND (e.recorded_at, e.decision_id) > (d.recorded_at, d.decision_id))
ORDER BY d.decided_at DESC, d.decision_id LIMIT %(most)s

-- running --
-- Recurring discounts with parts still to come that were not taken back.
SELECT l.customer_id, l.instrument, l.currency::text AS currency, l.booked_month, l.schedule
FROM desk.ledger l
WHERE l.kind = 'grant' AND l.schedule IS NOT NULL AND l.amount > 0
    AND (l.booked_month + make_interval(months => l.months::integer))::date > %(this_month)s
    AND NOT EXISTS (SELECT FROM desk.ledger r WHERE r.reverses = l.entry_id)

-- clear_returns --
-- Make room for tonight's returns.
DELETE FROM desk.spend_returns

-- add_return --
-- Keep one return.
INSERT INTO desk.spend_returns (
    scope, label, given, without, spent, kept, kept_low, kept_high, margin, margin_low, margin_high, deadweight, deadweight_low,
    deadweight_high, missing)
VALUES (%(scope)s, %(label)s, %(given)s, %(without)s, %(spent)s, %(kept)s, %(kept_low)s, %(kept_high)s, %(margin)s, %(margin_low)s,
        %(margin_high)s, %(deadweight)s, %(deadweight_low)s, %(deadweight_high)s, %(missing)s)

-- clear_run_off --
-- Make room for tonight's run-off.
DELETE FROM desk.spend_run_off

-- add_run_off --
-- Keep one month of it.
INSERT INTO desk.spend_run_off (month, instrument, currency, customers, promised, expected)
VALUES (%(month)s, %(instrument)s, %(currency)s, %(customers)s, %(promised)s, %(expected)s)

-- clear_givers --
-- Make room for tonight's givers.
DELETE FROM desk.spend_givers

-- add_giver --
-- Keep one of them.
INSERT INTO desk.spend_givers (
    staff_id, team, calls, given, expected, usual_calls, difference, told, shrunk, low, high, zone)
VALUES (%(staff_id)s, %(team)s, %(calls)s, %(given)s, %(expected)s, %(usual_calls)s, %(difference)s, %(told)s, %(shrunk)s, %(low)s,
        %(high)s, %(zone)s)

-- clear_likeness --
-- Make room for tonight's comparison.
DELETE FROM desk.spend_likeness

-- add_likeness --
-- Keep one group of it.
INSERT INTO desk.spend_likeness (cut, value, cases, spread, above, low, high)
VALUES (%(cut)s, %(value)s, %(cases)s, %(spread)s, %(above)s, %(low)s, %(high)s)

-- clear_state --
-- Make room for tonight's state.
DELETE FROM desk.spend_state

-- write_state --
-- When it was made, and the funnel of givers.
INSERT INTO desk.spend_state (
    as_of, currency, since_on, until_on, window_days, run_off_missing, mean_variance, overdispersion, spread, middle)
VALUES (%(as_of)s, %(currency)s, %(since_on)s, %(until_on)s, %(window_days)s, %(run_off_missing)s, %(mean_variance)s,
        %(overdispersion)s, %(spread)s, %(middle)s)
