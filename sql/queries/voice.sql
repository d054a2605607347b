-- What customers say: counted and tested every night, read by the page.

-- one_at_a_time --
-- Two runs at once would count the same days: the second waits for the first.
SELECT pg_advisory_lock(7305214)

-- counted --
-- The last day counted, and the days of the first and of the last inbound contact.
SELECT (SELECT max(day) FROM desk.reason_days) AS until_day, (SELECT max(day) FROM desk.burst_nights) AS tested_day,
       (min(started_at) AT TIME ZONE z.time_zone)::date AS first_day,
       (max(started_at) AT TIME ZONE z.time_zone)::date AS last_day
FROM contacts CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
WHERE direction = 'in' GROUP BY z.time_zone

-- forget_days --
-- Days about to be counted anew.
DELETE FROM desk.reason_days WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- count_days --
-- Inbound contacts of these days by reason, region and plan.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
came AS (
    SELECT t.customer_id, (t.started_at AT TIME ZONE z.time_zone)::date AS day, coalesce(t.reason, 'unknown') AS reason,
           count(*) AS contacts
    FROM contacts t CROSS JOIN zone z
    WHERE t.direction = 'in' AND t.started_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
        AND t.started_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
    GROUP BY 1, 2, 3
),
lines AS (
    SELECT DISTINCT ON (k.customer_id, k.day) k.customer_id, k.day, s.plan
    FROM (SELECT DISTINCT customer_id, day FROM came WHERE customer_id IS NOT NULL) k
    JOIN subscriptions s ON s.customer_id = k.customer_id AND s.started_on <= k.day
        AND (s.ended_on IS NULL OR s.ended_on > k.day)
    ORDER BY k.customer_id, k.day, s.monthly_price DESC, s.subscription_id
)
INSERT INTO desk.reason_days (day, reason, region, plan, contacts, customers)
SELECT k.day, k.reason, coalesce(c.region, 'unknown'),
       CASE WHEN c.customer_id IS NULL THEN 'unknown' ELSE coalesce(l.plan, 'none') END, sum(k.contacts), count(c.customer_id)
FROM came k LEFT JOIN customers c USING (customer_id) LEFT JOIN lines l USING (customer_id, day)
GROUP BY 1, 2, 3, 4

-- key_counts --
-- Contacts a day of each key: reasons as a whole, by region, by plan. Contacts without a reason are no reason.
SELECT day, CASE WHEN region IS NOT NULL THEN reason || '|region|' || region
                 WHEN plan IS NOT NULL THEN reason || '|plan|' || plan ELSE reason END AS key, contacts
FROM (SELECT day, reason, region, plan, sum(contacts)::int AS contacts
      FROM desk.reason_days
      WHERE day BETWEEN %(first)s::date AND %(last)s::date AND reason <> 'unknown'
      GROUP BY GROUPING SETS ((day, reason), (day, reason, region), (day, reason, plan))) k
WHERE coalesce(region, '') <> 'unknown' AND coalesce(plan, '') NOT IN ('unknown', 'none')

-- sampled_notes --
-- Up to so many notes of each day, always the same ones, with the day's contacts in all.
SELECT day, contact_id, reason, notes, contacts FROM (
    SELECT (t.started_at AT TIME ZONE z.time_zone)::date AS day, t.contact_id, t.reason, left(t.notes, 1000) AS notes,
           count(*) OVER day AS contacts,
           row_number() OVER (PARTITION BY (t.started_at AT TIME ZONE z.time_zone)::date
                              ORDER BY t.notes IS NULL, hashtext(t.contact_id), t.contact_id) AS place
    FROM contacts t CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE t.direction = 'in' AND t.started_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
        AND t.started_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
    WINDOW day AS (PARTITION BY (t.started_at AT TIME ZONE z.time_zone)::date)) s
WHERE notes IS NOT NULL AND place <= %(most)s
ORDER BY day, contact_id

-- topics --
-- Every topic there ever was; the newest found first.
SELECT topic_id, name, words FROM desk.topics ORDER BY last_seen DESC, topic_id

