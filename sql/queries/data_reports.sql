-- What the night finds of the data, and what the page shows of it.

-- contacts_by_channel --
-- Contacts by channel: how many, without a customer, of a customer nobody knows.
SELECT t.channel, count(*) AS contacts, count(*) FILTER (WHERE t.customer_id IS NULL) AS nobody,
       count(*) FILTER (WHERE t.customer_id IS NOT NULL AND c.customer_id IS NULL) AS unknown
FROM contacts t LEFT JOIN customers c ON c.customer_id = t.customer_id
GROUP BY t.channel ORDER BY count(*) DESC, t.channel

-- sources --
-- The newest import of each file: by which mapping, when, what became of its rows.
SELECT DISTINCT ON (f.path) f.path, f.mapping, f.encoding, f.rows_read, f.rows_accepted, f.rows_set_aside,
       f.rows_unmatched, to_char(f.imported_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS imported_at
FROM feed.files f ORDER BY f.path, f.file_id DESC

-- set_aside --
-- Why rows were set aside: reasons counted, of the newest import of each file.
SELECT n.path, s.column_name, s.reason, count(*) AS rows
FROM (SELECT DISTINCT ON (f.path) f.path, f.file_id FROM feed.files f ORDER BY f.path, f.file_id DESC) n
JOIN feed.set_aside s USING (file_id)
GROUP BY n.path, s.column_name, s.reason ORDER BY count(*) DESC, n.path, s.reason LIMIT 500

-- held_back --
-- What the last scoring left out and why, and the kinds of model there are none of.
WITH day AS (
    SELECT (coalesce(c.data_until, now()) AT TIME ZONE c.time_zone)::date AS today FROM desk.company c
),
live AS (
    SELECT DISTINCT s.customer_id FROM subscriptions s CROSS JOIN day d
    WHERE s.started_on <= d.today AND (s.ended_on IS NULL OR s.ended_on > d.today)
),
book AS (
    SELECT count(*) FILTER (WHERE l.customer_id IS NULL) AS gone,
           count(*) FILTER (WHERE l.customer_id IS NOT NULL AND s.customer_id IS NULL AND e.customer_id IS NULL) AS unscored,
           count(*) FILTER (WHERE l.customer_id IS NOT NULL AND e.customer_id IS NOT NULL) AS erased,
           count(*) FILTER (WHERE s.customer_id IS NOT NULL AND s.clv IS NULL) AS worthless
    FROM customers c LEFT JOIN live l USING (customer_id) LEFT JOIN desk.scores s USING (customer_id)
    LEFT JOIN desk.erasures e USING (customer_id)
)
SELECT h.what, h.why, h.customers
FROM book b CROSS JOIN LATERAL (VALUES
    ('not scored: no live subscription', 'who has left is not scored', b.gone),
    ('not scored: live', 'came after the last scoring, or nothing was scored yet: python3 -m churn score', b.unscored),
    ('not scored: erased', 'their data were erased on request', b.erased),
    ('scored without worth', 'there is no survival model in use: python3 -m churn train', b.worthless)) h (what, why, customers)
UNION ALL
SELECT 'no ' || m.kind || ' model', m.refusal, NULL
FROM (SELECT DISTINCT ON (v.kind) v.kind, v.status, v.refusal FROM desk.model_versions v
      ORDER BY v.kind, v.model_version DESC) m
WHERE m.status = 'refused'
    AND NOT EXISTS (SELECT FROM desk.model_versions c WHERE c.kind = m.kind AND c.status = 'current')

-- keep_profile --
-- One night's profile.
INSERT INTO desk.data_profiles (as_of, seconds, tables, columns, doubles, problems, contacts, sources, set_aside, held_back)
VALUES (%(as_of)s, %(seconds)s, %(tables)s, %(columns)s, %(doubles)s, %(problems)s, %(contacts)s, %(sources)s,
        %(set_aside)s, %(held_back)s)

-- forget_profiles --
-- Profiles nobody compares with any more.
DELETE FROM desk.data_profiles WHERE measured_at < now() - make_interval(days => %(days)s::int)

-- newest --
-- The newest profile.
SELECT profile_id, as_of, measured_at, seconds, tables, columns, doubles, problems, contacts, sources, set_aside, held_back
FROM desk.data_profiles ORDER BY measured_at DESC, profile_id DESC LIMIT 1

-- earlier --
-- Empty values by column in the profiles before the newest, newest first.
SELECT measured_at, columns FROM desk.data_profiles
WHERE profile_id <> %(profile_id)s ORDER BY measured_at DESC, profile_id DESC LIMIT %(most)s

-- rows_set_aside --
-- Source rows as they were read, for an administrator: file, line, column, value, reason.
SELECT f.path, s.line, s.column_name, s.value, s.reason, s.row::text AS row
FROM feed.set_aside s JOIN feed.files f USING (file_id)
WHERE f.file_id = (SELECT max(n.file_id) FROM feed.files n WHERE n.path = %(path)s)
    AND (%(reason)s::text IS NULL OR s.reason = %(reason)s::text)
ORDER BY s.line LIMIT %(most)s
