-- Stripe
-- Subscriptions, invoices and credit notes; customers too where no CRM says who they are.
--
-- Layout: as Fivetran's Stripe connector writes it to Postgres, subscriptions in history mode. Columns and types:
-- github.com/fivetran/dbt_stripe_source, macros/get_*_columns.sql, and fivetran/dbt_stripe, integration_tests/seeds.
-- Amounts and currencies: docs.stripe.com/currencies. Types in Postgres: fivetran.com/docs/warehouses/postgresql.
--
-- {stripe}         the schema the tables stand in
-- {phone_prefix}   put before numbers in national format, e.g. +44; '' leaves those out: nobody is found by them
--
-- Deleted: `is_deleted`; test mode (`livemode` false) is not read either. A customer has one currency: what is billed
-- in another is never added to it but stands in stripe_left_out.

-- needs customer: id text, name text, description text, email text, phone text, currency text, created timestamptz
-- needs customer: address_state text, address_country text, metadata json, is_deleted boolean, livemode boolean
-- needs subscription_history: id text, customer_id text, status text, start_date timestamptz, created timestamptz
-- needs subscription_history: ended_at timestamptz, canceled_at timestamptz
-- needs subscription_history: livemode boolean, _fivetran_active boolean
-- needs subscription_item: id text, subscription_id text, plan_id text
-- needs subscription_item: quantity integer, current_period_end timestamptz
-- needs price: id text, product_id text, nickname text, currency text, unit_amount bigint, recurring_interval text
-- needs price: recurring_interval_count integer
-- needs product: id text, name text
-- needs invoice: id text, customer_id text, currency text, status text
-- needs invoice: total bigint, created timestamptz, due_date timestamptz
-- needs invoice: status_transitions_finalized_at timestamptz, status_transitions_paid_at timestamptz
-- needs invoice: is_deleted boolean, livemode boolean
-- needs credit_note: id text, invoice_id text, currency text, amount bigint
-- needs credit_note: reason text, status text, created timestamptz

-- index subscription_history (customer_id)
-- index subscription_item (subscription_id)
-- index invoice (customer_id)
-- index credit_note (invoice_id)

-- stripe_customers by id --
-- Which customer a Stripe customer is: themselves. For a company whose customers Stripe alone knows.
CREATE OR REPLACE VIEW stripe_customers AS
SELECT c.id::text AS stripe_id, c.id::text AS customer_id
FROM {stripe}.customer AS c
WHERE c.is_deleted IS NOT TRUE AND c.livemode IS NOT FALSE;

-- stripe_customers by metadata --
-- Which customer a Stripe customer is: the CRM's key stands in their metadata, in a field whose name you say.
CREATE OR REPLACE VIEW stripe_customers AS
SELECT c.id::text AS stripe_id, nullif(c.metadata::text, '')::jsonb ->> {metadata_key} AS customer_id
FROM {stripe}.customer AS c
WHERE c.is_deleted IS NOT TRUE AND c.livemode IS NOT FALSE;

-- stripe_customers by email --
-- Which customer a Stripe customer is: the only one with the same e-mail address. An address of two is nobody's.
CREATE OR REPLACE VIEW stripe_customers AS
SELECT c.id::text AS stripe_id, k.customer_id
FROM {stripe}.customer AS c
LEFT JOIN (
    SELECT lower(o.email) AS email, min(o.customer_id)::text AS customer_id
    FROM customers AS o WHERE o.email <> '' GROUP BY lower(o.email) HAVING count(*) = 1
) AS k ON k.email = lower(btrim(c.email))
WHERE c.is_deleted IS NOT TRUE AND c.livemode IS NOT FALSE;

-- stripe_currencies --
-- What an amount is divided by: Stripe counts in the smallest unit; yen and others have none, dinars have thousandths.
-- ISK and UGX have no smaller unit either, but Stripe still writes two decimals for them.
CREATE OR REPLACE VIEW stripe_currencies AS
SELECT c.currency::text AS currency, 1::numeric AS units
FROM unnest(ARRAY['bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof',
                  'xpf']) AS c (currency)
UNION ALL
SELECT c.currency, 1000 FROM unnest(ARRAY['bhd', 'jod', 'kwd', 'omr', 'tnd']) AS c (currency);

-- known_customers --
-- Which customers there are, and their currency: what all other views are joined to, for it reads one table only.
CREATE OR REPLACE VIEW known_customers AS
SELECT c.id::text                                                          AS customer_id,
       coalesce(upper(nullif(btrim(c.currency), '')), (SELECT currency FROM desk.company))::char(3) AS currency
