-- sync_directory --
-- Search keys of every customer from crm, erased ones apart; rows that say the same are left alone.
INSERT INTO desk.directory (customer_id, words, phone_reverse)
SELECT customer_id, desk.name_words(name), reverse(regexp_replace(phone, '\D', '', 'g'))
FROM customers c WHERE NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = c.customer_id)
ON CONFLICT (customer_id) DO UPDATE
SET words = excluded.words, phone_reverse = excluded.phone_reverse, synced_at = now()
WHERE (directory.words, directory.phone_reverse) IS DISTINCT FROM (excluded.words, excluded.phone_reverse)

-- forget_gone --
-- Drop the keys of customers the company no longer holds, and of erased ones.
DELETE FROM desk.directory d
WHERE NOT EXISTS (SELECT FROM customers c WHERE c.customer_id = d.customer_id)
    OR EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = d.customer_id)

-- directory_size --
-- How many customers can be searched for.
SELECT count(*) FROM desk.directory

-- stage --
-- A place for the new scores until all are there.
CREATE TEMPORARY TABLE fresh_scores (LIKE desk.scores) ON COMMIT DROP

-- copy --
-- Take scored customers in.
COPY fresh_scores (customer_id, as_of, p_churn, clv, clv_low, clv_high, expected_months, risk_version, survival_version)
FROM STDIN

-- empty --
-- Clear the old scores in the transaction that brings the new ones.
DELETE FROM desk.scores

-- fill --
-- The new scores; erased customers have none.
INSERT INTO desk.scores SELECT * FROM fresh_scores f
WHERE NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = f.customer_id)

-- remember --
-- A bounded sample of each month's first predictions, always of the same customers: later held against what happened.
INSERT INTO desk.prediction_samples (month, customer_id, as_of, p_churn, horizon_days, risk_version)
SELECT m.month, s.customer_id, s.as_of, s.p_churn, %(horizon_days)s::int, s.risk_version
FROM desk.scores s CROSS JOIN LATERAL (
    SELECT date_trunc('month', s.as_of AT TIME ZONE coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date AS month) m
WHERE NOT EXISTS (SELECT FROM desk.prediction_samples p WHERE p.month = m.month)
ORDER BY hashtextextended(s.customer_id, 0), s.customer_id LIMIT %(most)s::int

-- forget_reasons --
-- Clear the counts in the transaction that brings the new ones.
DELETE FROM desk.contact_reasons

-- count_reasons --
-- The reasons of the last 90 days of the data, counted once so that no card counts them.
INSERT INTO desk.contact_reasons (reason, contacts, as_of)
SELECT t.reason, count(*), n.as_of
FROM contacts t CROSS JOIN (SELECT coalesce(max(started_at), now()) AS as_of FROM contacts) n
WHERE t.direction = 'in' AND t.reason IS NOT NULL AND t.started_at > n.as_of - interval '90 days'
GROUP BY t.reason, n.as_of

-- note_run --
-- What this run came to, with the mean risk callers are compared with.
INSERT INTO desk.scoring_runs (as_of, customers, mean_risk, risk_version, survival_version)
SELECT %(as_of)s, count(*), avg(p_churn), %(risk)s, %(survival)s::bigint FROM desk.scores
