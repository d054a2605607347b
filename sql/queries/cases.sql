-- note --
-- Take down what is known of a call so far, for a reload to find.
SELECT desk.note_call(%(token)s::text, %(case_id)s::uuid, %(contact_reason)s::text, %(fault)s::text, %(is_asked)s::boolean,
                      %(ask_amount)s::bigint, %(ask_in_kind)s::text)

-- so_far --
-- An open case of mine: what was taken down, offers turned down, the newest offer that stands and the request that waits.
SELECT n.contact_reason, n.fault, coalesce(n.is_asked, false) AS is_asked, n.ask_amount, n.ask_in_kind, c.cancel_asked_at,
       (SELECT count(*)::integer FROM desk.decisions d JOIN desk.decision_answers a USING (decision_id)
        WHERE d.case_id = c.case_id AND a.answer IN ('not_now', 'refused_by_caller')) AS turned_down,
       (SELECT d.decision_id FROM desk.decisions d
        WHERE d.case_id = c.case_id AND d.expires_at > clock_timestamp()
            AND NOT EXISTS (SELECT FROM desk.decision_answers a WHERE a.decision_id = d.decision_id)
        ORDER BY d.recorded_at DESC LIMIT 1) AS decision_id,
       (SELECT r.approval_id FROM desk.approval_requests r JOIN desk.decisions d USING (decision_id)
        WHERE d.case_id = c.case_id AND desk.state_now(r) IN ('asked', 'approved', 'countered', 'declined')
        ORDER BY r.requested_at DESC LIMIT 1) AS approval_id
FROM desk.cases c LEFT JOIN desk.notes_of(%(token)s::text, %(case_id)s::uuid) n USING (case_id)
WHERE c.case_id = %(case_id)s::uuid AND c.closed_at IS NULL

-- given --
-- What was given in a case and stands, newest first.
SELECT l.*
FROM desk.ledger l JOIN desk.decisions d USING (decision_id)
WHERE d.case_id = %(case_id)s::uuid AND l.kind = 'grant'
    AND NOT EXISTS (SELECT FROM desk.ledger t WHERE t.reverses = l.entry_id AND t.kind = 'reversal')
ORDER BY l.entry_id DESC

-- ways_out --
-- Who of a team's callers was let go in the last hours, newest first, and the seconds from their first "cancel" to done.
SELECT c.case_id, c.customer_id, s.name AS agent, c.cancelled_at, c.contact_reason,
       extract(epoch FROM c.cancelled_at - c.cancel_asked_at)::float8 AS seconds
FROM desk.cases c JOIN desk.staff s USING (staff_id)
WHERE s.team = %(team)s::text AND c.cancelled_at > clock_timestamp() - make_interval(hours => %(hours)s::integer)
ORDER BY c.cancelled_at DESC LIMIT 50
