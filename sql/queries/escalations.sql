-- Open contacts that may be handed upwards: learned from instants in the past, scored every night, read by the queue and the card.

-- open_contacts --
-- For each instant the customers with an open contact: the newest one, for how long, and whether one of theirs was escalated in time.
WITH open AS (
    SELECT DISTINCT ON (i.as_of, t.customer_id)
           t.customer_id, i.as_of, t.contact_id, t.started_at, t.reason, t.channel, t.agent_id
    FROM unnest(%(instants)s::timestamptz[]) AS i (as_of)
    JOIN contacts t ON t.started_at > i.as_of - make_interval(days => %(open_days)s::int) AND t.started_at <= i.as_of
    WHERE t.direction = 'in' AND t.customer_id IS NOT NULL AND coalesce(t.ended_at, t.started_at) <= i.as_of
        AND t.is_resolved IS FALSE AND NOT t.is_escalated
        -- Settled or escalated since: open no more.
        AND NOT EXISTS (SELECT FROM contacts l
                        WHERE l.customer_id = t.customer_id AND l.started_at > t.started_at AND l.started_at <= i.as_of
                            AND coalesce(l.ended_at, l.started_at) <= i.as_of AND l.direction = 'in'
                            AND l.reason IS NOT DISTINCT FROM t.reason AND (l.is_resolved OR l.is_escalated))
    ORDER BY i.as_of, t.customer_id, t.started_at DESC, t.contact_id
),
chosen AS (
    SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY o.as_of ORDER BY hashtext(o.contact_id), o.contact_id) AS place FROM open o) p
    WHERE place <= %(most)s
)
SELECT o.customer_id, o.as_of, o.contact_id, o.started_at, o.reason, o.channel, s.team,
       extract(epoch FROM o.as_of - o.started_at)::float8 / 86400 AS days_open,
       (SELECT count(*) FROM contacts e
        WHERE e.customer_id = o.customer_id AND e.direction = 'in' AND e.reason IS NOT DISTINCT FROM o.reason
            AND e.started_at > o.started_at - interval '30 days' AND e.started_at <= o.as_of)::int AS times_30d,
       EXISTS (SELECT FROM contacts u
               WHERE u.customer_id = o.customer_id AND u.direction = 'in' AND u.is_escalated AND u.started_at > o.as_of
                   AND u.started_at <= o.as_of + make_interval(days => %(horizon_days)s::int)) AS escalates
FROM chosen o LEFT JOIN desk.staff s ON s.staff_id = o.agent_id
ORDER BY o.customer_id, o.as_of

-- worth_of --
-- What is known of the worth of these customers.
SELECT customer_id, clv::float8 AS clv FROM desk.scores WHERE customer_id = ANY (%(customers)s) AND clv IS NOT NULL

-- empty --
-- Clear the old scores in the transaction that brings the new ones.
DELETE FROM desk.escalation_scores

-- fill --
-- One open contact with its chance.
INSERT INTO desk.escalation_scores (contact_id, customer_id, as_of, started_at, reason, team, p_escalates, usual, because, worth,
                                    currency, model_version)
VALUES (%(contact_id)s, %(customer_id)s, %(as_of)s, %(started_at)s, %(reason)s, %(team)s, %(p_escalates)s, %(usual)s, %(because)s,
        %(worth)s, %(currency)s, %(model_version)s)

-- waiting --
-- The open contacts of my teams most likely to be handed upwards, by chance and by what is at stake.
SELECT contact_id, customer_id, as_of, started_at, reason, team, p_escalates, usual, because, worth, currency
FROM desk.escalation_scores
WHERE p_escalates >= %(times_usual)s::float8 * usual
ORDER BY CASE WHEN %(by_worth)s::boolean THEN p_escalates * worth ELSE p_escalates END DESC NULLS LAST, contact_id
LIMIT %(most)s

-- of_caller --
-- The chance that a caller's open contact is handed upwards.
SELECT p_escalates, usual, because FROM desk.escalation_scores WHERE customer_id = %(customer_id)s