FROM {stripe}.customer AS c
WHERE c.is_deleted IS NOT TRUE AND c.livemode IS NOT FALSE;

-- customers --
-- One row per customer of Stripe.
CREATE OR REPLACE VIEW customers AS
SELECT k.customer_id::text                                                 AS customer_id,
       coalesce(nullif(btrim(c.name), ''), nullif(btrim(c.description), ''), c.email, c.id)::text AS name,
       desk.e164(c.phone, {phone_prefix})                                  AS phone,
       c.email::text                                                       AS email,
       (c.created AT TIME ZONE (SELECT time_zone FROM desk.company))::date                          AS joined_on,
       NULL::text                                                          AS segment,
       coalesce(nullif(c.address_state, ''), c.address_country)::text      AS region,
       NULL::text                                                          AS language,
       coalesce(upper(nullif(btrim(c.currency), '')), (SELECT currency FROM desk.company))::char(3) AS currency,
       false                                                               AS is_vulnerable,
       false                                                               AS is_do_not_offer,
       -- What is true of them now and was not always (delinquent, balance) would tell a model who has left.
       jsonb_strip_nulls(jsonb_build_object('country', c.address_country)) AS attributes
FROM {stripe}.customer AS c
JOIN stripe_customers AS k ON k.stripe_id = c.id AND k.customer_id IS NOT NULL
CROSS JOIN (SELECT time_zone, currency FROM desk.company) AS z;

-- stripe_prices --
-- One row per item of a subscription: its price for a month in major units, and what is sold.
CREATE OR REPLACE VIEW stripe_prices AS
SELECT i.id::text AS item_id, i.subscription_id::text AS subscription_id, p.currency::text AS currency,
       coalesce(d.name, 'subscription')::text AS product,
       coalesce(nullif(p.nickname, ''), d.name, p.id)::text AS plan,
       i.current_period_end, m.months,
       coalesce(i.quantity, 1) * p.unit_amount / coalesce(u.units, 100) / m.months AS monthly_price
FROM {stripe}.subscription_item AS i
JOIN {stripe}.price AS p ON p.id = i.plan_id
LEFT JOIN {stripe}.product AS d ON d.id = p.product_id
LEFT JOIN stripe_currencies AS u ON u.currency = p.currency
CROSS JOIN LATERAL (
    SELECT coalesce(nullif(p.recurring_interval_count, 0), 1)
           * CASE p.recurring_interval WHEN 'year' THEN 12 WHEN 'week' THEN 12 / 52.1775 WHEN 'day' THEN 12 / 365.2425
                                       ELSE 1 END::numeric AS months
) AS m;

