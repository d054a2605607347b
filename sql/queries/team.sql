-- Team: calls of people who came to cancel with what became of them, what else an agent did, and what the page reads.

-- calls --
-- One row per newest call of somebody who came to cancel, by agent, oldest first: what became of it, once its window is over.
SELECT intent_id, customer_id, staff_id, topic, called_on, known_at, is_known, is_saved FROM (
    SELECT o.intent_id, o.customer_id, o.staff_id, coalesce(o.contact_reason, 'unknown') AS topic, o.called_on, o.called_at,
           -- A date is known from its own day on, and much that an agent does is dated that day: the day before is safe.
           (o.called_on::timestamp AT TIME ZONE z.time_zone) - interval '1 second' AS known_at,
           o.called_on + o.windows[cardinality(o.windows)] < %(today)s::date
               AND (o.stage NOT IN ('left_involuntary', 'left_move')
                    OR coalesce(o.saved_days, 0) >= o.windows[cardinality(o.windows)]) AS is_known,
           coalesce(o.saved_days, 0) >= o.windows[cardinality(o.windows)] AS is_saved
    FROM desk.save_outcomes o
    JOIN desk.staff p ON p.staff_id = o.staff_id
    CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE o.called_on >= %(since)s::date
    ORDER BY o.called_at DESC, o.intent_id LIMIT %(most)s
) newest ORDER BY called_at, intent_id

-- window_days --
-- The longest save window of the newest calls.
SELECT windows[cardinality(windows)] FROM desk.cancel_intents ORDER BY called_at DESC LIMIT 1

-- retained --
-- One row per agent: margin invoiced within the window after their saves, NULL where no margin is known, and money given then.
WITH asked AS (SELECT unnest(%(intents)s::bigint[]) AS intent_id),
saved AS (
    SELECT i.intent_id, i.staff_id, i.customer_id, i.called_on, i.contact_id, i.case_id, i.windows[cardinality(i.windows)] AS days,
           coalesce(o.saved_days, 0) >= i.windows[cardinality(i.windows)] AS is_saved
    FROM asked JOIN desk.cancel_intents i USING (intent_id) JOIN desk.save_outcomes o USING (intent_id)
),
margins AS (
    SELECT s.staff_id, sum(b.amount * m.share) AS retained
    FROM saved s
    CROSS JOIN LATERAL (
        SELECT sum(x.monthly_margin) / nullif(sum(x.monthly_price), 0) AS share FROM subscriptions x
        WHERE x.customer_id = s.customer_id AND x.started_on <= s.called_on + s.days
            AND (x.ended_on IS NULL OR x.ended_on > s.called_on + s.days)) m
    JOIN invoices b ON b.customer_id = s.customer_id AND b.issued_on > s.called_on AND b.issued_on <= s.called_on + s.days
    WHERE s.is_saved GROUP BY s.staff_id
),
money AS (
    SELECT s.staff_id, sum(g.amount) AS given FROM saved s JOIN concessions g ON g.contact_id = s.contact_id GROUP BY s.staff_id
)
SELECT a.staff_id, m.retained, coalesce(g.given, 0) AS given
FROM (SELECT DISTINCT staff_id FROM saved) a LEFT JOIN margins m USING (staff_id) LEFT JOIN money g USING (staff_id)

-- desk_money --
-- One row per agent and currency: money of the ledger given since a day, minor units, what was taken back apart.
SELECT l.staff_id, l.currency, sum(l.amount)::bigint AS given FROM desk.ledger l
WHERE l.kind = 'grant' AND l.booked_on >= %(since)s::date
    AND NOT EXISTS (SELECT FROM desk.ledger r WHERE r.reverses = l.entry_id AND r.kind = 'reversal')
GROUP BY l.staff_id, l.currency

