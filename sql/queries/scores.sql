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

-- take_lock --
-- One scoring at a time, for as long as this connection lasts; whether it is ours.
SELECT pg_try_advisory_lock(hashtextextended('scoring', 0))

-- plan --
-- The unfinished plan of the same models, terms and ranges that is not older than a day: to be gone on with.
SELECT plan_id, as_of FROM desk.scoring_plans
WHERE planned_at > now() - interval '1 day'
    AND (risk_version, is_full, range_size) = (%(risk)s::bigint, %(is_full)s::boolean, %(size)s::integer)
    AND survival_version IS NOT DISTINCT FROM %(survival)s::bigint
    AND (horizon_months, annual_rate, margin_rate, margin_rate_se)
        = (%(horizon_months)s::integer, %(annual_rate)s::float8, %(margin_rate)s::float8, %(margin_rate_se)s::float8)

-- forget_plans --
-- Whatever was planned before and not finished.
DELETE FROM desk.scoring_plans

-- forget_fresh --
-- What it had come to.
TRUNCATE desk.fresh_scores

-- make_plan --
-- A plan for these models and terms; its key.
INSERT INTO desk.scoring_plans
    (as_of, risk_version, survival_version, horizon_months, annual_rate, margin_rate, margin_rate_se, is_full, range_size,
     written_at)
VALUES (%(as_of)s, %(risk)s, %(survival)s, %(horizon_months)s, %(annual_rate)s, %(margin_rate)s, %(margin_rate_se)s,
        %(is_full)s, %(size)s, pg_current_wal_lsn()) RETURNING plan_id

-- make_ranges --
-- Its ranges: every so many customers in order of their keys, open at both ends.
INSERT INTO desk.scoring_ranges (plan_id, range_no, first, beyond)
SELECT %(plan_id)s, k.range_no - 1, nullif(k.first, min(k.first) OVER ()), lead(k.first) OVER (ORDER BY k.range_no)
FROM (SELECT n.customer_id AS first, row_number() OVER (ORDER BY n.customer_id) AS range_no
      FROM (SELECT c.customer_id, row_number() OVER (ORDER BY c.customer_id) - 1 AS place FROM customers c) n
      WHERE n.place %% %(size)s::integer = 0
      UNION ALL SELECT '', 1 WHERE NOT EXISTS (SELECT FROM customers)) k

-- open_ranges --
-- The ranges still to be done, in order.
SELECT range_no FROM desk.scoring_ranges WHERE plan_id = %(plan_id)s AND done_at IS NULL ORDER BY range_no

-- told --
-- What the ranges of a plan came to.
SELECT sum(live)::bigint, sum(anew)::bigint FROM desk.scoring_ranges WHERE plan_id = %(plan_id)s

-- take_range --
-- One range, held until this transaction ends: whoever comes second waits, then finds it done.
SELECT r.first, r.beyond, r.done_at, p.as_of, p.risk_version, p.survival_version, p.horizon_months, p.annual_rate,
       p.margin_rate, p.margin_rate_se, p.is_full, p.written_at::text AS written_at
FROM desk.scoring_ranges r JOIN desk.scoring_plans p USING (plan_id)
WHERE r.plan_id = %(plan_id)s AND r.range_no = %(range_no)s FOR UPDATE OF r

-- to_score --
-- Of one range: how many are live, features of those whose inputs are not those of their score, keys whose score falls away.
WITH features AS (
{features.features}
),
found AS (
    SELECT f.*, f.live_subscriptions > 0
                AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = f.customer_id) AS is_live,
           -- Time goes by for everybody: what it changes is in the features themselves.
           hashtextextended(replace(f::text, f.as_of::text, '') || %(by)s::text, 0) AS inputs
    FROM features f
),
kept AS (
    SELECT s.customer_id, s.inputs FROM desk.scores s
    WHERE (s.customer_id >= %(first)s::text OR %(first)s::text IS NULL)
      AND (s.customer_id < %(beyond)s::text OR %(beyond)s::text IS NULL)
),
changed AS (
    SELECT coalesce(f.customer_id, k.customer_id) AS key, f.is_live IS NOT TRUE AS is_gone, f.*
    FROM found f FULL JOIN kept k USING (customer_id)
    WHERE CASE WHEN f.is_live THEN %(is_full)s::boolean OR k.inputs IS DISTINCT FROM f.inputs
               ELSE k.customer_id IS NOT NULL END
)
SELECT n.live, c.* FROM (SELECT count(*) AS live FROM found WHERE is_live) n LEFT JOIN changed c ON true

-- copy --
-- Take what a range came to in.
COPY desk.fresh_scores
    (customer_id, as_of, p_churn, clv, clv_low, clv_high, expected_months, risk_version, survival_version, inputs)
FROM STDIN

-- range_done --
-- The range is done, in the transaction that brought its scores.
UPDATE desk.scoring_ranges SET done_at = clock_timestamp(), live = %(live)s, anew = %(anew)s, gone = %(gone)s
WHERE plan_id = %(plan_id)s AND range_no = %(range_no)s

-- drop_gone --
-- Scores of customers who left, and of erased ones.
DELETE FROM desk.scores s
WHERE EXISTS (SELECT FROM desk.fresh_scores f WHERE f.customer_id = s.customer_id AND f.p_churn IS NULL)
    OR EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = s.customer_id)

-- fill --
-- The scores made anew, all in the transaction that ends the plan; erased customers have none.
INSERT INTO desk.scores
    (customer_id, as_of, p_churn, clv, clv_low, clv_high, expected_months, risk_version, survival_version, inputs)
SELECT f.customer_id, f.as_of, f.p_churn, f.clv, f.clv_low, f.clv_high, f.expected_months, f.risk_version,
       f.survival_version, f.inputs
FROM desk.fresh_scores f
WHERE f.p_churn IS NOT NULL AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = f.customer_id)
ON CONFLICT (customer_id) DO UPDATE
SET as_of = excluded.as_of, p_churn = excluded.p_churn, clv = excluded.clv, clv_low = excluded.clv_low,
    clv_high = excluded.clv_high, expected_months = excluded.expected_months, risk_version = excluded.risk_version,
    survival_version = excluded.survival_version, inputs = excluded.inputs

-- remember --
-- A bounded sample of each month's first predictions, always of the same customers: later held against what happened.
INSERT INTO desk.prediction_samples (month, customer_id, as_of, p_churn, horizon_days, risk_version)
SELECT m.month, s.customer_id, %(as_of)s::timestamptz, s.p_churn, %(horizon_days)s::int, s.risk_version
FROM desk.scores s CROSS JOIN (
    SELECT date_trunc('month', %(as_of)s::timestamptz
               AT TIME ZONE coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date AS month) m
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
INSERT INTO desk.scoring_runs (as_of, customers, mean_risk, risk_version, survival_version, scored_anew)
SELECT %(as_of)s, count(*), avg(p_churn), %(risk)s, %(survival)s::bigint, %(anew)s::bigint FROM desk.scores
