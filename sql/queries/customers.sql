-- company --
-- The company this database is about.
SELECT name, time_zone, phone_region, currency, horizon_days, snapshot_on, data_until, monthly_churn, source FROM desk.company

-- moment --
-- The instant a caller's card is read for: the clock, or where the data of a company that is not live ends for this caller.
SELECT CASE WHEN c.data_until IS NULL THEN %(clock)s::timestamptz
            ELSE greatest(c.data_until, (SELECT max(t.started_at) FROM contacts t
                                         WHERE t.customer_id = %(customer_id)s AND t.started_at <= %(clock)s::timestamptz))
       END AS as_of
FROM desk.company c

-- customer --
-- One customer.
SELECT customer_id, name, phone, email, joined_on, segment, region, language, currency, is_vulnerable, is_do_not_offer
FROM customers WHERE customer_id = %(customer_id)s

-- subscriptions --
-- All lines one customer had on the day, as they stood then; the live and dearest first.
SELECT subscription_id, product, plan, started_on, term_ends_on,
       CASE WHEN ended_on <= %(day)s::date THEN ended_on END AS ended_on,
       CASE WHEN ended_on <= %(day)s::date THEN end_reason END AS end_reason, monthly_price, monthly_margin
FROM subscriptions
WHERE customer_id = %(customer_id)s AND started_on <= %(day)s::date
ORDER BY coalesce(ended_on <= %(day)s::date, false), monthly_price DESC, subscription_id

-- contacts --
-- The last 20 contacts of one customer by as_of, and all of a year, newest first; an outcome is known once a contact has ended.
SELECT contact_id, started_at, CASE WHEN is_over THEN ended_at END AS ended_at, channel, direction, reason, agent_id,
       CASE WHEN is_over THEN is_resolved END AS is_resolved, is_over AND is_escalated AS is_escalated,
       CASE WHEN is_over THEN csat END AS csat, left(notes, 2000) AS notes
FROM (SELECT *, coalesce(ended_at, started_at) <= %(as_of)s AS is_over,
             row_number() OVER (ORDER BY started_at DESC, contact_id DESC) AS nth
      FROM contacts
      WHERE customer_id = %(customer_id)s AND started_at <= %(as_of)s) t
WHERE nth <= 20 OR started_at > %(as_of)s::timestamptz - interval '365 days'
ORDER BY nth LIMIT 200

-- invoices --
-- The invoices of one customer in the year before the day, newest first.
SELECT invoice_id, issued_on, due_on, CASE WHEN paid_on <= %(day)s::date THEN paid_on END AS paid_on, amount
FROM invoices
WHERE customer_id = %(customer_id)s AND issued_on <= %(day)s::date AND issued_on > %(day)s::date - 365
ORDER BY issued_on DESC, invoice_id DESC

-- events --
-- The change events of the last 90 days that hit one customer, the company's own and those planned here, newest first.
SELECT e.event_id, e.kind, e.title, e.starts_at, CASE WHEN e.ends_at <= %(as_of)s THEN e.ends_at END AS ends_at, e.what_to_say,
       hit.monthly_price
FROM (SELECT event_id, kind, title, starts_at, ends_at, what_to_say, region, product, plan FROM change_events
      UNION ALL
      SELECT event_id::text, kind, title, starts_at, ends_at, what_to_say, region, product, plan
      FROM desk.planned_events WHERE NOT is_withdrawn) e
CROSS JOIN LATERAL (
    SELECT sum(s.monthly_price) AS monthly_price FROM subscriptions s
    CROSS JOIN (SELECT (e.starts_at AT TIME ZONE time_zone)::date AS day FROM desk.company) d
    WHERE s.customer_id = %(customer_id)s AND s.started_on <= d.day AND (s.ended_on IS NULL OR s.ended_on > d.day)
      AND (e.product IS NULL OR e.product = s.product) AND (e.plan IS NULL OR e.plan = s.plan)) hit
