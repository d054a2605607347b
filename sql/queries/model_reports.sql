-- How the models do: what the night measures of them, and what the page reads.

-- some_live --
-- The keys of some customers live on a day, always the same ones.
SELECT s.customer_id FROM subscriptions s
WHERE s.started_on <= %(day)s AND (s.ended_on IS NULL OR s.ended_on > %(day)s)
GROUP BY s.customer_id ORDER BY hashtextextended(s.customer_id, 0), s.customer_id LIMIT %(most)s

-- bins --
-- How the customers a model learned from fell into bins.
SELECT column_name, is_score, edges, names, shares, customers
FROM desk.model_bins WHERE model_version = %(model_version)s ORDER BY is_score DESC, column_name

-- clear_drift --
-- Make room for measuring a day once more.
DELETE FROM desk.model_drift WHERE model_version = %(model_version)s AND measured_on = %(measured_on)s

-- add_drift --
-- One column of one model on one day.
INSERT INTO desk.model_drift (model_version, is_score, column_name, measured_on, psi, shares, customers)
VALUES (%(model_version)s, %(is_score)s, %(column_name)s, %(measured_on)s, %(psi)s, %(shares)s, %(customers)s)

-- forget_drift --
-- Days long past.
DELETE FROM desk.model_drift WHERE measured_on < %(measured_on)s::date - 400

-- clear_arms --
-- What the trial came to before.
DELETE FROM desk.trial_arms

-- add_arm --
-- One arm of the trial.
INSERT INTO desk.trial_arms (arm, calls, amount, stayed, needed, lift, low, high, window_days, as_of)
VALUES (%(arm)s, %(calls)s, %(amount)s, %(stayed)s, %(needed)s, %(lift)s, %(low)s, %(high)s, %(window_days)s, %(as_of)s)

-- versions --
-- The versions of one kind, newest first, without their bytes; `is_own`: the reader made it, by what they are known by.
SELECT m.model_version, m.kind, m.status, m.data_as_of, m.horizon_days, m.metrics, m.libraries, m.refusal, m.created_at,
       m.created_by, m.promoted_at, m.promoted_by,
       EXISTS (SELECT FROM desk.staff p WHERE p.staff_id = %(me)s
               AND lower(btrim(m.created_by)) IN (lower(p.staff_id), lower(p.name), lower(p.sign_in))) AS is_own
FROM desk.model_versions m WHERE m.kind = %(kind)s ORDER BY m.model_version DESC LIMIT 50

-- drift_now --
-- Each column a model learned from, with training's shares and those of the newest day it was measured, if any.
SELECT b.column_name, b.is_score, d.measured_on, d.psi, b.names, b.shares AS shares_then, d.shares AS shares_now,
       b.customers AS customers_then, d.customers AS customers_now
FROM desk.model_bins b
LEFT JOIN desk.model_drift d ON (d.model_version, d.is_score, d.column_name) = (b.model_version, b.is_score, b.column_name)
    AND d.measured_on = (SELECT max(m.measured_on) FROM desk.model_drift m WHERE m.model_version = %(model_version)s)
WHERE b.model_version = %(model_version)s
ORDER BY b.is_score DESC, d.psi DESC NULLS LAST, b.column_name

-- drift_by_day --
-- A model's chances and its most moved column on each day measured.
SELECT measured_on, max(psi) FILTER (WHERE is_score) AS score_psi, max(psi) FILTER (WHERE NOT is_score) AS worst_psi
FROM desk.model_drift WHERE model_version = %(model_version)s GROUP BY measured_on ORDER BY measured_on

-- months --
-- Predicted and happened by month of the prediction, whose horizon is over.
SELECT month, max(horizon_days) AS horizon_days, max(risk_version) AS model_version, sum(customers)::bigint AS customers,
       sum(expected) AS expected, sum(happened)::bigint AS happened
FROM desk.prediction_tenths GROUP BY month ORDER BY month

-- arms --
-- What drawing amounts by lot came to.
SELECT arm, calls, amount, stayed, needed, lift, low, high, window_days, as_of
FROM desk.trial_arms ORDER BY array_position(ARRAY['nothing', 'less', 'as meant', 'more'], arm)

-- promote --
-- Put a model into use, by a person who gives a reason.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.promote_model(%(token)s::text, %(model_version)s::bigint, %(reason)s::text)
