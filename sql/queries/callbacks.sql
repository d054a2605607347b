-- Who is worth ringing: found every night, ranked by what a call may gain, taken by one person only.

-- reachable --
-- One row per scored customer who may be rung at all and whose call could ever pay for itself.
SELECT s.customer_id, s.p_churn
FROM desk.scores s
JOIN customers c USING (customer_id)
CROSS JOIN desk.company o
-- Staying for certain, and worth at most clv / (1 - p_churn) given they stay: no call gains more.
WHERE s.clv IS NOT NULL AND s.p_churn < 1 AND s.p_churn * s.clv / (1 - s.p_churn) > %(call_cost)s::float8
    AND NOT c.is_do_not_offer AND c.currency = o.currency AND c.phone IS NOT NULL
    -- Rung by us within the days of rest, by whichever system.
    AND NOT EXISTS (SELECT FROM contacts t
                    WHERE t.customer_id = s.customer_id AND t.direction = 'out' AND t.channel ~* %(channels)s::text
                        AND t.started_at > %(as_of)s::timestamptz - make_interval(days => %(rest_days)s::int)
                        AND t.started_at <= %(as_of)s::timestamptz)
    AND NOT EXISTS (SELECT FROM desk.callback_events e
                    WHERE e.customer_id = s.customer_id AND e.what IN ('reached', 'kept', 'left')
                        AND e.happened_at > clock_timestamp() - make_interval(days => %(rest_days)s::int))
    AND EXISTS (SELECT FROM subscriptions l
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
JOIN customers c USING (customer_id)
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
JOIN customers c USING (customer_id)
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
-- Take one, if nobody has them: the one write that decides.
SELECT desk.take_callback(%(customer_id)s::text, %(minutes)s::int)

-- finish --
-- What came of one I hold, once: from when they may be rung again, none when they are not mine.
SELECT desk.finish_callback(%(customer_id)s::text, %(what)s::text, %(until)s::timestamptz, %(rest_days)s::int,
                            %(again_hours)s::int, %(most_misses)s::int) AS free_from
