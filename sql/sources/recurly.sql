-- Recurly
-- Subscriptions, invoices and credits given by hand; customers too where no CRM says who they are.
--
-- Layout: as Fivetran's Recurly connector writes it to Postgres: every table is a history, its newest row the one that
-- counts. Columns and types: github.com/fivetran/dbt_recurly_source, macros/get_*_columns.sql, models/src_recurly.yml
-- and integration_tests/seeds. Types in Postgres: fivetran.com/docs/warehouses/postgresql. Amounts are in major units.
--
-- {recurly}        the schema the tables stand in
-- {phone_prefix}   put before numbers in national format, e.g. +44; '' leaves those out: nobody is found by them
--
-- Deleted: an account with `deleted_at` is one that was closed. It stays: who has left is what is learned from. A
-- customer has one currency, that of their newest subscription; what is billed in another stands in recurly_left_out.

-- needs account_history: id text, code text, company text, first_name text
-- needs account_history: last_name text, email text, account_country text
-- needs account_history: created_at timestamptz, updated_at timestamptz
-- needs billing_info_history: id text, account_id text, billing_phone text, updated_at timestamptz
-- needs subscription_history: id text, account_id text, plan_id text, state text, currency text, subtotal numeric
-- needs subscription_history: activated_at timestamptz, created_at timestamptz
-- needs subscription_history: updated_at timestamptz, expires_at timestamptz
-- needs subscription_history: current_term_started_at timestamptz, current_term_ends_at timestamptz
-- needs subscription_history: expiration_reason text
-- needs plan_history: id text, code text, name text
-- needs plan_history: interval_unit text, interval_length integer, updated_at timestamptz
-- needs invoice_history: id text, account_id text, type text, state text
-- needs invoice_history: currency text, total numeric, created_at timestamptz
-- needs invoice_history: due_at timestamptz, closed_at timestamptz, updated_at timestamptz
-- needs line_item_history: id text, account_id text, type text, origin text
-- needs line_item_history: state text, currency text, amount numeric
-- needs line_item_history: created_at timestamptz, updated_at timestamptz

-- index account_history (id)
-- index billing_info_history (account_id)
-- index subscription_history (id)
-- index subscription_history (account_id)
-- index plan_history (id)
-- index invoice_history (id)
-- index invoice_history (account_id)
-- index line_item_history (id)
-- index line_item_history (account_id)

-- recurly_accounts by code --
-- Which customer a Recurly account is: its code, the key your own systems gave it. One row per account, the newest.
CREATE OR REPLACE VIEW recurly_accounts AS
SELECT a.id::text AS account_id, a.code::text AS customer_id
FROM {recurly}.account_history AS a
WHERE NOT EXISTS (SELECT FROM {recurly}.account_history AS n WHERE n.id = a.id AND n.updated_at > a.updated_at);

-- recurly_accounts by email --
-- Which customer a Recurly account is: the only one with the same e-mail address. An address of two is nobody's.
CREATE OR REPLACE VIEW recurly_accounts AS
SELECT a.id::text AS account_id, k.customer_id
FROM {recurly}.account_history AS a
LEFT JOIN (
    SELECT lower(c.email) AS email, min(c.customer_id)::text AS customer_id
    FROM customers AS c WHERE c.email <> '' GROUP BY lower(c.email) HAVING count(*) = 1
) AS k ON k.email = lower(btrim(a.email))
WHERE NOT EXISTS (SELECT FROM {recurly}.account_history AS n WHERE n.id = a.id AND n.updated_at > a.updated_at);

-- known_customers --
-- Which customers there are, and their currency: that of their newest subscription. All other views are joined to it.
CREATE OR REPLACE VIEW known_customers AS
SELECT k.customer_id::text                                                 AS customer_id,
       coalesce((SELECT upper(h.currency) FROM {recurly}.subscription_history AS h
                 WHERE h.account_id = k.account_id ORDER BY h.created_at DESC, h.updated_at DESC, h.id LIMIT 1),
                (SELECT currency FROM desk.company))::char(3)              AS currency
FROM recurly_accounts AS k
WHERE k.customer_id IS NOT NULL;

