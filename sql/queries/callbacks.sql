-- Who is worth ringing: found every night, ranked by what a call may gain, taken by one person only.

-- reachable --
-- One row per scored customer who may be rung at all and whose call could ever pay for itself.
SELECT s.customer_id, s.p_churn
FROM desk.scores s
JOIN crm.customers c USING (customer_id)
CROSS JOIN desk.company o
-- Staying for certain, and worth at most clv / (1 - p_churn) given they stay: no call gains more.
WHERE s.clv IS NOT NULL AND s.p_churn < 1 AND s.p_churn * s.clv / (1 - s.p_churn) > %(call_cost)s::float8
    AND NOT c.is_do_not_offer AND c.currency = o.currency AND c.phone IS NOT NULL
    -- Rung by us within the days of rest, by whichever system.
    AND NOT EXISTS (SELECT FROM crm.contacts t
                    WHERE t.customer_id = s.customer_id AND t.direction = 'out' AND t.channel ~* %(channels)s::text
                        AND t.started_at > %(as_of)s::timestamptz - make_interval(days => %(rest_days)s::int)
                        AND t.started_at <= %(as_of)s::timestamptz)
    AND NOT EXISTS (SELECT FROM desk.callback_events e
                    WHERE e.customer_id = s.customer_id AND e.what IN ('reached', 'kept', 'left')
                        AND e.happened_at > clock_timestamp() - make_interval(days => %(rest_days)s::int))
    AND EXISTS (SELECT FROM crm.subscriptions l
                WHERE l.customer_id = s.customer_id
                    AND l.started_on <= (%(as_of)s::timestamptz AT TIME ZONE o.time_zone)::date
                    AND (l.ended_on IS NULL OR l.ended_on > (%(as_of)s::timestamptz AT TIME ZONE o.time_zone)::date))
ORDER BY s.customer_id

-- empty --
-- Clear the old queue in the transaction that brings the new one.
DELETE FROM desk.callback_candidates

-- fill --
-- The new queue.
COPY desk.callback_candidates (customer_id, as_of, lever, instrument, amount, currency, p_without, p_with, worth, gain, gain_low,
                               gain_high, policy_version, effect_version) FROM STDIN

-- queue --
-- The customers one may take now, the best first by what was asked for.
SELECT k.customer_id, c.name, k.lever, k.instrument, k.amount, k.currency, k.p_without, k.p_with, k.worth, k.gain, k.gain_low,
       k.gain_high, k.is_shown, k.as_of, k.effect_version, c.is_vulnerable