-- add_topic --
-- A topic not seen before.
INSERT INTO desk.topics (name, words, first_seen, last_seen)
VALUES (%(name)s, %(words)s, %(day)s, %(day)s) RETURNING topic_id

-- keep_topic --
-- A topic found again, with its words of today; its name stays.
UPDATE desk.topics SET words = %(words)s, last_seen = greatest(last_seen, %(day)s::date) WHERE topic_id = %(topic_id)s

-- forget_topic_days --
-- Days about to be read anew.
DELETE FROM desk.topic_days WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- fill_topic_days --
-- Notes by topic and day.
COPY desk.topic_days (day, topic_id, notes, sampled, contacts) FROM STDIN

-- nights --
-- Every night tested so far, in order: whether anything was found.
SELECT day, found FROM desk.burst_nights ORDER BY day

-- add_night --
-- What one night was tested at and found.
INSERT INTO desk.burst_nights (day, level, tested, smallest, found)
VALUES (%(day)s, %(level)s, %(tested)s, %(smallest)s, %(found)s)

-- burst_days --
-- The days on which keys were above their level.
SELECT day, key FROM desk.burst_days WHERE day BETWEEN %(first)s::date AND %(last)s::date

-- add_burst_days --
-- Keys above their level on one day.
INSERT INTO desk.burst_days (day, key) SELECT %(day)s, unnest(%(keys)s::text[]) ON CONFLICT DO NOTHING

-- followed --
-- Problems that are still watched: burst lately, being worked on, or mended not long ago.
SELECT problem_id, key, reason, region, plan, topic_id, began_on, found_on, last_burst_on, state
FROM desk.problems
WHERE last_burst_on >= %(day)s::date - %(days)s::int OR state IN ('accepted', 'being_fixed')
    OR (state = 'fixed' AND fixed_on >= %(day)s::date - %(effect_days)s::int) OR problem_id = ANY (%(also)s::bigint[])
ORDER BY problem_id

-- add_problem --
-- A problem as the night found it.
INSERT INTO desk.problems (key, reason, region, plan, topic_id, title, began_on, found_on, last_burst_on, p_value, level, currency,
                           at_that_time, is_expected)
VALUES (%(key)s, %(reason)s, %(region)s, %(plan)s, %(topic_id)s, %(title)s, %(began_on)s, %(found_on)s, %(found_on)s, %(p_value)s,
        %(level)s, %(currency)s, %(at_that_time)s, %(is_expected)s)
RETURNING problem_id

-- burst_again --
-- A followed problem was above its level on this day too.
UPDATE desk.problems SET last_burst_on = greatest(last_burst_on, %(day)s::date) WHERE problem_id = %(problem_id)s

-- add_problem_day --
-- One day of a problem against its usual level.
INSERT INTO desk.problem_days (problem_id, day, contacts, expected, spread)
VALUES (%(problem_id)s, %(day)s, %(contacts)s, %(expected)s, %(spread)s)
ON CONFLICT (problem_id, day) DO UPDATE SET contacts = excluded.contacts, expected = excluded.expected, spread = excluded.spread

-- changes_near --
-- Change events that began just before a burst and whose audience it may be; whether most of that kind brought the same before.
WITH events AS (
    SELECT e.event_id, e.kind, e.title, e.region, e.plan, (e.starts_at AT TIME ZONE z.time_zone)::date AS day
    FROM change_events e CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE e.starts_at < %(day)s::date + interval '2 days' AND e.starts_at > %(day)s::date - interval '2 years'
)
SELECT e.title,
       (SELECT count(*) >= 2 AND 2 * count(*) FILTER (WHERE EXISTS (
                   SELECT FROM desk.burst_days b WHERE b.day BETWEEN p.day AND p.day + %(days)s::int
                       AND split_part(b.key, '|', 1) = %(reason)s::text)) >= count(*)
        FROM events p
        WHERE p.kind = e.kind AND p.day < e.day - 7 AND p.day >= (SELECT min(n.day) FROM desk.burst_nights n)) AS is_expected
