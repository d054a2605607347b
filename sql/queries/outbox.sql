-- What goes out to billing: numbered, sent, tried again.

-- number --
-- Number what became visible since the last time; how many.
SELECT desk.number_outbox() AS numbered

-- next --
-- The next row that is due and that nobody else is sending; what takes a grant back waits for the grant.
SELECT e.entry_id, e.event_id, e.position, e.type, e.corrects, e.reference, e.account, e.instrument, e.amount, e.currency,
       e.months, e.schedule, e.booked_on, e.given_at, e.recorded_at, o.attempts
FROM desk.outbox o JOIN desk.outbox_events e USING (entry_id)
WHERE o.state = 'waiting' AND o.position IS NOT NULL AND o.next_at <= clock_timestamp()
    AND NOT EXISTS (SELECT FROM desk.outbox g WHERE g.entry_id = e.corrects AND g.state IN ('waiting', 'dead'))
ORDER BY o.position LIMIT 1 FOR UPDATE OF o SKIP LOCKED

-- tried --
-- What came of sending a row.
UPDATE desk.outbox
SET state = %(state)s, attempts = attempts + 1, last_error = %(why)s,
    delivered_at = CASE WHEN %(state)s = 'delivered' THEN clock_timestamp() END,
    next_at = clock_timestamp() + make_interval(secs => %(pause)s)
WHERE entry_id = %(entry_id)s

-- states --
-- Rows by what became of them, and when the oldest of them was written.
SELECT s.state, s.rows, l.recorded_at AS oldest_at
FROM (SELECT o.state, count(*) AS rows, min(o.entry_id) AS entry_id FROM desk.outbox o GROUP BY o.state) s
JOIN desk.ledger l USING (entry_id) ORDER BY s.state

-- late --
-- What was tried and did not arrive, the dead first.
SELECT o.position, o.entry_id, l.kind, o.state, o.attempts, o.next_at, o.last_error
FROM desk.outbox o JOIN desk.ledger l USING (entry_id) WHERE o.state IN ('waiting', 'dead') AND o.attempts > 0
ORDER BY o.state, o.position LIMIT %(most)s::int

-- retry --
-- Everything that failed is due again, the dead too.
UPDATE desk.outbox SET state = 'waiting', attempts = 0, next_at = clock_timestamp()
WHERE state = 'dead' OR state = 'waiting' AND attempts > 0 RETURNING entry_id

-- send_again --
-- What was given up is due again, by somebody of finance: one entry, or with NULL all of it.
SELECT outcome, code, sentence, facts, who_can_lift FROM desk.send_again(%(token)s::text, %(entry_id)s::bigint)

-- skip --
-- Not to be sent: billing has read it for itself.
UPDATE desk.outbox SET state = 'skipped'
WHERE state IN ('waiting', 'dead') AND position <= %(until)s::bigint RETURNING entry_id