FROM desk.callback_candidates k
JOIN crm.customers c USING (customer_id)
LEFT JOIN desk.callback_holds h USING (customer_id)
WHERE k.is_shown = %(is_shown)s::boolean
    AND (h.customer_id IS NULL
         OR (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp())
ORDER BY CASE %(order)s::text WHEN 'worth' THEN k.worth WHEN 'stays' THEN (k.p_with - k.p_without) * 1e9 ELSE k.gain END DESC,
         k.customer_id
LIMIT %(most)s::int

-- mine --
-- Whom one person holds: until when, and what was expected of ringing them.
SELECT h.customer_id, c.name, k.lever, k.instrument, k.amount, k.currency, k.p_without, k.p_with, k.worth, k.gain, k.gain_low,
       k.gain_high, k.is_shown, k.as_of, k.effect_version, c.is_vulnerable, c.phone, h.expires_at, h.misses
FROM desk.callback_holds h
JOIN crm.customers c USING (customer_id)
LEFT JOIN desk.callback_candidates k USING (customer_id)
WHERE h.staff_id = %(staff_id)s::text AND h.expires_at > clock_timestamp()
ORDER BY h.taken_at

-- progress --
-- How the queue stands: waiting (shown and not), held now, and what came of today's calls, mine among them.
SELECT count(*) FILTER (WHERE k.is_shown AND is_free) AS shown, count(*) FILTER (WHERE NOT k.is_shown AND is_free) AS likely,
       count(*) FILTER (WHERE NOT is_free AND is_held) AS held, max(k.as_of) AS as_of,
       coalesce((SELECT jsonb_object_agg(d.what, d.times) FROM (
           SELECT e.what, count(*) AS times FROM desk.callback_events e, desk.company o
           WHERE e.happened_at >= date_trunc('day', clock_timestamp(), o.time_zone) AND e.what <> 'taken' GROUP BY e.what) d),
           '{}') AS today,
       (SELECT count(*) FROM desk.callback_events e, desk.company o
        WHERE e.happened_at >= date_trunc('day', clock_timestamp(), o.time_zone) AND e.staff_id = %(staff_id)s::text
            AND e.what NOT IN ('taken', 'released')) AS mine
FROM desk.callback_candidates k
LEFT JOIN desk.callback_holds h USING (customer_id)
CROSS JOIN LATERAL (
    SELECT h.staff_id IS NOT NULL AND h.expires_at > clock_timestamp() AS is_held,
           h.customer_id IS NULL
           OR (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp() AS is_free) s

-- take --
-- Take one, if nobody has them: the one write that decides. Who holds another keeps to that one first.
WITH taken AS (
    INSERT INTO desk.callback_holds AS h (customer_id, staff_id, taken_at, expires_at)
    SELECT k.customer_id, %(staff_id)s::text, clock_timestamp(), clock_timestamp() + make_interval(mins => %(minutes)s::int)
    FROM desk.callback_candidates k
    WHERE k.customer_id = %(customer_id)s::text
        AND NOT EXISTS (SELECT FROM desk.callback_holds o
                        WHERE o.staff_id = %(staff_id)s::text AND o.expires_at > clock_timestamp())
    ON CONFLICT (customer_id) DO UPDATE
    SET staff_id = excluded.staff_id, taken_at = excluded.taken_at, expires_at = excluded.expires_at
    WHERE (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp()
    RETURNING h.customer_id, h.staff_id
)
INSERT INTO desk.callback_events (customer_id, staff_id, what, gain)
SELECT t.customer_id, t.staff_id, 'taken', k.gain FROM taken t LEFT JOIN desk.callback_candidates k USING (customer_id)
RETURNING customer_id

-- finish --
-- What came of one I hold, once: it rests, waits till a day, or goes back to the queue.
WITH finished AS (
    UPDATE desk.callback_holds h
    SET staff_id = NULL, taken_at = NULL, expires_at = NULL,
        misses = CASE %(what)s::text WHEN 'no_answer' THEN h.misses + 1 WHEN 'snoozed' THEN h.misses
                                     WHEN 'released' THEN h.misses ELSE 0 END,
        free_from = CASE
            WHEN %(what)s::text = 'released' THEN clock_timestamp()
            WHEN %(what)s::text = 'snoozed' THEN %(until)s::timestamptz
            WHEN %(what)s::text = 'no_answer' AND (h.misses + 1) %% %(most_misses)s::int <> 0
                THEN clock_timestamp() + make_interval(hours => %(again_hours)s::int)
            ELSE clock_timestamp() + make_interval(days => %(rest_days)s::int) END
    WHERE h.customer_id = %(customer_id)s::text AND h.staff_id = %(staff_id)s::text
    RETURNING h.customer_id, h.free_from
),
noted AS (
    INSERT INTO desk.callback_events (customer_id, staff_id, what, gain, until)
    SELECT f.customer_id, %(staff_id)s::text, %(what)s::text, k.gain,
           CASE WHEN %(what)s::text = 'snoozed' THEN %(until)s::timestamptz END
    FROM finished f LEFT JOIN desk.callback_candidates k USING (customer_id)
)
SELECT free_from FROM finished

-- finished_before --
-- The same said a moment ago by the same person: a second click is answered like the first.
SELECT h.free_from
FROM desk.callback_events e JOIN desk.callback_holds h USING (customer_id)
WHERE e.customer_id = %(customer_id)s::text AND e.staff_id = %(staff_id)s::text AND e.what = %(what)s::text
    AND e.until IS NOT DISTINCT FROM %(until)s::timestamptz AND h.staff_id IS NULL
    AND e.happened_at > clock_timestamp() - interval '1 minute'
ORDER BY e.event_id DESC LIMIT 1
