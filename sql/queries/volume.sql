-- Tomorrow's calls: counted and forecast every night, read by the page; planned changes.

-- one_at_a_time --
-- Two runs at once would count the same days: the second waits for the first.
SELECT pg_advisory_lock(7305213)

-- span --
-- What is counted, what there is to count: first and last day of inbound contacts, the last counted, the company's day.
SELECT (t.first_at AT TIME ZONE z.time_zone)::date AS first_day, (t.last_at AT TIME ZONE z.time_zone)::date AS last_day,
       (desk.business_clock() AT TIME ZONE z.time_zone)::date AS today,
       (SELECT max(until_day) FROM desk.volume_runs) AS counted_until,
       (SELECT min(first_day) FROM desk.volume_runs WHERE run_id = (SELECT max(run_id) FROM desk.volume_runs)) AS counted_from
FROM (SELECT min(started_at) AS first_at, max(started_at) AS last_at FROM contacts WHERE direction = 'in') t
CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z

-- forget_half_hours --
-- Half-hours of the days about to be counted anew.
DELETE FROM desk.volume_half_hours h USING (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE h.starts_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
    AND h.starts_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)

-- count_half_hours --
-- Inbound contacts of these days by queue and half-hour since local midnight, calls apart with their handle time.
INSERT INTO desk.volume_half_hours (queue, starts_at, contacts, calls, handled, handle_seconds)
SELECT coalesce(t.queue, 'no queue'),
       date_bin('30 minutes', t.started_at, (t.started_at AT TIME ZONE z.time_zone)::date::timestamp AT TIME ZONE z.time_zone),
       count(*), count(*) FILTER (WHERE t.is_call), count(*) FILTER (WHERE t.is_call AND t.ended_at IS NOT NULL),
       coalesce(sum(extract(epoch FROM least(t.ended_at - t.started_at, interval '4 hours')))
                FILTER (WHERE t.is_call AND t.ended_at IS NOT NULL), 0)
FROM (SELECT *, channel ~* %(channels)s::text AS is_call FROM contacts) t
CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE t.direction = 'in' AND t.started_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
    AND t.started_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
GROUP BY 1, 2

-- forget_days --
-- Days about to be counted anew.
DELETE FROM desk.volume_days WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- count_days --
-- Inbound contacts of these days by queue and the customer's region.
INSERT INTO desk.volume_days (day, queue, region, contacts)
SELECT (t.started_at AT TIME ZONE z.time_zone)::date, coalesce(t.queue, 'no queue'), coalesce(c.region, ''), count(*)
FROM contacts t LEFT JOIN customers c USING (customer_id)
CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE t.direction = 'in' AND t.started_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
    AND t.started_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
GROUP BY 1, 2, 3

-- forget_outcomes --
-- Outcomes of the days about to be counted anew.
DELETE FROM desk.volume_outcomes WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- count_outcomes --
-- Customers whose last line ended by their own will, and concessions given, on each of these days by region.
INSERT INTO desk.volume_outcomes (day, region, cancels, concessions)
SELECT day, coalesce(c.region, ''), count(*) FILTER (WHERE what = 'cancel'), count(*) FILTER (WHERE what = 'concession')
FROM (SELECT s.customer_id, s.ended_on AS day, 'cancel' AS what
      FROM subscriptions s
      WHERE s.ended_on BETWEEN %(first)s::date AND %(last)s::date AND s.end_reason = 'voluntary'
          AND NOT EXISTS (SELECT FROM subscriptions o
                          WHERE o.customer_id = s.customer_id AND o.started_on <= s.ended_on
                              AND (o.ended_on IS NULL OR o.ended_on > s.ended_on))
      GROUP BY 1, 2
      UNION ALL
      SELECT g.customer_id, (g.given_at AT TIME ZONE z.time_zone)::date, 'concession'
      FROM concessions g CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
      WHERE g.given_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
          AND g.given_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone) AND g.amount > 0) k
LEFT JOIN customers c USING (customer_id)
GROUP BY 1, 2

-- forget_counts --
-- Everything counted: another company's data may lie under it now.
DELETE FROM desk.volume_runs

-- day_counts --
-- Contacts a day by queue and region.
SELECT day, queue, region, contacts FROM desk.volume_days
WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- outcome_counts --
-- Cancels and concessions a day by region.
SELECT day, region, cancels, concessions FROM desk.volume_outcomes
WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- half_hour_counts --
-- Contacts by queue and half-hour of the company's clock: the slot is 0 at midnight; an hour that comes twice is added up.
SELECT (h.starts_at AT TIME ZONE z.time_zone)::date AS day,
       (extract(hour FROM h.starts_at AT TIME ZONE z.time_zone) * 2
        + floor(extract(minute FROM h.starts_at AT TIME ZONE z.time_zone) / 30))::int AS slot,
       h.queue, sum(h.contacts)::int AS contacts
FROM desk.volume_half_hours h CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE h.starts_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
    AND h.starts_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
GROUP BY 1, 2, 3

-- known_events --
-- Every change there is word of: the company's own, and planned here and begun or to come.
SELECT event_id, owner_department, kind, title, starts_at, ends_at, audience_size, region, product, plan, what_to_say,
       title ~* %(none)s::text AS claims_none, false AS is_ours
FROM change_events
UNION ALL
SELECT event_id::text, owner_department, kind, title, starts_at, ends_at, audience_size, region, product, plan, what_to_say,
       claims_none OR title ~* %(none)s::text, true
FROM desk.planned_events WHERE NOT is_withdrawn