FROM events e
WHERE e.day BETWEEN %(day)s::date - %(days)s::int AND %(day)s::date
    AND (e.region IS NULL OR %(region)s::text IS NULL OR e.region = %(region)s)
    AND (e.plan IS NULL OR %(plan)s::text IS NULL OR e.plan = %(plan)s)
ORDER BY 2 DESC NULLS LAST, e.day DESC, e.event_id LIMIT 5

-- notes_of --
-- The newest notes of contacts about a reason, in a region or on a plan, with the name to be taken out of each.
SELECT t.contact_id, t.customer_id, (t.started_at AT TIME ZONE z.time_zone)::date AS day, t.channel, left(t.notes, 1000) AS notes, c.name
FROM contacts t CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
LEFT JOIN customers c USING (customer_id)
WHERE t.direction = 'in' AND t.notes IS NOT NULL AND t.started_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
    AND t.started_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
    AND (%(reason)s::text IS NULL OR t.reason = %(reason)s) AND (%(contacts)s::text[] IS NULL OR t.contact_id = ANY (%(contacts)s::text[]))
    AND (%(region)s::text IS NULL OR c.region = %(region)s)
    AND (%(plan)s::text IS NULL OR %(plan)s = (
        SELECT s.plan FROM subscriptions s
        WHERE s.customer_id = t.customer_id AND s.started_on <= (t.started_at AT TIME ZONE z.time_zone)::date
            AND (s.ended_on IS NULL OR s.ended_on > (t.started_at AT TIME ZONE z.time_zone)::date)
        ORDER BY s.monthly_price DESC, s.subscription_id LIMIT 1))
ORDER BY t.started_at DESC, t.contact_id LIMIT %(most)s

-- affected --
-- One row per customer who got in touch about a problem: where they are, how often, and what is known of their worth.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
came AS (
    SELECT t.customer_id, count(*)::int AS contacts, max((t.started_at AT TIME ZONE z.time_zone)::date) AS last_on
    FROM contacts t CROSS JOIN zone z
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL AND t.started_at >= (%(first)s::date::timestamp AT TIME ZONE z.time_zone)
        AND t.started_at < ((%(last)s::date + 1)::timestamp AT TIME ZONE z.time_zone)
        AND (%(reason)s::text IS NULL OR t.reason = %(reason)s)
        AND (%(contacts)s::text[] IS NULL OR t.contact_id = ANY (%(contacts)s::text[]))
    GROUP BY t.customer_id
),
lines AS (
    SELECT DISTINCT ON (k.customer_id) k.customer_id, s.plan
    FROM came k JOIN subscriptions s ON s.customer_id = k.customer_id AND s.started_on <= k.last_on
        AND (s.ended_on IS NULL OR s.ended_on > k.last_on)
    ORDER BY k.customer_id, s.monthly_price DESC, s.subscription_id
)
SELECT k.customer_id, c.region, l.plan, k.contacts, k.last_on, s.p_churn, s.clv::float8 AS clv
FROM came k JOIN customers c USING (customer_id) LEFT JOIN lines l USING (customer_id) LEFT JOIN desk.scores s USING (customer_id)
WHERE (%(region)s::text IS NULL OR c.region = %(region)s) AND (%(plan)s::text IS NULL OR l.plan = %(plan)s)
ORDER BY k.customer_id

-- sum_up --
-- What a problem has come to so far.
UPDATE desk.problems p
SET contacts = d.contacts, expected = d.expected, customers = %(customers)s, worth_at_risk = %(worth_at_risk)s,
    topic_id = coalesce(p.topic_id, %(topic_id)s::bigint), title = coalesce(%(title)s, p.title), refreshed_at = now()
FROM (SELECT coalesce(sum(o.contacts), 0)::int AS contacts, coalesce(sum(o.expected), 0) AS expected
      FROM desk.problems q LEFT JOIN desk.problem_days o ON o.problem_id = q.problem_id AND o.day BETWEEN q.began_on AND q.last_burst_on
      WHERE q.problem_id = %(problem_id)s) d
WHERE p.problem_id = %(problem_id)s
RETURNING p.contacts, p.expected

-- forget_groups --
-- Groups of a problem about to be told anew.
DELETE FROM desk.problem_groups WHERE problem_id = %(problem_id)s

