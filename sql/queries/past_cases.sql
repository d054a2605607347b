-- Settled cases without a name: gathered every night, and those nearest to a call.

-- settled --
-- One row per caller of this desk who came to cancel and whose save window is over: what was given, were they kept.
SELECT i.customer_id, i.called_on::timestamp AT TIME ZONE z.time_zone - interval '1 second' AS as_of, i.contact_id, i.contact_reason, c.fault,
       o.stage = 'saved' AS is_kept, date_trunc('month', i.called_on::timestamp)::date AS month,
       g.instrument, coalesce(g.amount, 0) AS amount, coalesce(g.is_fixed, false) AS is_fixed
FROM desk.cancel_intents i
JOIN desk.save_outcomes o USING (intent_id)
JOIN desk.cases c ON c.case_id = i.case_id
CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
CROSS JOIN LATERAL (
    SELECT sum(l.amount)::bigint AS amount, bool_or(p.lever = 'fix') AS is_fixed,
           (array_agg(l.instrument ORDER BY l.amount DESC, l.entry_id) FILTER (WHERE l.amount > 0))[1] AS instrument
    FROM desk.decisions d
    JOIN desk.ledger l ON l.decision_id = d.decision_id AND l.kind = 'grant'
    JOIN desk.policy_instruments p ON p.policy_version = l.policy_version AND p.instrument = l.instrument
    WHERE d.case_id = i.case_id AND NOT p.is_entitlement
        AND NOT EXISTS (SELECT FROM desk.ledger r WHERE r.reverses = l.entry_id AND r.kind = 'reversal')) g
-- Who left early is known early: before the window is over they would outnumber those who stay.
WHERE i.called_on + i.windows[cardinality(i.windows)] <= %(today)s::date AND o.stage IN ('saved', 'lost_deflect', 'cancelled')
ORDER BY i.called_at DESC, i.intent_id LIMIT %(most)s

-- empty --
-- Clear the old cases in the transaction that brings the new ones.
DELETE FROM desk.past_cases

-- fill --
-- Take the new cases in.
COPY desk.past_cases (
    month, contact_reason, fault, plan, segment, tenure_months, monthly_bill, risk, worth, instrument, amount, is_fixed, is_kept,
    at_tenure, at_bill, at_risk, at_worth) FROM STDIN

-- forget_scales --
-- Clear the old scales.
DELETE FROM desk.past_case_scales

-- keep_scales --
-- One standard deviation of each figure.
INSERT INTO desk.past_case_scales (tenure, bill, risk, worth) VALUES (%(tenure)s, %(bill)s, %(risk)s, %(worth)s)

-- nearest --
-- One row per near case, nearest first, those of the same reason before others: of the same plan and segment, or of all.
SELECT c.month, c.contact_reason, c.fault, c.plan, c.segment, c.tenure_months, c.monthly_bill, c.risk, c.worth,
       c.instrument, c.amount, c.is_fixed, c.is_kept, sqrt(d.squares) AS distance
FROM (SELECT %(tenure)s::float8 / s.tenure AS tenure, %(bill)s::float8 / s.bill AS bill, %(risk)s::float8 / s.risk AS risk,
             %(worth)s::float8 / s.worth AS worth
      FROM desk.past_case_scales s) me
CROSS JOIN desk.past_cases c
CROSS JOIN LATERAL (
    SELECT coalesce((c.at_tenure - me.tenure) * (c.at_tenure - me.tenure), 1)
           + coalesce((c.at_bill - me.bill) * (c.at_bill - me.bill), 1)
           + coalesce((c.at_risk - me.risk) * (c.at_risk - me.risk), 1)
           + coalesce((c.at_worth - me.worth) * (c.at_worth - me.worth), 1)
           + (c.fault IS DISTINCT FROM %(fault)s::text)::int
           + %(other_kind)s * ((c.plan IS DISTINCT FROM %(plan)s::text)::int + (c.segment IS DISTINCT FROM %(segment)s::text)::int)
           AS squares) d
WHERE NOT %(is_same_kind)s::boolean
   OR (%(contact_reason)s::text IS NULL OR c.contact_reason = %(contact_reason)s::text)
      AND (c.plan = %(plan)s::text OR %(plan)s::text IS NULL AND c.plan IS NULL)
      AND (c.segment = %(segment)s::text OR %(segment)s::text IS NULL AND c.segment IS NULL)
ORDER BY %(contact_reason)s::text IS NOT NULL AND c.contact_reason IS DISTINCT FROM %(contact_reason)s::text,
         d.squares, c.past_case_id
LIMIT %(most)s
