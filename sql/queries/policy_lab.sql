-- The policy lab: cases of a version, past calls to replay, budgets and their proposals.

-- cases --
-- The cases kept with a version, as YAML; no row: none.
SELECT document FROM desk.policy_cases WHERE policy_version = %(version)s::bigint

-- draft_with_cases --
-- Store a draft and its cases, both or neither.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.draft_policy_with_cases(%(token)s::text, %(policy)s::jsonb, %(cases)s::text)

-- replay_state --
-- When calls were last made ready for replay; no row: never.
SELECT as_of, since_on, until_on, calls, currency::text AS currency, effect_version, made_at FROM desk.replay_state

-- replay_calls --
-- One row per call that is ready for replay and not older than a day, oldest first.
SELECT called_on, monthly_bill, tenure_months, risk, worth, worth_low, worth_high, fee, plan, segment, contact_reason, fault,
       channel, region, arm, open_complaint, is_vulnerable, is_do_not_offer, in_collections, has_fraud_hold, is_bereaved,
       earlier, amount, stayed, expected, propensity, curves
FROM desk.replay_calls
WHERE called_on >= %(since)s::date
ORDER BY called_on, call_id

-- empty --
-- Clear the old calls in the transaction that brings the new ones.
DELETE FROM desk.replay_calls

-- forget_state --
-- Clear what is known of the old calls.
DELETE FROM desk.replay_state

-- keep_state --
-- Say when calls were made ready, and by which model.
INSERT INTO desk.replay_state (as_of, since_on, until_on, calls, currency, effect_version)
VALUES (%(as_of)s, %(since_on)s, %(until_on)s, %(calls)s, %(currency)s, %(effect_version)s)

-- fill --
-- Take the new calls in.
INSERT INTO desk.replay_calls (
    called_on, monthly_bill, tenure_months, risk, worth, worth_low, worth_high, fee, plan, segment, contact_reason,
    fault, channel, region, arm, open_complaint, is_vulnerable, is_do_not_offer, in_collections, has_fraud_hold,
    is_bereaved, earlier, amount, stayed, expected, propensity, curves)
VALUES (
    %(called_on)s, %(monthly_bill)s, %(tenure_months)s, %(risk)s, %(worth)s, %(worth_low)s, %(worth_high)s, %(fee)s,
    %(plan)s, %(segment)s, %(contact_reason)s, %(fault)s, %(channel)s, %(region)s, %(arm)s, %(open_complaint)s,
    %(is_vulnerable)s, %(is_do_not_offer)s, %(in_collections)s, %(has_fraud_hold)s, %(is_bereaved)s, %(earlier)s,
    %(amount)s, %(stayed)s, %(expected)s, %(propensity)s, %(curves)s)

-- earlier --
-- One row per concession of these customers by an instant, oldest first.
SELECT customer_id, instrument, amount, given_at
FROM concessions
WHERE customer_id = ANY (%(customers)s::text[]) AND given_at <= %(until)s AND amount > 0
ORDER BY customer_id, given_at

-- budgets --
-- One row per budget of a month and the ones after: the limit, and what of it is spent.
SELECT b.team, b.instrument, b.month, b.currency::text AS currency, c.amount_limit, c.spent, c.amount_limit - c.spent AS headroom
FROM desk.budgets b JOIN desk.budget_counters c USING (budget_id)
WHERE b.month >= %(month)s::date
ORDER BY b.month, b.team, b.instrument

-- proposals --
-- One row per proposal of money, the newest first: who proposed and who confirmed, if anybody.
SELECT p.proposal_id, p.team, p.instrument, p.month, p.currency::text AS currency, p.amount, p.reason, p.proposed_by,
       p.proposed_at, c.confirmed_by, c.confirmed_at
FROM desk.budget_proposals p LEFT JOIN desk.budget_changes c USING (proposal_id)
ORDER BY c.confirmed_at IS NOT NULL, p.proposed_at DESC
LIMIT %(most)s

-- to_check --
-- What is checked before a version is published: its content as it is now, and the company's day it would begin on.
SELECT desk.policy_content(%(version)s::bigint) AS content,
       (coalesce(%(effective_from)s::timestamptz, desk.business_clock())
        AT TIME ZONE coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date AS begins_on

-- keep_check --
-- Write down what the checks found; nothing for a version there is none of.
INSERT INTO desk.policy_checks (policy_version, content, begins_on, problems, cases, red_cases)
SELECT policy_version, %(content)s::text, %(begins_on)s::date, %(problems)s::int, %(cases)s::int, %(red_cases)s::int
FROM desk.policy_versions WHERE policy_version = %(version)s::bigint AND published_at IS NULL
RETURNING check_id

-- do_not_offer --
-- Which of these customers asked for no offers.
SELECT customer_id FROM customers WHERE customer_id = ANY (%(customers)s::text[]) AND is_do_not_offer

-- desk_calls --
-- One row per caller of this desk who came to cancel and whose save window is over, as the retention log has calls.
SELECT i.contact_id, i.customer_id, i.called_at - interval '1 second' AS as_of, coalesce(g.amount, 0)::bigint AS amount,
       o.stage = 'saved' AS stayed, c.staff_id AS agent_id, to_char(i.called_on, 'YYYY-MM') AS given_month,
       g.propensity, 'call' AS channel, i.contact_reason, c.fault
FROM desk.cancel_intents i
JOIN desk.save_outcomes o USING (intent_id)
JOIN desk.cases c ON c.case_id = i.case_id
CROSS JOIN LATERAL (
    SELECT sum(l.amount) AS amount,
           -- The draw is known where what was given is what was drawn.
           min(d.propensity) FILTER (WHERE r.amount = l.amount AND d.propensity < 1) AS propensity
    FROM desk.decisions d
    JOIN desk.ledger l ON l.decision_id = d.decision_id AND l.kind = 'grant'
    JOIN desk.policy_instruments p ON p.policy_version = l.policy_version AND p.instrument = l.instrument
    LEFT JOIN desk.decision_rungs r ON r.decision_id = d.decision_id AND r.rung = d.shown_rung
    WHERE d.case_id = i.case_id AND NOT p.is_entitlement
        AND NOT EXISTS (SELECT FROM desk.ledger x WHERE x.reverses = l.entry_id AND x.kind = 'reversal')) g
-- Who left early is known early: before the window is over they would outnumber those who stay.
WHERE i.called_on + i.windows[cardinality(i.windows)] <= %(today)s::date AND o.stage IN ('saved', 'lost_deflect', 'cancelled')
ORDER BY i.called_at DESC, i.intent_id LIMIT %(most)s
