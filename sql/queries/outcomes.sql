-- What became of everybody who came to cancel: who came, what is known of them, what is written down, what goes back.

-- one_at_a_time --
-- Two runs at once would find the same to do: the second waits for the first.
SELECT pg_advisory_xact_lock(7305207)

-- today --
-- "Now" of this company and its business day.
SELECT desk.business_clock() AS now,
       (desk.business_clock() AT TIME ZONE coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date AS today

-- gather --
-- Everybody who came to cancel and is not written down yet: by the company's contacts and by the desk's own cases.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone, desk.business_clock() AS now),
came AS (
    SELECT t.customer_id, t.started_at AS called_at, t.contact_id, NULL::uuid AS case_id, t.agent_id AS staff_id,
           t.reason AS contact_reason
    FROM contacts t CROSS JOIN zone z
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL AND t.started_at <= z.now
        AND t.started_at > coalesce((SELECT max(i.called_at) FROM desk.cancel_intents i)
                                    - make_interval(days => %(late_days)s::int), '-infinity')
        AND (t.queue ~* %(queues)s::text OR t.reason ~* %(reasons)s::text)
    UNION ALL
    -- The desk's cases carry the real clock; a company that is not live has its own.
    SELECT c.customer_id, least(coalesce(c.cancel_asked_at, c.opened_at), z.now), NULL, c.case_id, c.staff_id, c.contact_reason
    FROM desk.cases c CROSS JOIN zone z
    WHERE (c.cancel_asked_at IS NOT NULL OR c.outcome IN ('deflected', 'cancelled') OR c.contact_reason ~* %(reasons)s::text
           OR EXISTS (SELECT FROM desk.decisions d WHERE d.case_id = c.case_id AND d.contact_reason ~* %(reasons)s::text))
        AND NOT EXISTS (SELECT FROM desk.cancel_intents i WHERE i.case_id = c.case_id)
),
days AS (
    -- Of one day the desk's case goes first, the earliest of each; the company's record is kept beside it.
    SELECT DISTINCT ON (c.customer_id, d.called_on)
           c.customer_id, d.called_on, c.called_at, c.case_id,
           coalesce(c.contact_id, (array_agg(c.contact_id) FILTER (WHERE c.contact_id IS NOT NULL) OVER same_day)[1]) AS contact_id,
           c.staff_id, c.contact_reason
    FROM came c CROSS JOIN zone z CROSS JOIN LATERAL (SELECT (c.called_at AT TIME ZONE z.time_zone)::date AS called_on) d
    WINDOW same_day AS (PARTITION BY c.customer_id, d.called_on)
    ORDER BY c.customer_id, d.called_on, c.case_id IS NULL, c.called_at, c.contact_id
)
INSERT INTO desk.cancel_intents (customer_id, called_on, called_at, contact_id, case_id, staff_id, contact_reason, windows)
SELECT d.customer_id, d.called_on, d.called_at, d.contact_id, d.case_id, d.staff_id, d.contact_reason,
       (SELECT p.windows FROM jsonb_to_recordset(%(periods)s::jsonb) AS p (begins timestamptz, windows integer[])
        WHERE p.begins <= d.called_at ORDER BY p.begins DESC LIMIT 1)
FROM days d
-- Who had nothing to cancel did not come to cancel.
WHERE EXISTS (SELECT FROM subscriptions s WHERE s.customer_id = d.customer_id AND s.started_on <= d.called_on
              AND (s.ended_on IS NULL OR s.ended_on >= d.called_on))
ORDER BY d.called_on, d.customer_id
ON CONFLICT DO NOTHING

-- open_intents --
-- One row per caller whose outcome may still move: what is known of them now, and their history, oldest row first.
SELECT i.intent_id, i.called_on, i.windows,
       EXISTS (SELECT FROM desk.cases c CROSS JOIN LATERAL (
                   SELECT (least(c.opened_at, desk.business_clock())
                           AT TIME ZONE coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date AS day) d
               WHERE c.customer_id = i.customer_id AND c.cancelled_at IS NOT NULL
                   AND (c.case_id = i.case_id OR d.day = i.called_on)) AS is_cancelled,
       l.left_on, l.left_how, h.steps, h.stages, h.window_days, h.began
FROM desk.cancel_intents i
LEFT JOIN LATERAL desk.first_left(i.customer_id, i.called_on, %(today)s::date) l ON true
CROSS JOIN LATERAL (
    SELECT array_agg(s.step ORDER BY s.seq) AS steps, array_agg(s.stage ORDER BY s.seq) AS stages,
           array_agg(s.window_days ORDER BY s.seq) AS window_days, array_agg(s.began_on ORDER BY s.seq) AS began
    FROM desk.save_stages s WHERE s.intent_id = i.intent_id) h
WHERE h.steps IS NULL OR i.called_on >= %(today)s::date - i.windows[cardinality(i.windows)] - %(late_days)s::int

-- add_stages --
-- Rows for the histories, a column an array: where row-level security holds there is no COPY.
INSERT INTO desk.save_stages (intent_id, seq, step, stage, window_days, began_on, is_restatement)
SELECT * FROM unnest(%(intents)s::bigint[], %(places)s::int[], %(steps)s::int[], %(stages)s::text[], %(windows)s::int[],
                     %(began)s::date[], %(restate)s::boolean[])

-- standing --
-- One row per stage in which callers who came to cancel are: how many.
SELECT stage, window_days, count(*) AS callers FROM desk.save_outcomes GROUP BY stage, window_days
ORDER BY stage, window_days

-- to_claw_back --
-- One row per grant of goodwill whose customer left by choice inside its policy's horizon and which stands untouched.
SELECT l.entry_id, l.schedule, l.booked_on AS given_on, g.left_on,
       l.budget_id IS NULL OR EXISTS (
           SELECT FROM desk.budgets b JOIN desk.budget_counters c USING (budget_id)
           WHERE b.team = l.team AND b.instrument = l.instrument AND b.currency = l.currency AND NOT c.is_closed
               AND b.starts_at <= desk.business_clock() AND b.ends_at > desk.business_clock()) AS has_budget
FROM desk.ledger l
JOIN desk.policy_instruments p USING (policy_version, instrument)
JOIN unnest(%(versions)s::bigint[], %(horizons)s::int[]) AS h (policy_version, days) USING (policy_version)
CROSS JOIN LATERAL desk.first_left(l.customer_id, l.booked_on, least(%(today)s::date, l.booked_on + h.days)) g
WHERE l.kind = 'grant' AND l.amount > 0 AND NOT p.is_entitlement AND g.left_how = 'voluntary'
    AND NOT EXISTS (SELECT FROM desk.ledger r WHERE r.reverses = l.entry_id)
ORDER BY l.entry_id