-- offers_made --
-- One row per agent: decisions, of these with an ask and their mean gap, and what was given otherwise than shown first.
SELECT d.staff_id, count(*) AS offers, count(d.asked_amount) AS asks,
       avg(greatest(coalesce((d.receipt #>> '{say_yes,amount}')::bigint, 0), coalesce((d.receipt #>> '{say_yes,lifts_to}')::bigint, 0))
           - d.asked_amount) AS ask_gap,
       count(*) FILTER (WHERE EXISTS (
           SELECT FROM desk.ledger l LEFT JOIN desk.decision_rungs r ON r.decision_id = d.decision_id AND r.rung = d.shown_rung
           WHERE l.decision_id = d.decision_id AND l.kind = 'grant'
               AND (r.instrument, r.amount) IS DISTINCT FROM (l.instrument, l.amount))) AS overrides
FROM desk.decisions d WHERE d.decided_at >= %(since)s::date GROUP BY d.staff_id

-- referrals --
-- One row per agent: referrals asked for, made and missed; missed, too, where somebody would recommend us and nobody asked.
SELECT staff_id, count(*) FILTER (WHERE referral IN ('asked', 'made')) AS asked, count(*) FILTER (WHERE referral = 'made') AS made,
       count(*) FILTER (WHERE referral = 'missed' OR referral IS NULL AND would_recommend >= 9) AS missed
FROM desk.cases WHERE opened_at >= %(since)s::date GROUP BY staff_id

-- wins --
-- One row per agent and small win of a day: callers who stayed, saves that lasted, top marks, problems put right, referrals.
WITH zone AS (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone),
won AS (
    SELECT o.staff_id, 'came to cancel and stayed' AS what FROM desk.save_outcomes o
    WHERE o.called_on = %(day)s::date AND o.stage <> 'cancelled'
    UNION ALL
    SELECT i.staff_id, 'stayed through their first window' FROM desk.save_stages s JOIN desk.cancel_intents i USING (intent_id)
    WHERE s.stage = 'saved' AND s.window_days = i.windows[1] AND s.began_on = %(day)s::date
    UNION ALL
    SELECT t.agent_id, CASE WHEN t.csat = 5 THEN 'top marks from the customer' ELSE 'put right on a second try or later' END
    FROM contacts t CROSS JOIN zone z
    WHERE t.started_at >= %(day)s::date::timestamp AT TIME ZONE z.time_zone
        AND t.started_at < (%(day)s::date + 1)::timestamp AT TIME ZONE z.time_zone AND t.direction = 'in'
        AND (t.csat = 5 OR t.is_resolved AND EXISTS (
            SELECT FROM contacts e WHERE e.customer_id = t.customer_id AND e.reason = t.reason AND e.is_resolved IS FALSE
                AND e.started_at < t.started_at AND e.started_at > t.started_at - interval '30 days'))
    UNION ALL
    SELECT c.staff_id, 'a referral' FROM desk.cases c CROSS JOIN zone z
    WHERE c.referral = 'made' AND (c.opened_at AT TIME ZONE z.time_zone)::date = %(day)s::date
)
SELECT w.staff_id, w.what, count(*) AS times FROM won w JOIN desk.staff p USING (staff_id) GROUP BY w.staff_id, w.what

-- last_day --
-- The last day with calls.
SELECT max(t.started_at AT TIME ZONE coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date FROM contacts t
WHERE t.direction = 'in' AND t.started_at <= %(as_of)s

-- words --
-- Notes of the newest calls the customer gave marks for, a few an agent, with the name that must not show.
SELECT staff_id, said_on, csat, notes, name FROM (
    SELECT t.agent_id AS staff_id, (t.started_at AT TIME ZONE z.time_zone)::date AS said_on, t.csat, t.notes, c.name,
           row_number() OVER (PARTITION BY t.agent_id ORDER BY t.started_at DESC, t.contact_id) AS place
    FROM contacts t JOIN desk.staff p ON p.staff_id = t.agent_id JOIN customers c USING (customer_id)
    CROSS JOIN (SELECT coalesce((SELECT time_zone FROM desk.company), 'UTC') AS time_zone) z
    WHERE t.csat IS NOT NULL AND t.notes <> '' AND t.started_at > %(as_of)s::timestamptz - interval '30 days' AND t.started_at <= %(as_of)s
) newest WHERE place <= 5 ORDER BY staff_id, place

-- clear_outcomes --
-- The figures before.
DELETE FROM desk.agent_outcomes

-- clear_funnel --
-- The funnel before.
DELETE FROM desk.team_funnel

-- clear_topics --
-- Topics before.
DELETE FROM desk.agent_topics

-- clear_wins --
-- Wins before.
DELETE FROM desk.agent_wins

-- clear_words --
-- Words before.
DELETE FROM desk.agent_words

-- add_outcome --
-- One agent's figures.
INSERT INTO desk.agent_outcomes (staff_id, team, since_on, until_on, calls, saved, expected, variance, usual_calls, difference, told,
    shrunk, low, high, zone, retained_margin, given, asks, ask_gap, offers, overrides, referrals_asked, referrals_made,
    referrals_missed, hard_run, hard_share)
SELECT %(staff_id)s, p.team, %(since_on)s, %(until_on)s, %(calls)s, %(saved)s, %(expected)s, %(variance)s, %(usual_calls)s,
    %(difference)s, %(told)s, %(shrunk)s, %(low)s, %(high)s, %(zone)s, %(retained_margin)s, %(given)s, %(asks)s, %(ask_gap)s,
    %(offers)s, %(overrides)s, %(referrals_asked)s, %(referrals_made)s, %(referrals_missed)s, %(hard_run)s, %(hard_share)s
FROM desk.staff p WHERE p.staff_id = %(staff_id)s

-- add_funnel --
-- What the funnel is drawn from.
INSERT INTO desk.team_funnel (as_of, window_days, calls, agents, mean_variance, overdispersion, spread, middle, auc, calibration_error)
VALUES (%(as_of)s, %(window_days)s, %(calls)s, %(agents)s, %(mean_variance)s, %(overdispersion)s, %(spread)s, %(middle)s, %(auc)s,
        %(calibration_error)s)

-- add_topic --
-- One agent's figures on one contact reason.
INSERT INTO desk.agent_topics (staff_id, topic, calls, saved, expected, low, high)
VALUES (%(staff_id)s, %(topic)s, %(calls)s, %(saved)s, %(expected)s, %(low)s, %(high)s)

-- add_win --
-- One small win.
INSERT INTO desk.agent_wins (staff_id, won_on, what, times) VALUES (%(staff_id)s, %(won_on)s, %(what)s, %(times)s)

-- add_words --
-- What one customer said.
INSERT INTO desk.agent_words (staff_id, said_on, place, csat, words)
VALUES (%(staff_id)s, %(said_on)s, %(place)s, %(csat)s, %(words)s)

-- funnel --
-- What the funnel is drawn from; no row before the first night.
SELECT as_of, window_days, calls, agents, mean_variance, overdispersion, spread, middle, auc, calibration_error FROM desk.team_funnel

-- agents --
-- One row per agent one may see, by name.
SELECT o.*, p.name FROM desk.agent_outcomes o JOIN desk.staff p USING (staff_id) ORDER BY p.name, o.staff_id

-- topics --
-- One row per agent one may see and contact reason.
SELECT t.staff_id, p.name, t.topic, t.calls, t.saved, t.expected, t.low, t.high
FROM desk.agent_topics t JOIN desk.staff p USING (staff_id) ORDER BY p.name, t.calls DESC, t.topic

-- small_wins --
-- One row per agent one may see and small win of the last day.
SELECT w.staff_id, p.name, w.won_on, w.what, w.times FROM desk.agent_wins w JOIN desk.staff p USING (staff_id)
ORDER BY p.name, w.times DESC, w.what

-- customers_words --
-- What customers said of agents one may see, the newest day first; within a day by chance, neither by mark nor by name.
SELECT w.staff_id, p.name, w.said_on, w.csat, w.words FROM desk.agent_words w JOIN desk.staff p USING (staff_id)
ORDER BY w.said_on DESC, md5(w.staff_id || w.place), w.staff_id LIMIT 500
