-- unhappy --
-- Made-up callers whose last call was about a fault nobody put right, nothing given in half a year, likeliest to leave first.
SELECT c.customer_id, c.name, s.p_churn AS risk, s.clv AS worth, l.monthly_bill, c.joined_on, t.started_at AS called_at,
       c.region, c.segment, l.plan, o.today
FROM (SELECT *, (desk.business_clock() AT TIME ZONE time_zone)::date AS today FROM desk.company WHERE source = 'simulated') o
CROSS JOIN customers c
JOIN (SELECT customer_id, p_churn, clv FROM desk.scores WHERE p_churn IS NOT NULL ORDER BY p_churn DESC LIMIT 3000) s
    USING (customer_id)
CROSS JOIN LATERAL (
    SELECT started_at, reason, is_resolved, is_escalated FROM contacts k
    WHERE k.customer_id = c.customer_id AND k.direction = 'in' AND k.started_at <= desk.business_clock()
    ORDER BY k.started_at DESC, k.contact_id DESC LIMIT 1) t
CROSS JOIN LATERAL (
    SELECT sum(monthly_price) AS monthly_bill, (array_agg(plan ORDER BY monthly_price DESC, subscription_id))[1] AS plan
    FROM subscriptions k
    WHERE k.customer_id = c.customer_id AND k.started_on <= o.today AND (k.ended_on IS NULL OR k.ended_on > o.today)) l
WHERE t.reason = 'fault' AND t.is_resolved IS FALSE AND NOT t.is_escalated
    AND t.started_at > desk.business_clock() - interval '60 days'
    AND l.monthly_bill > 0 AND s.clv > 0 AND c.currency = o.currency AND NOT c.is_vulnerable AND NOT c.is_do_not_offer
    AND NOT EXISTS (SELECT FROM concessions g WHERE g.customer_id = c.customer_id
                    AND g.given_at > desk.business_clock() - interval '180 days')
    AND NOT EXISTS (SELECT FROM desk.ledger g WHERE g.customer_id = c.customer_id)
ORDER BY s.p_churn DESC, c.customer_id LIMIT 50
