-- features --
-- One row per (customer, as_of) asked for, or per customer of the book when none is named; nothing after as_of is read.
WITH asked AS (
    SELECT a.customer_id, a.as_of
    FROM unnest(%(customers)s::text[], %(instants)s::timestamptz[]) AS a (customer_id, as_of)
    UNION ALL
    SELECT c.customer_id, %(as_of)s::timestamptz
    FROM customers c
    WHERE %(customers)s::text[] IS NULL AND (c.customer_id >= %(first)s::text OR %(first)s::text IS NULL)
      AND (c.customer_id < %(beyond)s::text OR %(beyond)s::text IS NULL)
),
-- A date is known from its own day on, in the company's zone.
who AS (
    SELECT a.customer_id, a.as_of, (a.as_of AT TIME ZONE z.time_zone)::date AS day,
           c.joined_on, c.segment, c.region, c.language, c.is_vulnerable, c.attributes
    FROM asked a
    JOIN customers c USING (customer_id)
    CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE c.joined_on <= (a.as_of AT TIME ZONE z.time_zone)::date
),
subscribed AS (
    SELECT w.customer_id, w.as_of,
           count(*) FILTER (WHERE s.is_live)                                        AS live_subscriptions,
           sum(s.monthly_price) FILTER (WHERE s.is_live)::float8                    AS monthly_price,
           CASE WHEN bool_and(s.monthly_margin IS NOT NULL) FILTER (WHERE s.is_live)
                THEN sum(s.monthly_margin) FILTER (WHERE s.is_live)::float8 END     AS monthly_margin,
           min(s.term_ends_on) FILTER (WHERE s.is_live)                             AS term_ends_on,
           min(s.started_on)                                                        AS first_started_on,
           max(s.started_on)                                                        AS last_started_on,
           (array_agg(s.product ORDER BY s.monthly_price DESC, s.subscription_id) FILTER (WHERE s.is_live))[1] AS product,
           (array_agg(s.plan ORDER BY s.monthly_price DESC, s.subscription_id) FILTER (WHERE s.is_live))[1]    AS plan,
           array_agg(DISTINCT s.product ORDER BY s.product) FILTER (WHERE s.is_live) AS products,
           array_agg(DISTINCT s.plan ORDER BY s.plan) FILTER (WHERE s.is_live)       AS plans
    FROM who w
    CROSS JOIN LATERAL (
        SELECT x.*, x.ended_on IS NULL OR x.ended_on > w.day AS is_live
        FROM subscriptions x
        WHERE x.customer_id = w.customer_id AND x.started_on <= w.day
    ) s
    GROUP BY w.customer_id, w.as_of
),
-- Per reason first: repeats are counted within a reason. An outcome is known once the contact has ended.
by_reason AS (
    SELECT w.customer_id, w.as_of, coalesce(t.reason, 'unknown') AS reason,
           count(*) FILTER (WHERE t.is_in)                                                AS in_365d,
           count(*) FILTER (WHERE t.is_in AND t.started_at > w.as_of - interval '90 days') AS in_90d,
           count(*) FILTER (WHERE t.is_in AND t.started_at > w.as_of - interval '30 days') AS in_30d,
           count(*) FILTER (WHERE NOT t.is_in AND t.started_at > w.as_of - interval '90 days') AS out_90d,
           count(*) FILTER (WHERE t.is_in AND t.is_over AND NOT t.is_resolved
                                  AND t.started_at > w.as_of - interval '90 days')        AS unresolved_90d,
           count(*) FILTER (WHERE t.is_over AND t.is_escalated)                           AS escalated_365d,
           sum(t.csat) FILTER (WHERE t.is_over)                                           AS csat_sum,
           count(t.csat) FILTER (WHERE t.is_over)                                         AS csat_n,
           max(t.started_at) FILTER (WHERE t.is_in)                                       AS last_in_at
    FROM who w
    CROSS JOIN LATERAL (
        SELECT x.started_at, x.reason, x.is_resolved, x.is_escalated, x.csat, x.direction = 'in' AS is_in,
               coalesce(x.ended_at, x.started_at) <= w.as_of AS is_over
        FROM contacts x
        WHERE x.customer_id = w.customer_id AND x.started_at <= w.as_of
          AND x.started_at > w.as_of - interval '365 days'
    ) t
    GROUP BY w.customer_id, w.as_of, coalesce(t.reason, 'unknown')
),
contacted AS (
    SELECT customer_id, as_of,
           sum(in_30d)::int AS contacts_30d, sum(in_90d)::int AS contacts_90d, sum(in_365d)::int AS contacts_365d,
           sum(out_90d)::int AS outbound_90d, sum(unresolved_90d)::int AS unresolved_90d,
           max(in_90d)::int AS same_reason_90d, sum(escalated_365d)::int AS escalated_365d,
           (sum(csat_sum) / nullif(sum(csat_n), 0))::float8 AS csat_365d,
           max(last_in_at) AS last_in_at,
           (array_agg(reason ORDER BY last_in_at DESC NULLS LAST))[1] AS last_reason,
           jsonb_object_agg(reason, in_365d) FILTER (WHERE in_365d > 0) AS reasons_365d
    FROM by_reason
    GROUP BY customer_id, as_of
),
billed AS (
    SELECT w.customer_id, w.as_of,
           (array_agg(b.amount ORDER BY b.issued_on DESC, b.invoice_id DESC))[1]::float8 AS bill_last,
           ((sum(b.amount) - (array_agg(b.amount ORDER BY b.issued_on DESC, b.invoice_id DESC))[1])
               / nullif(count(*) - 1, 0))::float8                                        AS bill_usual,
           count(*) FILTER (WHERE b.due_on < w.day AND (b.paid_on IS NULL OR b.paid_on > b.due_on))::int AS late_365d,
           coalesce(sum(b.amount) FILTER (WHERE b.due_on < w.day AND b.paid_on IS NULL), 0)::float8 AS overdue
    FROM who w
    CROSS JOIN LATERAL (
        SELECT x.invoice_id, x.issued_on, x.due_on, x.amount,
               CASE WHEN x.paid_on <= w.day THEN x.paid_on END AS paid_on
        FROM invoices x
        WHERE x.customer_id = w.customer_id AND x.issued_on <= w.day AND x.issued_on > w.day - 365
    ) b
    GROUP BY w.customer_id, w.as_of
),
-- A month's usage is known when the month is over.
measured AS (
    SELECT w.customer_id, w.as_of, u.measure,
           (array_agg(u.quantity ORDER BY u.month DESC))[1] AS last,
           avg(u.quantity) AS usual
    FROM who w
    CROSS JOIN LATERAL (
        SELECT x.measure, x.month, x.quantity
        FROM usage x
        WHERE x.customer_id = w.customer_id AND x.month <= w.day - interval '1 month'
          AND x.month > w.day - interval '8 months'
    ) u
    GROUP BY w.customer_id, w.as_of, u.measure
),
used AS (
    SELECT customer_id, as_of,
           jsonb_object_agg(measure, last) AS usage_last,
           jsonb_object_agg(measure, last - usual) AS usage_change
    FROM measured
    GROUP BY customer_id, as_of
),
-- Events have an audience, not a list of people: count once per kind of customer, then join back.
audience AS (
    SELECT DISTINCT w.as_of, coalesce(w.region, '') AS region, s.products, s.plans
    FROM who w JOIN subscribed s USING (customer_id, as_of)
),
struck AS (
    SELECT as_of, region, products, plans, jsonb_object_agg(kind, n) AS events_90d
    FROM (
        SELECT a.as_of, a.region, a.products, a.plans, e.kind, count(*) AS n
        FROM audience a
        JOIN change_events e
          ON e.starts_at <= a.as_of AND e.starts_at > a.as_of - interval '90 days'
         AND (e.region IS NULL OR e.region = a.region)
         AND (e.product IS NULL OR e.product = ANY (a.products))
         AND (e.plan IS NULL OR e.plan = ANY (a.plans))
        GROUP BY a.as_of, a.region, a.products, a.plans, e.kind
    ) k
    GROUP BY as_of, region, products, plans
),
conceded AS (
    SELECT w.customer_id, w.as_of, count(*)::int AS concessions_365d, sum(g.amount)::float8 AS conceded_365d,
           max(g.given_at) AS last_given_at
    FROM who w
    CROSS JOIN LATERAL (
        SELECT x.amount, x.given_at
        FROM concessions x
        WHERE x.customer_id = w.customer_id AND x.given_at <= w.as_of AND x.given_at > w.as_of - interval '365 days'
          AND x.amount > 0  -- what was meant and not given is on record too
    ) g
    GROUP BY w.customer_id, w.as_of
)
-- Time is told in whole months and, since something happened, in steps: so that a day that passes changes few.
SELECT w.customer_id, w.as_of,
       floor((w.day - w.joined_on) / 30.4375::float8)             AS tenure_months,
       w.segment, w.region, w.language, w.is_vulnerable,
       coalesce(s.live_subscriptions, 0)::int                     AS live_subscriptions,
       s.product, s.plan, s.monthly_price, s.monthly_margin,
       floor((s.term_ends_on - w.day) / 30.4375::float8)          AS months_to_term_end,
       CASE WHEN s.last_started_on > s.first_started_on
            THEN k.steps[width_bucket((w.day - s.last_started_on)::float8, k.steps)] END AS days_since_plan_change,
       coalesce(t.contacts_30d, 0)                                AS contacts_30d,
       coalesce(t.contacts_90d, 0)                                AS contacts_90d,
       coalesce(t.contacts_365d, 0)                               AS contacts_365d,
       coalesce(t.outbound_90d, 0)                                AS outbound_90d,
       coalesce(t.unresolved_90d, 0)                              AS unresolved_90d,
       coalesce(t.same_reason_90d, 0)                             AS same_reason_90d,
       coalesce(t.escalated_365d, 0)                              AS escalated_365d,
       t.csat_365d,
       k.steps[width_bucket(extract(epoch FROM w.as_of - t.last_in_at)::float8 / 86400, k.steps)] AS days_since_contact,
       CASE WHEN t.last_in_at IS NOT NULL THEN t.last_reason END  AS last_reason,
       b.bill_last,
       b.bill_last - b.bill_usual                                 AS bill_change,
       b.late_365d, b.overdue,
       coalesce(g.concessions_365d, 0)                            AS concessions_365d,
       coalesce(g.conceded_365d, 0)                               AS conceded_365d,
       k.steps[width_bucket(extract(epoch FROM w.as_of - g.last_given_at)::float8 / 86400, k.steps)] AS days_since_concession,
       t.reasons_365d, u.usage_last, u.usage_change, e.events_90d, w.attributes
