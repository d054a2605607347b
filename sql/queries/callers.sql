-- Callers who came to cancel, told apart: one definition for what the night adds up and for the list behind a mark.

-- callers --
-- One row per caller who came to cancel, from a day until another: told apart as the day of the call found them, and their outcome.
SELECT o.customer_id, o.called_on, o.contact_reason, o.windows, o.stage, o.window_days, o.saved_days,
       coalesce(h.plan, 'unknown') AS plan, coalesce(c.region, 'unknown') AS region, coalesce(c.segment, 'unknown') AS segment,
       coalesce(desk.tenure_band(o.called_on - c.joined_on), 'unknown') AS tenure
FROM desk.save_outcomes o
LEFT JOIN customers c USING (customer_id)
LEFT JOIN LATERAL (
    -- What was ordered on the day of the call may be what they were kept with: it counts only for who had nothing before.
    SELECT s.plan FROM subscriptions s
    WHERE s.customer_id = o.customer_id AND s.started_on <= o.called_on AND (s.ended_on IS NULL OR s.ended_on >= o.called_on)
    ORDER BY s.started_on < o.called_on DESC, s.monthly_price DESC, s.subscription_id LIMIT 1
) h ON true
WHERE o.called_on >= %(first)s::date AND o.called_on < %(until)s::date
