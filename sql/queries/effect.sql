-- retention_log --
-- One row per inbound call of a kind in which one in five is given something, its window over: what, by whom, did they stay.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
given AS (
    SELECT contact_id, sum(amount) AS amount, sum(intended_amount) AS intended_amount, min(propensity) AS propensity,
           mode() WITHIN GROUP (ORDER BY instrument) AS instrument
    FROM concessions
    WHERE contact_id IS NOT NULL AND given_at <= %(until)s
    GROUP BY contact_id
),
kinds AS (
    SELECT t.queue, t.reason
    FROM contacts t LEFT JOIN given g USING (contact_id)
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL AND t.started_at <= %(until)s
    GROUP BY t.queue, t.reason
    HAVING count(g.contact_id) >= 30 AND count(g.contact_id) >= 0.2 * count(*)
),
calls AS (
    -- The end of the day before: what is dated by the day, such as a new term, may be the call's own doing.
    SELECT t.contact_id, t.customer_id,
           (t.started_at AT TIME ZONE z.time_zone)::date::timestamp AT TIME ZONE z.time_zone - interval '1 second' AS as_of, t.agent_id, t.channel, t.reason,
           (t.started_at AT TIME ZONE z.time_zone)::date AS day,
           coalesce(g.amount, 0)::float8 AS amount, g.intended_amount::float8 AS intended_amount, g.propensity, g.instrument
    FROM contacts t
    JOIN kinds k ON k.queue IS NOT DISTINCT FROM t.queue AND k.reason IS NOT DISTINCT FROM t.reason
    CROSS JOIN zone z
    LEFT JOIN given g USING (contact_id)
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL
      AND t.started_at <= %(until)s::timestamptz - make_interval(days => %(window_days)s::int)
),
ends AS (
    SELECT c.contact_id,
           bool_or(s.started_on <= c.day + %(window_days)s::int
                   AND (s.ended_on IS NULL OR s.ended_on > c.day + %(window_days)s::int)) AS is_here,
           (array_agg(s.end_reason ORDER BY s.ended_on DESC, s.subscription_id)
               FILTER (WHERE s.ended_on >= c.day))[1] AS left_how
    FROM calls c JOIN subscriptions s USING (customer_id)
    GROUP BY c.contact_id, c.day
    HAVING bool_or(s.started_on <= c.day AND (s.ended_on IS NULL OR s.ended_on >= c.day))
)
SELECT contact_id, customer_id, as_of, amount, stayed, agent_id, given_month, intended_amount, propensity, instrument, channel,
       contact_reason
FROM (
    SELECT c.contact_id, c.customer_id, c.as_of, c.amount, e.is_here AS stayed, c.agent_id,
           to_char(c.day, 'YYYY-MM') AS given_month, c.intended_amount, c.propensity, c.instrument, c.channel,
           c.reason AS contact_reason
    FROM calls c JOIN ends e USING (contact_id)
    -- Who left otherwise than by choice says nothing of what an offer does.
    WHERE e.is_here OR coalesce(e.left_how, 'voluntary') = 'voluntary'
    ORDER BY c.as_of DESC, c.contact_id LIMIT %(most)s
) newest
ORDER BY as_of, contact_id
