-- erase --
-- Erase one customer on request: an administrator's act.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.erase_customer(%(token)s::text, %(customer_id)s::text, %(reason)s::text)

-- erase_by_job --
-- Erase one customer on request, by whoever runs the command line.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.erase_by_job(%(customer_id)s::text, %(reason)s::text, %(by)s::text)

-- held --
-- All that is held about one customer, for an administrator.
SELECT desk.held_about(%(token)s::text, %(customer_id)s::text) AS held

-- held_by_job --
-- All that is held about one customer, for whoever runs the command line.
SELECT desk.all_held(%(customer_id)s::text, %(by)s::text) AS held

-- periods --
-- How long what is kept, as it holds now.
SELECT DISTINCT ON (subject) subject, days, reason, reference, set_by
FROM desk.retention_periods ORDER BY subject, set_at DESC

-- set_period --
-- Keep something longer or shorter from now on.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.set_retention(%(token)s::text, %(subject)s::text, %(days)s::integer, %(reason)s::text, %(reference)s::text)

-- retain --
-- Remove what has been kept long enough; rows by subject.
SELECT subject, days, before, affected FROM desk.apply_retention(%(by)s::text) ORDER BY subject

-- erased --
-- Every account erased on request or after its time.
SELECT customer_id, kind FROM desk.erasures

-- aftermath --
-- What became of one decision: when and in whose call it was made, what was given, what was answered.
SELECT d.decided_at, d.currency, l.amount AS given, l.instrument AS given_instrument, a.answer,
       EXISTS (SELECT FROM desk.ledger r WHERE r.reverses = l.entry_id AND r.kind = 'reversal') AS is_reversed
FROM desk.decisions d
LEFT JOIN desk.ledger l ON l.decision_id = d.decision_id AND l.kind = 'grant'
LEFT JOIN desk.decision_answers a ON a.decision_id = d.decision_id
WHERE d.decision_id = %(decision_id)s::uuid
