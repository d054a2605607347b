-- Trends: the nightly adding up for the leader's pictures, and what the pages read of it.

-- one_refresh --
-- Two refreshes at once would add up the same: the second waits for the first.
SELECT pg_advisory_xact_lock(7305215)

-- stage_spells --
-- A place for everybody's unbroken times as a customer.
CREATE TEMPORARY TABLE spells (customer_id text NOT NULL, began_on date NOT NULL, left_on date, left_how text) ON COMMIT DROP

-- find_spells --
-- One row per unbroken time as a customer: a change of plan neither ends nor begins one; an end still to come is none yet.
INSERT INTO spells (customer_id, began_on, left_on, left_how)
WITH steps AS (
    SELECT s.customer_id, s.subscription_id, s.started_on, coalesce(s.ended_on, 'infinity') AS ended_on, s.end_reason,
           max(coalesce(s.ended_on, 'infinity')) OVER (
               PARTITION BY s.customer_id ORDER BY s.started_on, s.subscription_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_to
    FROM subscriptions s
    WHERE s.started_on <= %(today)s::date AND (s.ended_on IS NULL OR s.ended_on > s.started_on)
),
numbered AS (
    SELECT t.*, count(*) FILTER (WHERE covered_to IS NULL OR covered_to < started_on) OVER (
               PARTITION BY customer_id ORDER BY started_on, subscription_id) AS spell
    FROM steps t
)
SELECT customer_id, min(started_on), CASE WHEN max(ended_on) <= %(today)s::date THEN max(ended_on) END,
       CASE WHEN max(ended_on) <= %(today)s::date
            THEN coalesce((array_agg(end_reason ORDER BY ended_on DESC, subscription_id))[1], 'voluntary') END
FROM numbered GROUP BY customer_id, spell

-- measure_spells --
-- Statistics for what was just filled.
ANALYZE spells

-- stage_lives --
-- A place for what the curves watch: every time as a customer, from when it could be seen.
CREATE TEMPORARY TABLE lives (
    customer_id text NOT NULL, began_on date NOT NULL, joined_on date NOT NULL, entered_on date NOT NULL, seen_on date NOT NULL,
    is_left_by_choice boolean NOT NULL, plan text NOT NULL, region text NOT NULL, segment text NOT NULL, reason text
) ON COMMIT DROP

-- find_lives --
-- One row per time as a customer: plan when first seen; what they had last asked about when the landmark came, if it is in it.
INSERT INTO lives (customer_id, began_on, joined_on, entered_on, seen_on, is_left_by_choice, plan, region, segment, reason)
WITH seen AS (
    SELECT p.customer_id, p.began_on, c.joined_on, d.entered_on, coalesce(p.left_on, %(today)s::date) AS seen_on,
           coalesce(p.left_how = 'voluntary', false) AS is_left_by_choice, coalesce(c.region, 'unknown') AS region,
           coalesce(c.segment, 'unknown') AS segment
    FROM spells p JOIN customers c USING (customer_id)
    CROSS JOIN LATERAL (SELECT greatest(p.began_on, c.joined_on, %(since)s::date) AS entered_on) d
    WHERE coalesce(p.left_on, %(today)s::date) > d.entered_on
),
had AS (
    SELECT DISTINCT ON (l.customer_id, l.entered_on) l.customer_id, l.entered_on, s.plan
    FROM seen l JOIN subscriptions s ON s.customer_id = l.customer_id AND s.started_on <= l.entered_on
        AND (s.ended_on IS NULL OR s.ended_on > l.entered_on)
    ORDER BY l.customer_id, l.entered_on, s.monthly_price DESC, s.subscription_id
),
asked AS (
    SELECT DISTINCT ON (t.customer_id) t.customer_id, coalesce(t.reason, 'unknown') AS reason
    FROM contacts t CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL
        AND t.started_at >= (%(landmark)s::date - 90)::timestamp AT TIME ZONE z.time_zone
        AND t.started_at < %(landmark)s::date::timestamp AT TIME ZONE z.time_zone
    ORDER BY t.customer_id, t.started_at DESC, t.contact_id
)
SELECT l.customer_id, l.began_on, l.joined_on, l.entered_on, l.seen_on, l.is_left_by_choice, coalesce(h.plan, 'unknown'), l.region,
       l.segment,
       CASE WHEN l.began_on < %(landmark)s::date AND l.seen_on > %(landmark)s::date THEN coalesce(a.reason, 'no contact') END
FROM seen l LEFT JOIN had h USING (customer_id, entered_on) LEFT JOIN asked a USING (customer_id)

-- measure_lives --
-- Statistics for what was just filled.
ANALYZE lives

-- stage_members --
-- A place for the customers of one month.
CREATE TEMPORARY TABLE members (
    customer_id text NOT NULL, plan text NOT NULL, region text NOT NULL, segment text NOT NULL, tenure text NOT NULL,
    reason text NOT NULL, joined_on date NOT NULL, monthly_margin numeric, left_on date, left_how text, was_live boolean NOT NULL
) ON COMMIT DROP

-- clear_members --
-- Room for the next month.
TRUNCATE members

-- find_members --
-- One row per customer live when the month began, or come and gone within it: what told them apart, and whether they left.
INSERT INTO members
WITH had AS (
    SELECT DISTINCT ON (s.customer_id) s.customer_id, s.plan,
           sum(s.monthly_margin) OVER (PARTITION BY s.customer_id) AS monthly_margin
    FROM subscriptions s
    WHERE s.started_on < %(month)s::date AND (s.ended_on IS NULL OR s.ended_on >= %(month)s::date)
    ORDER BY s.customer_id, s.monthly_price DESC, s.subscription_id
),
asked AS (
    SELECT DISTINCT ON (t.customer_id) t.customer_id, t.reason
    FROM contacts t CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL
        AND t.started_at >= (%(month)s::date - 90)::timestamp AT TIME ZONE z.time_zone
        AND t.started_at < %(month)s::date::timestamp AT TIME ZONE z.time_zone
    ORDER BY t.customer_id, t.started_at DESC, t.contact_id
)
SELECT p.customer_id, coalesce(h.plan, l.plan, 'unknown'), coalesce(c.region, 'unknown'), coalesce(c.segment, 'unknown'),
       desk.tenure_band(%(month)s::date - c.joined_on),
       CASE WHEN a.customer_id IS NULL THEN 'no contact' ELSE coalesce(a.reason, 'unknown') END,
       c.joined_on, h.monthly_margin,
       CASE WHEN p.left_on < %(month)s::date + interval '1 month' THEN p.left_on END,
       CASE WHEN p.left_on < %(month)s::date + interval '1 month' THEN p.left_how END, p.began_on < %(month)s::date
FROM spells p
JOIN customers c USING (customer_id)
LEFT JOIN lives l USING (customer_id, began_on)
LEFT JOIN had h ON h.customer_id = p.customer_id AND p.began_on < %(month)s::date
LEFT JOIN asked a ON a.customer_id = p.customer_id
WHERE (p.began_on < %(month)s::date AND (p.left_on IS NULL OR p.left_on >= %(month)s::date))
    OR (p.began_on >= %(month)s::date AND p.left_on < %(month)s::date + interval '1 month')

-- clear_month --
-- What was added up of a month before.
DELETE FROM desk.trend_months WHERE month = %(month)s::date

-- clear_leavers --
-- And who left in it.
DELETE FROM desk.trend_leavers WHERE month = %(month)s::date

-- count_month --
-- One row per cell of the month: live at its start, and of these who left in it and how.
INSERT INTO desk.trend_months (month, plan, region, segment, tenure, reason, live, voluntary, involuntary, moved)
SELECT %(month)s::date, plan, region, segment, tenure, reason, count(*), count(*) FILTER (WHERE left_how = 'voluntary'),
       count(*) FILTER (WHERE left_how = 'involuntary'), count(*) FILTER (WHERE left_how = 'move')
FROM members WHERE was_live GROUP BY plan, region, segment, tenure, reason

-- keep_leavers --
-- One row per customer who left in the month, by key.
INSERT INTO desk.trend_leavers (month, customer_id, left_on, left_how, plan, region, segment, tenure, reason, cohort, joined,
                                tenure_days, monthly_margin, was_live)
SELECT %(month)s::date, customer_id, left_on, left_how, plan, region, segment, tenure, reason, to_char(joined_on, 'YYYY'),
       to_char(joined_on, 'YYYY-"Q"Q'), left_on - joined_on, monthly_margin, was_live
FROM members WHERE left_on IS NOT NULL

-- forget_months --
-- Months before the window.
DELETE FROM desk.trend_months WHERE month < %(first)s::date

-- forget_leavers --
-- And who left in them.
DELETE FROM desk.trend_leavers WHERE month < %(first)s::date

-- newest_month --
-- The newest month that has been added up; NULL before the first.
SELECT max(month) FROM desk.trend_months

-- clear_tenures --
-- The survival tables before.
DELETE FROM desk.trend_tenures

-- fill_tenures --
-- Survival tables by what customers are told apart by, and for every choice of plan, region and segment; NULL: every one.
INSERT INTO desk.trend_tenures (cut, value, plan, region, segment, day, entered, left_by_choice, removed)
WITH told AS (
    SELECT v.cut, v.value, l.plan, l.region, l.segment, l.entered_on - l.joined_on AS entry, l.seen_on - l.joined_on AS leave,
           l.is_left_by_choice
    FROM lives l
    CROSS JOIN LATERAL (VALUES
        ('all', 'all'), ('cohort', to_char(l.joined_on, 'YYYY')),
        ('joined', CASE WHEN l.joined_on >= coalesce(%(since)s::date, %(today)s::date - 1096)
                        THEN to_char(l.joined_on, 'YYYY-"Q"Q') END)) AS v (cut, value)
    WHERE v.value IS NOT NULL
    UNION ALL
    SELECT 'reason', l.reason, l.plan, l.region, l.segment, 0, l.seen_on - %(landmark)s::date, l.is_left_by_choice
    FROM lives l WHERE l.reason IS NOT NULL
),
moves AS (
    SELECT cut, value, plan, region, segment, day, sum(entered) AS entered, sum(event) AS event, sum(removed) AS removed
    FROM (SELECT cut, value, plan, region, segment, entry AS day, 1 AS entered, 0 AS event, 0 AS removed FROM told
          UNION ALL SELECT cut, value, plan, region, segment, leave, 0, is_left_by_choice::int, 1 FROM told) m
    GROUP BY cut, value, plan, region, segment, day
),
days AS (
    SELECT cut, value, plan, region, segment, day, sum(entered) AS entered, sum(event) AS event, sum(removed) AS removed
    FROM moves GROUP BY cut, value, day, CUBE (plan, region, segment)
)
SELECT cut, value, plan, region, segment, array_agg(day ORDER BY day), array_agg(entered::int ORDER BY day),
       array_agg(event::int ORDER BY day), array_agg(removed::int ORDER BY day)
FROM days GROUP BY cut, value, plan, region, segment

-- tell_leavers --
-- Who left, as the curves know them: the plan they were first seen with, and what they had asked about before the landmark.
UPDATE desk.trend_leavers t SET first_plan = l.plan, landmark_reason = l.reason
FROM lives l
WHERE l.customer_id = t.customer_id AND l.seen_on = t.left_on
    AND (t.first_plan, t.landmark_reason) IS DISTINCT FROM (l.plan, l.reason)

-- clear_saves --
-- Months of calls whose outcome may have moved, and those before the window.
DELETE FROM desk.trend_saves WHERE month >= %(first)s::date OR month < %(window)s::date

-- fill_saves --
-- One row per month of the call, group and window: who came to cancel, who did not on the call, and who was here at its end.
INSERT INTO desk.trend_saves (month, plan, region, segment, tenure, window_days, came, deflected, is_over, saved)
WITH callers AS (
{callers.callers}
)
SELECT date_trunc('month', o.called_on)::date, o.plan, o.region, o.segment, o.tenure, w.days, count(*),
       count(*) FILTER (WHERE o.stage <> 'cancelled'),
       count(*) FILTER (WHERE k.is_over), count(*) FILTER (WHERE k.is_over AND coalesce(o.saved_days, 0) >= w.days)
FROM callers o
CROSS JOIN LATERAL unnest(o.windows) AS w (days)
CROSS JOIN LATERAL (SELECT o.called_on + w.days < %(today)s::date
    AND (o.stage NOT IN ('left_involuntary', 'left_move') OR coalesce(o.saved_days, 0) >= w.days) AS is_over) k
GROUP BY 1, 2, 3, 4, 5, 6

-- clear_risk --
-- The margin at risk before.
DELETE FROM desk.trend_risk

-- fill_risk --
-- One row per plan, region and segment: what the scores put at risk of a quarter's margin.
INSERT INTO desk.trend_risk (plan, region, segment, customers, expected_leavers, margin, at_risk, variance)
SELECT coalesce(h.plan, 'unknown'), coalesce(c.region, 'unknown'), coalesce(c.segment, 'unknown'), count(*), sum(s.p_churn),
       sum(3 * h.margin), sum(s.p_churn * 3 * h.margin), sum(s.p_churn * (1 - s.p_churn) * (3 * h.margin) ^ 2)
FROM desk.scores s
JOIN customers c USING (customer_id)
JOIN LATERAL (
    SELECT (array_agg(x.plan ORDER BY x.monthly_price DESC, x.subscription_id))[1] AS plan,
           sum(coalesce(x.monthly_margin, x.monthly_price * %(margin_rate)s::float8))::float8 AS margin
    FROM subscriptions x
    WHERE x.customer_id = s.customer_id AND x.started_on <= %(today)s::date AND (x.ended_on IS NULL OR x.ended_on > %(today)s::date)
) h ON h.margin IS NOT NULL
GROUP BY 1, 2, 3

-- fill_tenths --
-- One row per month of predictions whose horizon is over and tenth of them: expected and happened; anew while dates come late.
INSERT INTO desk.prediction_tenths (month, tenth, as_of, horizon_days, risk_version, customers, expected, happened)
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
judged AS (
    SELECT p.month, p.as_of, p.horizon_days, p.risk_version, p.p_churn,
           ntile(10) OVER (PARTITION BY p.month ORDER BY p.p_churn, p.customer_id) AS tenth,
           EXISTS (SELECT FROM spells s WHERE s.customer_id = p.customer_id AND s.left_how = 'voluntary'
                   AND s.left_on > d.day AND s.left_on <= d.day + p.horizon_days) AS is_gone
    FROM desk.prediction_samples p CROSS JOIN zone z
    CROSS JOIN LATERAL (SELECT (p.as_of AT TIME ZONE z.time_zone)::date AS day) d
    WHERE d.day + p.horizon_days < %(today)s::date
)
SELECT month, tenth, min(as_of), min(horizon_days), min(risk_version), count(*), sum(p_churn), count(*) FILTER (WHERE is_gone)
FROM judged GROUP BY month, tenth
ON CONFLICT (month, tenth) DO UPDATE SET customers = excluded.customers, expected = excluded.expected, happened = excluded.happened

-- forget_samples --
-- Predictions that have been judged, late dates included.
DELETE FROM desk.prediction_samples p WHERE p.as_of < %(today)s::date - make_interval(days => p.horizon_days + %(late_days)s::int)

-- some_customers --
-- The keys of some customers live on a day, always the same ones.
SELECT p.customer_id FROM spells p
WHERE p.began_on <= %(day)s::date AND (p.left_on IS NULL OR p.left_on > %(day)s::date)
ORDER BY hashtextextended(p.customer_id, 0), p.customer_id LIMIT %(most)s

-- clear_drivers --
-- What moved the risk before.
DELETE FROM desk.trend_drivers

-- add_driver --
-- What one column does to the risk, now and a quarter before.
INSERT INTO desk.trend_drivers (column_name, meaning, unit, value_now, value_then, points_now, points_then, error, customers)
VALUES (%(column)s, %(meaning)s, %(unit)s, %(value_now)s, %(value_then)s, %(points_now)s, %(points_then)s, %(error)s, %(customers)s)

-- receipts --
-- The newest decision on each customer of late, with its receipt.
SELECT DISTINCT ON (d.customer_id) d.customer_id, d.decided_at, d.currency, d.receipt
FROM desk.decisions d WHERE d.decided_at > %(since)s ORDER BY d.customer_id, d.decided_at DESC LIMIT %(most)s

-- clear_forbidden --
-- Whom policy forbade to keep before.
DELETE FROM desk.trend_forbidden

-- add_forbidden --
-- One customer whom it would pay to give more than policy lets anybody give.
INSERT INTO desk.trend_forbidden (customer_id, decided_at, limit_kind, reason, instrument, allowed, best, is_at_least, worth, currency)
VALUES (%(customer_id)s, %(decided_at)s, %(limit_kind)s, %(reason)s, %(instrument)s, %(allowed)s, %(best)s, %(is_at_least)s,
        %(worth)s, %(currency)s)

-- write_state --
-- When all of it was made.
INSERT INTO desk.trend_state (as_of, since_on, landmark_on, refreshed_at)
VALUES (%(as_of)s, %(since)s, %(landmark)s, clock_timestamp())
ON CONFLICT (is_only) DO UPDATE SET as_of = excluded.as_of, since_on = excluded.since_on, landmark_on = excluded.landmark_on,
    refreshed_at = excluded.refreshed_at

-- state --
-- When trends were last made; no row before the first time.
SELECT as_of, since_on, landmark_on, refreshed_at FROM desk.trend_state

-- values --
-- What can be filtered by: every plan, region, segment and band of tenure there was when the newest month began.
WITH newest AS (
    SELECT plan, region, segment, tenure, sum(live) AS live FROM desk.trend_months
    WHERE month = (SELECT max(month) FROM desk.trend_months) GROUP BY plan, region, segment, tenure
)
SELECT v.cut, v.value, sum(n.live) AS live
FROM newest n CROSS JOIN LATERAL (VALUES ('plan', n.plan), ('region', n.region), ('segment', n.segment), ('tenure', n.tenure)) v (cut, value)
GROUP BY v.cut, v.value ORDER BY 1, 3 DESC, 2

-- months --
-- One row per month and value of one way to tell customers apart, filtered: live at the start, left in it by way of leaving.
SELECT month, v.value, sum(live)::bigint AS live, sum(voluntary)::bigint AS voluntary, sum(involuntary)::bigint AS involuntary,
       sum(moved)::bigint AS moved
FROM desk.trend_months
CROSS JOIN LATERAL (SELECT CASE %(by)s::text WHEN 'plan' THEN plan WHEN 'region' THEN region WHEN 'segment' THEN segment
                           WHEN 'tenure' THEN tenure WHEN 'reason' THEN reason ELSE 'all' END AS value) v
WHERE (%(plans)s::text[] IS NULL OR plan = ANY (%(plans)s::text[]))
    AND (%(regions)s::text[] IS NULL OR region = ANY (%(regions)s::text[]))
    AND (%(segments)s::text[] IS NULL OR segment = ANY (%(segments)s::text[]))
    AND (%(tenures)s::text[] IS NULL OR tenure = ANY (%(tenures)s::text[]))
GROUP BY month, v.value ORDER BY month, v.value

-- tenures --
-- One row per value of one cut, filtered: its survival table as arrays, the largest group first.
WITH asked AS (
    SELECT %(by)s::text AS by, CASE WHEN %(by)s IN ('plan', 'region', 'segment') THEN 'all' ELSE %(by)s END AS cut,
           %(plans)s::text[] AS plans, %(regions)s::text[] AS regions, %(segments)s::text[] AS segments
),
days AS (
    SELECT CASE a.by WHEN 'plan' THEN t.plan WHEN 'region' THEN t.region WHEN 'segment' THEN t.segment ELSE t.value END AS value,
           u.day, sum(u.entered) AS entered, sum(u.left_by_choice) AS left_by_choice, sum(u.removed) AS removed
    FROM asked a JOIN desk.trend_tenures t USING (cut)
    CROSS JOIN LATERAL unnest(t.day, t.entered, t.left_by_choice, t.removed) AS u (day, entered, left_by_choice, removed)
    WHERE (t.plan IS NULL) = (a.plans IS NULL AND a.by <> 'plan') AND coalesce(t.plan = ANY (a.plans), true)
        AND (t.region IS NULL) = (a.regions IS NULL AND a.by <> 'region') AND coalesce(t.region = ANY (a.regions), true)
        AND (t.segment IS NULL) = (a.segments IS NULL AND a.by <> 'segment') AND coalesce(t.segment = ANY (a.segments), true)
    GROUP BY 1, u.day
)
SELECT value, array_agg(day ORDER BY day) AS day, array_agg(entered ORDER BY day) AS entered,
       array_agg(left_by_choice ORDER BY day) AS left_by_choice, array_agg(removed ORDER BY day) AS removed
FROM days GROUP BY value ORDER BY sum(entered) DESC, value

-- saves_by_group --
-- Whether saves are added up by group: NULL without any, false while they are still of everybody together.
SELECT bool_and(plan IS NOT NULL) FROM desk.trend_saves

-- saves --
-- One row per month of the call and window, filtered.
SELECT month, window_days, sum(came)::bigint AS came, sum(deflected)::bigint AS deflected, sum(is_over)::bigint AS is_over,
       sum(saved)::bigint AS saved
FROM desk.trend_saves
WHERE (%(plans)s::text[] IS NULL OR plan = ANY (%(plans)s::text[]))
    AND (%(regions)s::text[] IS NULL OR region = ANY (%(regions)s::text[]))
    AND (%(segments)s::text[] IS NULL OR segment = ANY (%(segments)s::text[]))
    AND (%(tenures)s::text[] IS NULL OR tenure = ANY (%(tenures)s::text[]))
GROUP BY month, window_days ORDER BY month, window_days

-- risk --
-- One row per plan, region and segment, filtered: what is at risk of the next quarter's margin.
SELECT plan, region, segment, customers, expected_leavers, margin, at_risk, variance FROM desk.trend_risk
WHERE (%(plans)s::text[] IS NULL OR plan = ANY (%(plans)s::text[]))
    AND (%(regions)s::text[] IS NULL OR region = ANY (%(regions)s::text[]))
    AND (%(segments)s::text[] IS NULL OR segment = ANY (%(segments)s::text[]))
ORDER BY at_risk DESC

-- tenths --
-- Predicted and happened, by month and tenth of the predictions.
SELECT month, tenth, horizon_days, customers, expected, happened FROM desk.prediction_tenths ORDER BY month, tenth

-- held_out --
-- What the risk model in use said of customers it had not seen, and what they did.
SELECT metrics, data_as_of FROM desk.model_versions WHERE kind = 'risk' AND status = 'current'

-- drivers --
-- What moves the risk, the largest first.
SELECT column_name, meaning, unit, value_now, value_then, points_now, points_then, error, customers FROM desk.trend_drivers
ORDER BY greatest(abs(points_now), abs(points_then)) DESC, column_name

-- forbidden --
-- Customers worth keeping whom policy cut off, the most worth first.
SELECT customer_id, decided_at, limit_kind, reason, instrument, allowed, best, is_at_least, worth, currency
FROM desk.trend_forbidden ORDER BY worth DESC, customer_id

-- leavers --
-- Who left, by key, behind a mark: of a month by what told them apart when it began, of a curve when they were first seen.
SELECT customer_id, left_on, left_how, plan, region, segment, tenure, reason, joined, tenure_days, monthly_margin,
       count(*) OVER () AS all_of_them
FROM desk.trend_leavers
CROSS JOIN LATERAL (SELECT CASE WHEN %(month)s::date IS NULL THEN first_plan ELSE plan END AS told_plan,
                           CASE WHEN %(month)s::date IS NULL THEN landmark_reason ELSE reason END AS told_reason) t
WHERE (%(month)s::date IS NULL OR (month = %(month)s::date AND was_live))
    AND (%(how)s::text IS NULL OR left_how = %(how)s::text)
    AND (%(plans)s::text[] IS NULL OR told_plan = ANY (%(plans)s::text[]))
    AND (%(regions)s::text[] IS NULL OR region = ANY (%(regions)s::text[]))
    AND (%(segments)s::text[] IS NULL OR segment = ANY (%(segments)s::text[]))
    AND (%(tenures)s::text[] IS NULL OR tenure = ANY (%(tenures)s::text[]))
    AND (%(reason)s::text IS NULL OR told_reason = %(reason)s::text)
    AND (%(cohort)s::text IS NULL OR cohort = %(cohort)s::text)
    AND (%(joined)s::text IS NULL OR joined = %(joined)s::text)
    AND (%(from_day)s::int IS NULL OR tenure_days > %(from_day)s::int) AND (%(to_day)s::int IS NULL OR tenure_days <= %(to_day)s::int)
ORDER BY left_on DESC, customer_id LIMIT %(most)s

-- came_in_month --
-- Who came to cancel in a month, filtered, and what became of them, by key.
WITH callers AS (
{callers.callers}
)
SELECT customer_id, called_on, contact_reason, stage, window_days, saved_days, plan, region, segment, tenure,
       count(*) OVER () AS all_of_them
FROM callers
WHERE (%(plans)s::text[] IS NULL OR plan = ANY (%(plans)s::text[]))
    AND (%(regions)s::text[] IS NULL OR region = ANY (%(regions)s::text[]))
    AND (%(segments)s::text[] IS NULL OR segment = ANY (%(segments)s::text[]))
    AND (%(tenures)s::text[] IS NULL OR tenure = ANY (%(tenures)s::text[]))
ORDER BY called_on DESC, customer_id LIMIT %(most)s