WHERE e.starts_at <= %(as_of)s AND e.starts_at > %(as_of)s::timestamptz - interval '90 days'
  AND (e.region IS NULL OR e.region = (SELECT c.region FROM customers c WHERE c.customer_id = %(customer_id)s))
  AND hit.monthly_price IS NOT NULL
ORDER BY e.starts_at DESC, e.event_id LIMIT 20

-- concessions --
-- What one customer was given in the year before as_of, newest first.
SELECT concession_id, given_at, instrument, amount, months
FROM concessions
WHERE customer_id = %(customer_id)s AND given_at <= %(as_of)s AND given_at > %(as_of)s::timestamptz - interval '365 days'
    AND amount > 0
ORDER BY given_at DESC, concession_id LIMIT 20

-- find --
-- Up to 20 customers by number, account, contact, or account's beginning, end of the number and beginnings of the name's words.
SELECT customer_id, name, phone, region, joined_on, plan
FROM desk.find_customers(%(by)s::text, %(key)s::text, %(account_like)s::text, %(digits_like)s::text)

-- recent --
-- Whom one member of staff had on screen lately, newest first.
SELECT k.customer_id, c.name, max(k.opened_at) AS opened_at
FROM (SELECT customer_id, opened_at FROM desk.cases WHERE staff_id = %(staff_id)s ORDER BY opened_at DESC LIMIT 40) k
JOIN customers c USING (customer_id)
GROUP BY k.customer_id, c.name
ORDER BY max(k.opened_at) DESC LIMIT 8

-- open_case --
-- Take a caller on the line: my open case, or a new one; none when nobody has this account.
SELECT desk.open_case(%(customer_id)s::text, %(opened_by)s::text) AS case_id

-- reveal --
-- One personal detail of a caller in full.
SELECT desk.reveal(%(customer_id)s::text, %(field)s::text, %(reason)s::text) AS value

-- usual_risk --
-- The mean risk of all scored customers by the newest run: what a caller is compared with.
SELECT mean_risk FROM desk.scoring_runs ORDER BY run_id DESC LIMIT 1

-- desk_staff --
-- The active people of the desk, agents first.
SELECT staff_id, name, role, team FROM desk.staff WHERE is_active AND staff_id NOT LIKE 'api:%%' -- no service
ORDER BY array_position(ARRAY['agent', 'supervisor', 'leader', 'finance', 'analyst', 'administrator'], role), staff_id

-- note_cancel --
-- The first "cancel" of a case: the way out is timed from here.
UPDATE desk.cases SET cancel_asked_at = coalesce(cancel_asked_at, now()) WHERE case_id = %(case_id)s AND staff_id = %(staff_id)s

-- close_case --
-- How a case ended, in the agent's words; once, and within twelve hours of what the telephone system said of it.
WITH done AS (
    UPDATE desk.cases
    SET closed_at = coalesce(closed_at, now()), agent_ended_at = now(), outcome = %(outcome)s,
        contact_reason = %(contact_reason)s, fault = %(fault)s, what_is_broken = %(what_is_broken)s,
        would_recommend = %(would_recommend)s, referral = %(referral)s,
        cancelled_at = CASE WHEN %(outcome)s = 'cancelled' THEN coalesce(cancelled_at, now()) END
    WHERE case_id = %(case_id)s AND staff_id = %(staff_id)s AND agent_ended_at IS NULL
        AND (closed_at IS NULL OR closed_at > now() - interval '12 hours')
    RETURNING outcome, cancelled_at, cancel_asked_at
),
ended AS (
    SELECT outcome, cancelled_at, cancel_asked_at FROM done
    UNION ALL
    SELECT outcome, cancelled_at, cancel_asked_at FROM desk.cases
    WHERE case_id = %(case_id)s AND staff_id = %(staff_id)s AND NOT EXISTS (SELECT FROM done)
)
SELECT outcome, extract(epoch FROM cancelled_at - cancel_asked_at)::float8 AS seconds_to_leave FROM ended

-- contact_reasons --
-- The reasons of inbound contacts in the company's own words, the commonest first.
SELECT reason FROM desk.contact_reasons ORDER BY contacts DESC, reason LIMIT 20