-- audience --
-- Customers with a live line a change reaches on its day.
SELECT count(DISTINCT s.customer_id)::int
FROM subscriptions s JOIN customers c USING (customer_id)
WHERE s.started_on <= %(day)s::date AND (s.ended_on IS NULL OR s.ended_on > %(day)s::date)
    AND (%(region)s::text IS NULL OR c.region = %(region)s::text)
    AND (%(product)s::text IS NULL OR s.product = %(product)s::text) AND (%(plan)s::text IS NULL OR s.plan = %(plan)s::text)

-- forget_findings --
-- Clear what was learned and forecast, in the transaction that brings the new.
WITH forecasts AS (DELETE FROM desk.volume_forecasts), kinds AS (DELETE FROM desk.volume_kinds),
     events AS (DELETE FROM desk.volume_events), effects AS (DELETE FROM desk.volume_effects)
DELETE FROM desk.volume_accuracy

-- add_forecasts --
-- The new forecast.
COPY desk.volume_forecasts (is_half_hour, queue, starts_at, usual, low, high, share) FROM STDIN

-- add_kinds --
-- What each kind brings.
COPY desk.volume_kinds (kind, queue, mean, mean_sd, spread, mixture, events, none_mean, none_events) FROM STDIN

-- add_events --
-- Change events as they were read.
COPY desk.volume_events (event_id, owner_department, kind, title, starts_at, ends_at, audience, is_counted, region, product, plan,
                         what_to_say, claims_none) FROM STDIN

-- add_effects --
-- What each event brought.
COPY desk.volume_effects (event_id, measure, extra, low, high, share_seen, expected) FROM STDIN

-- add_accuracy --
-- How far off forecasts were.
COPY desk.volume_accuracy (queue, first_day, last_day, origins, mase, error, bias, covered) FROM STDIN

-- add_run --
-- What this run came to.
INSERT INTO desk.volume_runs (first_day, until_day, days, refusal)
VALUES (%(first)s::date, %(until)s::date, %(days)s::int, %(refusal)s::text)

-- last_run --
-- The newest run.
SELECT ran_at, first_day, until_day, days, refusal FROM desk.volume_runs ORDER BY run_id DESC LIMIT 1

-- daily --
-- Contacts a day by queue, as counted.
SELECT (h.starts_at AT TIME ZONE z.time_zone)::date AS day, h.queue, sum(h.contacts)::int AS contacts
FROM desk.volume_half_hours h CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE h.starts_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
    AND h.starts_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
GROUP BY 1, 2 ORDER BY 1, 2

-- forecasts --
-- The forecast of half-hours or of days, planned changes apart.
SELECT queue, starts_at, (starts_at AT TIME ZONE z.time_zone)::date AS day, usual, low, high, share
FROM desk.volume_forecasts CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE is_half_hour = %(is_half_hour)s::boolean
ORDER BY starts_at, queue

-- kinds --
-- What an event of each kind brings, by queue.
SELECT kind, queue, mean, mean_sd, spread, mixture, events, none_mean, none_events FROM desk.volume_kinds ORDER BY kind, queue

-- calendar --
-- Changes that begin within the days, the company's own and those planned here, as they stand now.
SELECT e.event_id, e.owner_department, e.kind, e.title, e.starts_at, e.ends_at, e.audience, e.is_counted, e.region, e.product,
       e.plan, e.what_to_say, e.claims_none, false AS is_ours
FROM desk.volume_events e
WHERE e.starts_at >= %(first)s::timestamptz AND e.starts_at < %(last)s::timestamptz
    AND NOT EXISTS (SELECT FROM desk.planned_events p WHERE p.event_id::text = e.event_id)
UNION ALL
SELECT p.event_id::text, p.owner_department, p.kind, p.title, p.starts_at, p.ends_at,
       coalesce(p.audience_size, e.audience, (SELECT max(audience) FROM desk.volume_events), 0),
       p.audience_size IS NULL, p.region, p.product, p.plan, p.what_to_say, p.claims_none, true
FROM desk.planned_events p LEFT JOIN desk.volume_events e ON e.event_id = p.event_id::text
WHERE NOT p.is_withdrawn AND p.starts_at >= %(first)s::timestamptz AND p.starts_at < %(last)s::timestamptz
ORDER BY 5, 1

-- effects --
-- What every past event brought, with its owner; the newest first.
SELECT e.event_id, e.owner_department, e.kind, e.title, e.starts_at, e.audience, e.claims_none, f.measure, f.extra, f.low, f.high,
       f.share_seen, f.expected
FROM desk.volume_effects f JOIN desk.volume_events e USING (event_id)
ORDER BY e.starts_at DESC, e.event_id, f.measure

-- accuracy --
-- How far off forecasts were, by queue and days ahead.
SELECT queue, first_day, last_day, origins, mase, error, bias, covered FROM desk.volume_accuracy ORDER BY queue <> 'all', queue, first_day

-- handling --
-- Of each queue's contacts in these days: the share that are calls, and their mean handle time in seconds.
SELECT queue, sum(calls)::float8 / sum(contacts) AS calls_share,
       (sum(handle_seconds) / nullif(sum(handled), 0))::float8 AS handle_seconds
FROM desk.volume_half_hours WHERE starts_at >= %(first)s::timestamptz AND starts_at < %(last)s::timestamptz
GROUP BY queue ORDER BY queue

-- plan_event --
-- Enter a planned change or change it.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.plan_event(%(token)s::text, %(event_id)s::uuid, %(owner)s::text, %(kind)s::text, %(title)s::text,
                     %(starts_at)s::timestamptz, %(ends_at)s::timestamptz, %(audience)s::integer, %(region)s::text,
                     %(product)s::text, %(plan)s::text, %(what_to_say)s::text, %(claims_none)s::boolean)

-- withdraw_event --
-- Take a planned change out of the calendar.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.withdraw_event(%(token)s::text, %(event_id)s::uuid)