-- subscriptions --
-- One row per subscription that ever began; its items added up, named for the dearest.
CREATE OR REPLACE VIEW subscriptions AS
SELECT s.id::text                                                          AS subscription_id,
       c.customer_id::text                                                 AS customer_id,
       coalesce(i.product, 'subscription')::text                           AS product,
       coalesce(i.plan, 'standard')::text                                  AS plan,
       (b.began_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date       AS started_on,
       -- A month is no term: only who is bound for longer has one that ends.
       CASE WHEN i.months > 1.5 AND b.ended_at IS NULL AND i.current_period_end IS NOT NULL
            THEN (greatest(i.current_period_end, b.began_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS term_ends_on,
       CASE WHEN b.ended_at IS NOT NULL
            THEN (greatest(b.ended_at, b.began_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS ended_on,
       CASE WHEN b.ended_at IS NULL THEN NULL
            -- The column is there where the connector brings it.
            WHEN to_jsonb(s) ->> 'cancellation_details_reason' IN ('payment_failed', 'payment_disputed')
            THEN 'involuntary'
            ELSE 'voluntary' END::text                                     AS end_reason,
       coalesce(i.monthly_price, 0)::numeric(14, 2)                        AS monthly_price,
       NULL::numeric(14, 2)                                                AS monthly_margin
FROM {stripe}.subscription_history AS s
JOIN stripe_customers AS k ON k.stripe_id = s.customer_id
JOIN known_customers AS c ON c.customer_id = k.customer_id
CROSS JOIN LATERAL (
    SELECT coalesce(s.start_date, s.created) AS began_at,
           CASE WHEN s.status = 'canceled' THEN coalesce(s.ended_at, s.canceled_at) END AS ended_at
) AS b
LEFT JOIN LATERAL (
    SELECT sum(p.monthly_price) AS monthly_price, max(p.months) AS months,
           count(*) FILTER (WHERE upper(p.currency) <> c.currency) AS others,
           max(p.current_period_end) AS current_period_end,
           (array_agg(p.product ORDER BY p.monthly_price DESC NULLS LAST, p.item_id))[1] AS product,
           (array_agg(p.plan ORDER BY p.monthly_price DESC NULLS LAST, p.item_id))[1] AS plan
    FROM stripe_prices AS p
    WHERE p.subscription_id = s.id
) AS i ON true
WHERE s._fivetran_active IS NOT FALSE AND s.livemode IS NOT FALSE
  AND s.status NOT IN ('incomplete', 'incomplete_expired')
  AND b.began_at IS NOT NULL AND coalesce(i.others, 0) = 0;

-- invoices --
-- One row per invoice that was sent: no drafts, nothing voided.
CREATE OR REPLACE VIEW invoices AS
SELECT i.id::text                                                          AS invoice_id,
       c.customer_id::text                                                 AS customer_id,
       (b.issued_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date      AS issued_on,
       (greatest(i.due_date, b.issued_at) AT TIME ZONE (SELECT time_zone FROM desk.company))::date AS due_on,
       CASE WHEN i.status = 'paid'
            THEN (coalesce(i.status_transitions_paid_at, b.issued_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS paid_on,
       (i.total / coalesce(u.units, 100))::numeric(14, 2)                  AS amount
FROM {stripe}.invoice AS i
JOIN stripe_customers AS k ON k.stripe_id = i.customer_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency = upper(i.currency)
LEFT JOIN stripe_currencies AS u ON u.currency = i.currency
CROSS JOIN LATERAL (
    SELECT coalesce(i.status_transitions_finalized_at, i.created) AS issued_at
) AS b
WHERE i.status IN ('open', 'paid', 'uncollectible') AND i.is_deleted IS NOT TRUE AND i.livemode IS NOT FALSE
  AND i.total IS NOT NULL AND b.issued_at IS NOT NULL;

-- concessions --
-- One row per credit note given for goodwill: not a duplicate, a fraud or a changed order put right.
CREATE OR REPLACE VIEW concessions AS
SELECT n.id::text                                                          AS concession_id,
       c.customer_id::text                                                 AS customer_id,
       NULL::text                                                          AS contact_id,
       NULL::text                                                          AS agent_id,
       n.created                                                           AS given_at,
       'credit'::text                                                      AS instrument,
       (n.amount / coalesce(u.units, 100))::numeric(14, 2)                 AS amount,
       NULL::smallint                                                      AS months,
       NULL::numeric(14, 2)                                                AS intended_amount,
       NULL::double precision                                              AS propensity
FROM {stripe}.credit_note AS n
JOIN {stripe}.invoice AS i ON i.id = n.invoice_id AND i.livemode IS NOT FALSE
JOIN stripe_customers AS k ON k.stripe_id = i.customer_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency = upper(n.currency)
LEFT JOIN stripe_currencies AS u ON u.currency = n.currency
WHERE n.status IS DISTINCT FROM 'void' AND n.amount >= 0 AND n.created IS NOT NULL
  AND n.reason IS DISTINCT FROM 'duplicate' AND n.reason IS DISTINCT FROM 'fraudulent'
  AND n.reason IS DISTINCT FROM 'order_change';

-- stripe_left_out --
-- What is billed to a known customer and not read, and why: kept apart, never added up.
CREATE OR REPLACE VIEW stripe_left_out AS
SELECT i.id::text AS id, 'invoice'::text AS what, c.customer_id::text AS customer_id,
       format('is in %s, the customer in %s', upper(i.currency), c.currency)::text AS why
FROM {stripe}.invoice AS i
JOIN stripe_customers AS k ON k.stripe_id = i.customer_id
JOIN known_customers AS c ON c.customer_id = k.customer_id AND c.currency <> upper(i.currency)
WHERE i.status IN ('open', 'paid', 'uncollectible') AND i.is_deleted IS NOT TRUE AND i.livemode IS NOT FALSE
UNION ALL
SELECT s.id, 'subscription', c.customer_id, format('is in %s, the customer in %s', upper(p.currency), c.currency)
FROM {stripe}.subscription_history AS s
JOIN stripe_customers AS k ON k.stripe_id = s.customer_id
JOIN known_customers AS c ON c.customer_id = k.customer_id
JOIN stripe_prices AS p ON p.subscription_id = s.id AND upper(p.currency) <> c.currency
WHERE s._fivetran_active IS NOT FALSE AND s.livemode IS NOT FALSE
  AND s.status NOT IN ('incomplete', 'incomplete_expired');
