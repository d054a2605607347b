-- ask --
-- Ask a supervisor for more than one may give alone.
SELECT v.outcome, v.code, v.sentence, v.facts, v.who_can_lift, v.key, (v.request).*
FROM desk.ask_approval(
    %(token)s::text, %(approval_id)s::uuid, %(decision_id)s::uuid, %(instrument)s::text, %(amount)s::bigint,
    %(months)s::integer, %(reason)s::text, %(seconds)s::integer) v

-- decide --
-- Approve, counter or decline somebody else's request.
SELECT v.outcome, v.code, v.sentence, v.facts, v.who_can_lift, v.key, (v.request).*
FROM desk.decide_approval(
    %(token)s::text, %(approval_id)s::uuid, %(answer)s::text, %(amount)s::bigint, %(months)s::integer, %(reason)s::text) v

-- withdraw --
-- Take one's own request back.
SELECT v.outcome, v.code, v.sentence, v.facts, v.who_can_lift, v.key, (v.request).*
FROM desk.withdraw_approval(%(token)s::text, %(approval_id)s::uuid) v

-- request --
-- One request with its state as it is now: cheap enough to ask every second.
SELECT r.approval_id, r.decision_id, r.customer_id, r.currency, r.instrument, r.amount, r.months, r.budget_id, r.team,
       r.own_limit, r.reason, r.requested_by, r.requested_at, r.expires_at, desk.state_now(r) AS state, r.decided_by,
       r.decided_at, r.answer_amount, r.answer_months, r.answer_reason
FROM desk.approval_requests r
WHERE r.approval_id = %(approval_id)s::uuid

-- waiting --
-- One row per request that waits for an answer of this person: their team's and those they stand in for, most urgent first.
SELECT r.approval_id, r.decision_id, r.customer_id, r.currency, r.instrument, r.amount, r.months, r.budget_id, r.team,
       r.own_limit, r.reason, r.requested_by, r.requested_at, r.expires_at, desk.state_now(r) AS state, r.decided_by,
       r.decided_at, r.answer_amount, r.answer_months, r.answer_reason
FROM desk.approval_requests r
WHERE r.state = 'asked' AND r.expires_at > clock_timestamp() AND desk.state_now(r) = 'asked'
    AND r.requested_by <> %(staff_id)s::text
    AND (r.team = %(team)s::text OR r.team IN (
        SELECT i.team FROM desk.stand_ins i
        WHERE i.staff_id = %(staff_id)s::text AND clock_timestamp() >= i.starts_at AND clock_timestamp() < i.ends_at))
ORDER BY r.expires_at

-- expire --
-- Write down which requests time has ended; how many.
SELECT desk.expire_approvals() AS expired

-- name_stand_in --
-- Somebody else answers for a team for some hours.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.name_stand_in(%(token)s::text, %(team)s::text, %(staff_id)s::text, %(hours)s::numeric)

-- stand_ins --
-- Who answers for which team for a while, now.
SELECT i.team, i.staff_id, s.name, i.ends_at, i.named_by
FROM desk.stand_ins i JOIN desk.staff s USING (staff_id)
WHERE clock_timestamp() >= i.starts_at AND clock_timestamp() < i.ends_at
ORDER BY i.team, i.ends_at