-- customers --
-- One row per account.
CREATE OR REPLACE VIEW customers AS
SELECT k.customer_id::text                                                 AS customer_id,
       coalesce(nullif(btrim(concat_ws(' ', a.first_name, a.last_name)), ''), nullif(btrim(a.company), ''),
                a.email, a.code)::text                                     AS name,
       desk.e164(b.billing_phone, {phone_prefix})                          AS phone,
       nullif(btrim(a.email), '')::text                                    AS email,
       (a.created_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date                       AS joined_on,
       NULL::text                                                          AS segment,
       a.account_country::text                                             AS region,
       NULL::text                                                          AS language,
       n.currency,
       false                                                               AS is_vulnerable,
       false                                                               AS is_do_not_offer,
       jsonb_build_object('is_company', coalesce(btrim(a.company), '') <> '') AS attributes
FROM {recurly}.account_history AS a
JOIN recurly_accounts AS k ON k.account_id = a.id
JOIN known_customers AS n ON n.customer_id = k.customer_id
LEFT JOIN LATERAL (
    SELECT h.billing_phone FROM {recurly}.billing_info_history AS h
    WHERE h.account_id = a.id AND h.billing_phone <> '' ORDER BY h.updated_at DESC, h.id LIMIT 1
) AS b ON true
WHERE NOT EXISTS (SELECT FROM {recurly}.account_history AS h WHERE h.id = a.id AND h.updated_at > a.updated_at);

-- subscriptions --
-- One row per subscription that ever began. `canceled` still runs to the end of what is paid; `expired` is over.
CREATE OR REPLACE VIEW subscriptions AS
SELECT s.id::text                                                          AS subscription_id,
       c.customer_id::text                                                 AS customer_id,
       'subscription'::text                                                AS product,
       coalesce(nullif(p.name, ''), p.code, 'standard')::text              AS plan,
       (b.began_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date       AS started_on,
       -- A month is no term: only who is bound for longer has one that ends.
       CASE WHEN s.state <> 'expired' AND s.current_term_ends_at > s.current_term_started_at + interval '45 days'
            THEN (greatest(s.current_term_ends_at, b.began_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS term_ends_on,
       CASE WHEN s.state = 'expired'
            THEN (greatest(s.expires_at, b.began_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS ended_on,
       CASE WHEN s.state <> 'expired' THEN NULL
            WHEN s.expiration_reason LIKE 'nonpayment%' OR s.expiration_reason = 'tax_location_invalid'
            THEN 'involuntary'
            ELSE 'voluntary' END::text                                     AS end_reason,
       (coalesce(s.subtotal::numeric, 0)
        / CASE WHEN p.interval_unit = 'days' THEN greatest(p.interval_length, 1) * 12 / 365.2425
               ELSE greatest(coalesce(p.interval_length, 1), 1) END)::numeric(14, 2) AS monthly_price,
       NULL::numeric(14, 2)                                                AS monthly_margin
FROM {recurly}.subscription_history AS s
JOIN recurly_accounts AS k ON k.account_id = s.account_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency = upper(s.currency)
CROSS JOIN LATERAL (SELECT coalesce(s.activated_at, s.created_at) AS began_at) AS b
LEFT JOIN LATERAL (
    SELECT h.name, h.code, h.interval_unit, h.interval_length FROM {recurly}.plan_history AS h
    WHERE h.id = s.plan_id ORDER BY h.updated_at DESC LIMIT 1
) AS p ON true
WHERE s.state NOT IN ('future', 'failed') AND (s.state <> 'expired' OR s.expires_at IS NOT NULL)
  AND b.began_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM {recurly}.subscription_history AS n WHERE n.id = s.id AND n.updated_at > s.updated_at);

-- invoices --
-- One row per invoice that asks for money; credits are below.
CREATE OR REPLACE VIEW invoices AS
SELECT i.id::text                                                          AS invoice_id,
       c.customer_id::text                                                 AS customer_id,
       (i.created_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date     AS issued_on,
       (greatest(i.due_at, i.created_at) AT TIME ZONE (SELECT time_zone FROM desk.company))::date AS due_on,
       CASE WHEN i.state IN ('paid', 'closed')
            THEN (coalesce(i.closed_at, i.created_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS paid_on,
       i.total::numeric(14, 2)                                             AS amount
FROM {recurly}.invoice_history AS i
JOIN recurly_accounts AS k ON k.account_id = i.account_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency = upper(i.currency)
WHERE i.type IN ('charge', 'legacy') AND i.state <> 'voided' AND i.total IS NOT NULL AND i.created_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM {recurly}.invoice_history AS n WHERE n.id = i.id AND n.updated_at > i.updated_at);

-- concessions --
-- One row per credit given by hand: not one that carries an old credit forward or gives back a charge.
CREATE OR REPLACE VIEW concessions AS
SELECT l.id::text                                                          AS concession_id,
       c.customer_id::text                                                 AS customer_id,
       NULL::text                                                          AS contact_id,
       NULL::text                                                          AS agent_id,
       l.created_at                                                        AS given_at,
       'credit'::text                                                      AS instrument,
       abs(l.amount::numeric)::numeric(14, 2)                              AS amount,
       NULL::smallint                                                      AS months,
       NULL::numeric(14, 2)                                                AS intended_amount,
       NULL::double precision                                              AS propensity
FROM {recurly}.line_item_history AS l
JOIN recurly_accounts AS k ON k.account_id = l.account_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency = upper(l.currency)
WHERE l.type = 'credit' AND l.origin = 'credit' AND l.state = 'invoiced' AND l.amount IS NOT NULL
  AND l.created_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM {recurly}.line_item_history AS n WHERE n.id = l.id AND n.updated_at > l.updated_at);

-- recurly_left_out --
-- What is billed to a known customer and not read, and why: kept apart, never added up.
CREATE OR REPLACE VIEW recurly_left_out AS
SELECT i.id::text AS id, 'invoice'::text AS what, c.customer_id::text AS customer_id,
       format('is in %s, the customer in %s', upper(i.currency), c.currency)::text AS why
FROM {recurly}.invoice_history AS i
JOIN recurly_accounts AS k ON k.account_id = i.account_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency <> upper(i.currency)
WHERE i.type IN ('charge', 'legacy') AND i.state <> 'voided'
  AND NOT EXISTS (SELECT FROM {recurly}.invoice_history AS n WHERE n.id = i.id AND n.updated_at > i.updated_at)
UNION ALL
SELECT s.id, 'subscription', c.customer_id, format('is in %s, the customer in %s', upper(s.currency), c.currency)
FROM {recurly}.subscription_history AS s
JOIN recurly_accounts AS k ON k.account_id = s.account_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency <> upper(s.currency)
WHERE s.state NOT IN ('future', 'failed')
  AND NOT EXISTS (SELECT FROM {recurly}.subscription_history AS n WHERE n.id = s.id AND n.updated_at > s.updated_at);