FROM who w
CROSS JOIN (SELECT ARRAY[0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1461]::float8[] AS steps) k
LEFT JOIN subscribed s USING (customer_id, as_of)
LEFT JOIN contacted t USING (customer_id, as_of)
LEFT JOIN billed b USING (customer_id, as_of)
LEFT JOIN used u USING (customer_id, as_of)
LEFT JOIN conceded g USING (customer_id, as_of)
LEFT JOIN struck e ON (e.as_of, e.region, e.products, e.plans) = (w.as_of, coalesce(w.region, ''), s.products, s.plans)
ORDER BY w.customer_id, w.as_of

-- outcomes --
-- One row per customer live at as_of: did the last subscription end within the horizon, and why.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
moment AS (SELECT (%(as_of)s::timestamptz AT TIME ZONE time_zone)::date AS day FROM zone)
SELECT s.customer_id,
       CASE WHEN bool_or(s.started_on <= m.day + %(horizon_days)s::int
                         AND (s.ended_on IS NULL OR s.ended_on > m.day + %(horizon_days)s::int)) THEN NULL
            ELSE coalesce((array_agg(s.end_reason ORDER BY s.ended_on DESC, s.subscription_id)
                           FILTER (WHERE s.ended_on > m.day))[1], 'voluntary') END AS left_how
