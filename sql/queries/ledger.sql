-- open_session --
-- Sign somebody in; the token is shown this one time.
SELECT token, session_id, staff_id, role, team, expires_at
FROM desk.open_session(%(staff_id)s::text, %(hours)s::numeric)

-- close_session --
-- Sign out.
SELECT desk.close_session(%(token)s::text)

-- person --
-- Who holds this token, with role and team as they are now.
SELECT session_id, staff_id, role, team FROM desk.current_person(%(token)s::text)

-- record_decision --
-- Store a recommendation, before it is shown.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.record_decision(%(token)s::text, %(decision)s::jsonb)

-- answer_decision --
-- The caller said no, or not now.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.answer_decision(%(token)s::text, %(decision_id)s::uuid, %(answer)s::text, %(reason)s::text)

-- give --
-- Give what was offered or approved: the one call that moves money.
SELECT v.outcome, v.code, v.sentence, v.facts, v.who_can_lift, v.key, (v.entry).*
FROM desk.give_concession(
    %(token)s::text, %(decision_id)s::uuid, %(instrument)s::text, %(amount)s::bigint, %(currency)s::text,
    %(months)s::integer, %(approval_id)s::uuid) v

-- grant_of --
-- Ask by key: what was given from my decision, if anything.
SELECT * FROM desk.grant_of(%(token)s::text, %(decision_id)s::uuid)

-- reverse --
-- Take a grant back with a new row.
SELECT v.outcome, v.code, v.sentence, v.facts, v.who_can_lift, v.key, (v.entry).*
FROM desk.reverse_grant(%(token)s::text, %(entry_id)s::bigint, %(reason)s::text) v

-- claw_back --
-- Withdraw credit for a save that did not last, with the months that will never be paid.
SELECT v.outcome, v.code, v.sentence, v.facts, v.who_can_lift, v.key, (v.entry).*
FROM desk.claw_back(%(entry_id)s::bigint, %(unpaid)s::bigint, %(reason)s::text) v

-- close_month --
-- Close a month that is over.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.close_month(%(token)s::text, %(month)s::date)

-- propose_budget --
-- Ask for money in a team's budget, or out of it.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.propose_budget(
    %(token)s::text, %(proposal_id)s::uuid, %(team)s::text, %(instrument)s::text, %(month)s::date, %(currency)s::text,
    %(amount)s::bigint, %(reason)s::text)

-- confirm_budget --
-- A second person moves the money.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.confirm_budget(%(token)s::text, %(proposal_id)s::uuid)

-- headroom --
-- One row per budget of a team that holds now: what is left of it and how far its month is.
SELECT b.budget_id, b.team, b.instrument, b.currency, b.starts_at, b.ends_at, c.amount_limit, c.spent,
       c.amount_limit - c.spent AS headroom,
       (SELECT coalesce(sum(l.amount), 0)::bigint FROM desk.ledger l
        WHERE l.budget_id = b.budget_id
            AND l.booked_on = (desk.business_clock() AT TIME ZONE b.time_zone)::date) AS spent_today,
       extract(epoch FROM desk.business_clock() - b.starts_at) / extract(epoch FROM b.ends_at - b.starts_at) AS elapsed
FROM desk.budgets b
JOIN desk.budget_counters c USING (budget_id)
WHERE b.team = %(team)s::text AND b.starts_at <= desk.business_clock() AND b.ends_at > desk.business_clock()
    AND NOT c.is_closed
ORDER BY b.instrument, b.currency

-- authority_used --
-- One row per instrument: what a person's own authority has been used for in the windows that hold now.
SELECT instrument, currency, time_window, spent
FROM desk.agent_counters
WHERE staff_id = %(staff_id)s::text
    AND starts_on = date_trunc(time_window, desk.business_clock() AT TIME ZONE
                               coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date
ORDER BY instrument, currency

-- customer_grants --
-- One row per grant of a customer that still stands, newest first.
SELECT l.*
FROM desk.ledger l
WHERE l.customer_id = %(customer_id)s::text AND l.kind = 'grant'
    AND NOT EXISTS (SELECT FROM desk.ledger r WHERE r.reverses = l.entry_id AND r.kind = 'reversal')
ORDER BY l.entry_id DESC

-- reconcile --
-- One row per counter that differs from the ledger: none when all is well.
SELECT 'budget ' || b.budget_id || ': ' || b.team || ', ' || b.instrument || ', ' || to_char(b.month, 'YYYY-MM') AS counter,
       c.spent AS counted, coalesce(l.total, 0) AS booked
FROM desk.budgets b
LEFT JOIN desk.budget_counters c USING (budget_id)
LEFT JOIN (SELECT budget_id, sum(amount)::bigint AS total FROM desk.ledger GROUP BY 1) l USING (budget_id)
WHERE c.spent IS DISTINCT FROM coalesce(l.total, 0)
UNION ALL
SELECT 'limit of budget ' || b.budget_id, c.amount_limit, coalesce(m.total, 0)
FROM desk.budgets b
LEFT JOIN desk.budget_counters c USING (budget_id)
LEFT JOIN (SELECT budget_id, sum(amount)::bigint AS total FROM desk.budget_changes GROUP BY 1) m USING (budget_id)
WHERE c.amount_limit IS DISTINCT FROM coalesce(m.total, 0)
UNION ALL
SELECT 'authority of ' || staff_id || ': ' || instrument || ', ' || time_window || ' of ' || starts_on,
       coalesce(a.spent, 0), coalesce(l.total, 0)
FROM desk.agent_counters a
FULL JOIN (
    SELECT authorised_by AS staff_id, instrument, currency, time_window,
           date_trunc(time_window, booked_on::timestamp)::date AS starts_on, sum(amount)::bigint AS total
    FROM desk.ledger WHERE kind = 'grant' GROUP BY 1, 2, 3, 4, 5) l
    USING (staff_id, instrument, currency, time_window, starts_on)
WHERE coalesce(a.spent, 0) <> coalesce(l.total, 0)
ORDER BY 1

-- decision --
-- One recommendation as it was stored, by its key.
SELECT receipt FROM desk.decisions WHERE decision_id = %(decision_id)s::uuid

-- team_agents --
-- How many agents of a team share its money.
SELECT count(*) AS agents FROM desk.staff WHERE team = %(team)s AND role = 'agent' AND is_active