-- forget_quotes --
-- Quotes of a problem about to be chosen anew.
DELETE FROM desk.problem_quotes WHERE problem_id = %(problem_id)s

-- forget_customers --
-- Accounts of a problem about to be listed anew.
DELETE FROM desk.problem_customers WHERE problem_id = %(problem_id)s

-- forget_old --
-- Accounts of problems that are over.
DELETE FROM desk.problem_customers c USING desk.problems p
WHERE p.problem_id = c.problem_id AND p.last_burst_on < %(day)s::date - %(days)s::int AND p.state NOT IN ('accepted', 'being_fixed')

-- fill_groups --
-- Who is affected, by group.
COPY desk.problem_groups (problem_id, dimension, value, customers) FROM STDIN

-- fill_quotes --
-- What they said, masked.
COPY desk.problem_quotes (problem_id, place, said_on, channel, quote) FROM STDIN

-- fill_customers --
-- The accounts with most at risk.
INSERT INTO desk.problem_customers (problem_id, customer_id, region, plan, contacts, last_on, p_churn, worth)
VALUES (%(problem_id)s, %(customer_id)s, %(region)s, %(plan)s, %(contacts)s, %(last_on)s, %(p_churn)s, %(worth)s)

-- new_broken_notes --
-- Agents' one-line notes of what is broken that are not sorted yet, with the name to be taken out.
SELECT k.case_id, (least(k.closed_at, desk.business_clock()) AT TIME ZONE z.time_zone)::date AS said_on, k.contact_reason AS reason,
       left(k.what_is_broken, 500) AS note, c.name
FROM desk.cases k CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
LEFT JOIN customers c USING (customer_id)
WHERE k.what_is_broken IS NOT NULL AND k.closed_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM desk.broken_notes b WHERE b.case_id = k.case_id)
ORDER BY k.closed_at, k.case_id LIMIT 5000

-- fill_broken_notes --
-- Notes sorted into topics.
COPY desk.broken_notes (case_id, topic_id, said_on, reason, note) FROM STDIN

-- add_run --
-- What this run came to.
INSERT INTO desk.voice_runs (until_day, days, nights, problems) VALUES (%(until_day)s, %(days)s, %(nights)s, %(problems)s)

-- last_run --
-- The newest run: when, up to which day, and at which rate its night was tested.
SELECT r.ran_at, r.until_day, (SELECT n.level FROM desk.burst_nights n WHERE n.day = r.until_day) AS level
FROM desk.voice_runs r ORDER BY r.run_id DESC LIMIT 1

-- series --
-- Contacts by bucket and reason, of everybody or of one region or plan; NULL: a group too small to be told.
SELECT bucket, reason, contacts FROM desk.reason_series(%(first)s, %(last)s, %(days)s, %(region)s, %(plan)s) ORDER BY bucket, reason

-- choices --
-- Regions and plans there are to choose from.
SELECT array_agg(DISTINCT region ORDER BY region) FILTER (WHERE region <> 'unknown') AS regions,
       array_agg(DISTINCT plan ORDER BY plan) FILTER (WHERE plan NOT IN ('unknown', 'none')) AS plans,
       array_agg(DISTINCT reason ORDER BY reason) FILTER (WHERE reason <> 'unknown') AS reasons
FROM desk.voice_groups

-- problems --
-- Problems of the period, what is open first, the most worth at risk on top.
SELECT p.problem_id, p.key, p.reason, p.region, p.plan, p.topic_id, t.name AS topic, p.title, p.began_on, p.found_on, p.last_burst_on,
       p.p_value, p.level, p.contacts, p.expected, p.customers, p.worth_at_risk, p.currency, p.at_that_time, p.is_expected, p.state,
       p.owner_department, p.fixed_on, p.refreshed_at
FROM desk.problems p LEFT JOIN desk.topics t USING (topic_id)
WHERE (p.last_burst_on >= %(first)s OR p.state IN ('accepted', 'being_fixed') OR p.fixed_on >= %(first)s) AND p.began_on <= %(last)s
    AND (%(state)s::text IS NULL OR p.state = %(state)s) AND (%(reason)s::text IS NULL OR p.reason = %(reason)s)
    AND (%(region)s::text IS NULL OR p.region IS NULL OR p.region = %(region)s)
    AND (%(plan)s::text IS NULL OR p.plan IS NULL OR p.plan = %(plan)s)
