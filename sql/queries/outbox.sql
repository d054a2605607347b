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
-- Rows by what became of them.
SELECT o.state, count(*) AS rows, min(l.recorded_at) AS oldest_at
FROM desk.outbox o JOIN desk.ledger l USING (entry_id) GROUP BY o.state ORDER BY o.state

-- late --
-- What was tried and did not arrive, the dead first.
SELECT e.position, e.entry_id, e.type, e.state, e.attempts, e.next_at, e.last_error
FROM desk.outbox_events e WHERE e.state IN ('waiting', 'dead') AND e.attempts > 0
ORDER BY e.state, e.position LIMIT %(most)s::int

-- retry --
-- Everything that failed is due again, the dead too.
UPDATE desk.outbox SET state = 'waiting', attempts = 0, next_at = clock_timestamp()
WHERE state = 'dead' OR state = 'waiting' AND attempts > 0 RETURNING entry_id

-- skip --
-- Not to be sent: billing has read it for itself.
UPDATE desk.outbox SET state = 'skipped'
WHERE state IN ('waiting', 'dead') AND position <= %(until)s::bigint RETURNING entry_id
