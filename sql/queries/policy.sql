-- in_force --
-- The version in force at an instant; none before the first.
SELECT policy_version AS version, title, currency, drafted_by, drafted_at, published_by, published_at, effective_from
FROM desk.policy_versions
WHERE policy_version = desk.policy_in_force(coalesce(%(at)s::timestamptz, desk.business_clock()))

-- versions --
-- One row per version, newest first.
SELECT policy_version AS version, title, currency, drafted_by, drafted_at, published_by, published_at, effective_from
FROM desk.policy_versions
ORDER BY policy_version DESC

-- version --
-- One version by number, draft or published.
SELECT policy_version AS version, title, currency, drafted_by, drafted_at, published_by, published_at, effective_from
FROM desk.policy_versions
WHERE policy_version = %(version)s::bigint

-- instruments --
-- One row per instrument of a version.
SELECT instrument, title, lever, cost_model, cost_share, handling_cost, max_amount, step_amount, max_months,
       is_entitlement, draws_budget
FROM desk.policy_instruments
WHERE policy_version = %(version)s::bigint
ORDER BY array_position(ARRAY['fix', 'right_size', 'pause', 'credit', 'discount'], lever), instrument

-- rules --
-- One row per rule of a version.
SELECT code, topic, instrument, starts_on, ends_on, tenure_from, tenure_to, worth_from, worth_to, risk_from, risk_to,
       given_from, given_to, given_days, plan, segment, contact_reason, fault, channel, region, arm, open_complaint,
       is_vulnerable, is_do_not_offer, in_collections, has_fraud_hold, is_bereaved, effect, value, unit, window_days, role,
       reason, reference
FROM desk.policy_rules
WHERE policy_version = %(version)s::bigint
ORDER BY effect, topic, code

-- authority --
-- One row per line of the delegation of authority of a version.
SELECT role, instrument, contact_reason, per_grant, per_window, time_window
FROM desk.policy_authority
WHERE policy_version = %(version)s::bigint
ORDER BY role, instrument, contact_reason NULLS FIRST

-- draft --
-- Store a draft from one document.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.draft_policy(%(token)s::text, %(policy)s::jsonb)

-- publish --
-- A second person puts a draft in force.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.publish_policy(%(token)s::text, %(version)s::bigint, %(effective_from)s::timestamptz)

-- seats --
-- One row per team with agents: how many, in which currency, and the month it is for the company.
SELECT s.team, count(*) AS agents, c.currency,
       date_trunc('month', desk.business_clock() AT TIME ZONE c.time_zone)::date AS month
FROM desk.staff s
CROSS JOIN desk.company c
WHERE s.role = 'agent' AND s.is_active AND s.team IS NOT NULL
GROUP BY s.team, c.currency, c.time_zone
ORDER BY s.team

-- clock --
-- The company's own time: the clock, or where its data end.
SELECT desk.business_clock() AS now

-- supervisors_used --
-- One row per instrument of which every supervisor of a team has used some: the least any of them has, in the window now.
SELECT instrument, currency, spent FROM desk.supervisors_used(%(team)s::text)