ORDER BY p.state IN ('fixed', 'dismissed'), p.is_expected AND p.state = 'noticed', p.last_burst_on DESC,
         p.worth_at_risk DESC NULLS LAST, p.problem_id DESC
LIMIT %(most)s

-- course --
-- The days of some problems against their usual level.
SELECT problem_id, day, contacts, expected, spread FROM desk.problem_days WHERE problem_id = ANY (%(problems)s) ORDER BY problem_id, day

-- groups --
-- Who is affected by a problem; value NULL: groups under 10 customers together.
SELECT dimension, value, customers FROM desk.problem_groups WHERE problem_id = %(problem_id)s
ORDER BY dimension, value IS NULL, customers DESC, value

-- quotes --
-- What was said about some problems, masked.
SELECT problem_id, said_on, channel, quote FROM desk.problem_quotes WHERE problem_id = ANY (%(problems)s) ORDER BY problem_id, place

-- customers --
-- The accounts a problem touches, the most worth at risk first.
SELECT customer_id, region, plan, contacts, last_on, p_churn, worth FROM desk.problem_customers
WHERE problem_id = %(problem_id)s ORDER BY p_churn * worth DESC NULLS LAST, customer_id

-- history --
-- What was decided about a problem, newest first.
SELECT h.happened_at, coalesce(s.name, h.staff_id) AS person, h.from_state, h.to_state, h.owner_department, h.fixed_on, h.remark
FROM desk.problem_history h LEFT JOIN desk.staff s USING (staff_id)
WHERE h.problem_id = %(problem_id)s ORDER BY h.event_id DESC

-- next_states --
-- What a problem in this state may become.
SELECT to_state FROM desk.problem_moves WHERE from_state = %(state)s ORDER BY to_state

-- owners --
-- Departments that own changes or problems already.
SELECT DISTINCT owner_department FROM (
    SELECT owner_department FROM change_events UNION ALL SELECT owner_department FROM desk.problems) o
WHERE owner_department IS NOT NULL ORDER BY owner_department LIMIT 50

-- topic_weeks --
-- Topics by bucket: share of the notes read, and contacts that makes of all.
SELECT %(first)s::date + (d.day - %(first)s::date) / %(days)s::int * %(days)s::int AS bucket, t.topic_id, t.name,
       sum(d.notes)::int AS notes, sum(d.notes)::float8 / nullif(sum(d.sampled), 0) AS share,
       sum(d.notes::float8 / nullif(d.sampled, 0) * d.contacts) AS contacts
FROM desk.topic_days d JOIN desk.topics t USING (topic_id)
WHERE d.day BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3 ORDER BY 1, 5 DESC

-- broken --
-- Agents' notes of what is broken by topic, of the days asked for; the largest topic first.
SELECT b.topic_id, t.name AS topic, b.said_on, b.reason, b.note, count(*) OVER (PARTITION BY b.topic_id) AS of_topic
FROM desk.broken_notes b LEFT JOIN desk.topics t USING (topic_id)
WHERE b.said_on BETWEEN %(first)s AND %(last)s
ORDER BY b.topic_id IS NULL, of_topic DESC, b.topic_id, b.said_on DESC, b.case_id LIMIT %(most)s

-- classes --
-- How leaders classified reasons: the newest word on each.
SELECT DISTINCT ON (reason) reason, to_us, to_them FROM desk.reason_classes ORDER BY reason, class_id DESC

-- move_problem --
-- Bring a problem forward.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.move_problem(%(token)s::text, %(problem_id)s::bigint, %(to)s::text, %(owner)s::text, %(fixed_on)s::date, %(remark)s::text)

-- classify --
-- Say whether contacts about a reason are worth having.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.classify_reason(%(token)s::text, %(reason)s::text, %(to_us)s::text, %(to_them)s::text)
