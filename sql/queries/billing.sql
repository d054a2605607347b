-- What billing applied, against what was promised.

-- is_taken --
-- Whether a file with these bytes was taken in before.
SELECT file_id, rows_read, rows_accepted, rows_set_aside FROM desk.billing_files WHERE sha256 = %(sha256)s

-- lock_import --
-- One import at a time.
SELECT pg_advisory_xact_lock(7305117)

-- add_file --
-- Begin a file.
INSERT INTO desk.billing_files (name, sha256, rows_read, rows_accepted, rows_set_aside)
VALUES (%(name)s, %(sha256)s, %(rows_read)s, %(rows_accepted)s, %(rows_set_aside)s) RETURNING file_id

-- known_keys --
-- Which of billing's own numbers were taken in before.
SELECT billing_key FROM desk.billing_applied WHERE billing_key = ANY (%(keys)s)

-- entries_of --
-- The grant each decision led to: what a reference may name instead of the entry.
SELECT decision_id::text, entry_id FROM desk.ledger WHERE kind = 'grant' AND decision_id = ANY (%(decisions)s::uuid[])

-- add_applied --
-- Take the rows in.
COPY desk.billing_applied (file_id, line, applied_on, customer_id, entry_id, reference, billing_key, amount, currency) FROM STDIN

-- add_set_aside --
-- Keep which lines could not be taken, and why.
COPY desk.billing_set_aside (file_id, line, reason) FROM STDIN

-- totals --
-- Entries and sums by what became of them, and how many differences are not settled.
SELECT b.status, b.currency, count(*) AS entries, sum(b.promised)::bigint AS promised, sum(b.due)::bigint AS due,
       sum(b.applied)::bigint AS applied,
       count(*) FILTER (WHERE b.status IN ('missing', 'differs', 'unpromised') AND NOT EXISTS (
           SELECT FROM desk.billing_settlements s WHERE s.key = b.key AND s.status = b.status AND s.promised = b.promised
               AND s.due = b.due AND s.applied = b.applied)) AS open
FROM desk.billing_entries b GROUP BY b.status, b.currency ORDER BY b.currency, b.status

-- differences --
-- Every difference with whether somebody settled it as it stands now, the open ones first and the largest at the top.
SELECT b.key, b.status, b.entry_id, b.booked_on, b.customer_id, b.team, b.instrument, b.currency, b.granted, b.taken_back, b.promised,
       b.due, b.applied, b.applied_on, b.reference, s.reason AS settled_because, s.staff_id AS settled_by, s.settled_at
FROM desk.billing_entries b
LEFT JOIN LATERAL (
    SELECT t.reason, t.staff_id, t.settled_at FROM desk.billing_settlements t
    WHERE t.key = b.key AND t.status = b.status AND t.promised = b.promised AND t.due = b.due AND t.applied = b.applied
    ORDER BY t.settlement_id DESC LIMIT 1) s ON true
WHERE b.status IN ('missing', 'differs', 'unpromised')
ORDER BY s.reason IS NOT NULL, abs(b.due - b.applied) DESC, b.key LIMIT %(most)s

-- files --
-- What was taken in, newest first.
SELECT f.file_id, f.name, f.rows_read, f.rows_accepted, f.rows_set_aside, f.imported_at
FROM desk.billing_files f ORDER BY f.file_id DESC LIMIT 20

-- set_aside --
-- Lines of a file that could not be taken, with the reason.
SELECT a.line, a.reason FROM desk.billing_set_aside a WHERE a.file_id = %(file_id)s ORDER BY a.line LIMIT 500

-- settle --
-- Settle one difference with a reason.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.settle_difference(%(token)s::text, %(key)s::text, %(reason)s::text)