FROM subscriptions s CROSS JOIN moment m
GROUP BY s.customer_id
HAVING bool_or(s.started_on <= m.day AND (s.ended_on IS NULL OR s.ended_on > m.day))
ORDER BY s.customer_id

-- lifetimes --
-- One row per customer live at `since`: months of tenure then, months of tenure at the end or today, and whether they left by choice.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
moment AS (
    SELECT (%(since)s::timestamptz AT TIME ZONE time_zone)::date AS since_day,
           (%(until)s::timestamptz AT TIME ZONE time_zone)::date AS until_day
    FROM zone
),
span AS (
    SELECT s.customer_id, m.since_day, m.until_day,
           CASE WHEN NOT bool_or(s.started_on <= m.until_day AND (s.ended_on IS NULL OR s.ended_on > m.until_day))
                THEN max(s.ended_on) FILTER (WHERE s.ended_on <= m.until_day) END AS left_on,
           (array_agg(s.end_reason ORDER BY s.ended_on DESC NULLS LAST, s.subscription_id)
               FILTER (WHERE s.ended_on <= m.until_day))[1] AS left_how
    FROM subscriptions s CROSS JOIN moment m
    GROUP BY s.customer_id, m.since_day, m.until_day
    HAVING bool_or(s.started_on <= m.since_day AND (s.ended_on IS NULL OR s.ended_on > m.since_day))
)
SELECT p.customer_id,
       greatest(p.since_day - c.joined_on, 0) / 30.4375::float8 AS entry_months,
       (coalesce(p.left_on, p.until_day) - c.joined_on) / 30.4375::float8 AS duration_months,
       p.left_on IS NOT NULL AND coalesce(p.left_how, 'voluntary') = 'voluntary' AS is_event
FROM span p JOIN customers c USING (customer_id)
ORDER BY p.customer_id

-- first_fact --
-- When the company's records begin: the first contact, invoice or month of usage; NULL when there is none.
SELECT least((SELECT min(started_at) FROM contacts),
             (SELECT min(issued_on)::timestamptz FROM invoices),
             (SELECT min(month)::timestamptz FROM usage)) AS first_fact

-- reasoned_contacts --
-- The newest inbound contacts with a reason by a known customer, oldest first; the instant is the end of the day before each.
SELECT customer_id, before_at, reason FROM (
    -- What is dated by the day, such as a new term or a line that ended, may be the contact's own doing.
    SELECT customer_id, (started_at AT TIME ZONE z.time_zone)::date::timestamp AT TIME ZONE z.time_zone - interval '1 second' AS before_at,
           reason, contact_id
    FROM contacts CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE direction = 'in' AND reason IS NOT NULL AND customer_id IS NOT NULL AND started_at <= %(until)s
    ORDER BY started_at DESC LIMIT %(most)s
) newest
ORDER BY before_at, contact_id
