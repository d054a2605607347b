-- Your own tables, here or in another database
-- The generic mapping: plain tables of the nouns themselves, in this database or brought here by postgres_fdw.
--
-- Layout: ours, as simple as can be; docs/connecting.md shows the foreign server and IMPORT FOREIGN SCHEMA. Copy this
-- file under another name, put your own names of tables and columns on the left of each AS, change the lines `needs`,
-- and it is a mapping of its own. Days are days and instants have a time zone: what is neither is cast here, by name
-- of the zone.
--
-- {own}            the schema the tables, or the foreign tables, stand in
-- {phone_prefix}   put before numbers in national format, e.g. +44; '' leaves those out: nobody is found by them
--
-- Deleted: rows with `deleted_at` are not read, of any table.

-- needs customer: id text, name text, phone text, email text, created_at timestamptz, segment text, region text
-- needs customer: language text, currency text, is_vulnerable boolean, do_not_offer boolean, deleted_at timestamptz
-- needs subscription: id text, customer_id text, product text
-- needs subscription: plan text, started_at timestamptz, term_ends_at timestamptz
-- needs subscription: ended_at timestamptz, end_reason text, monthly_price numeric, deleted_at timestamptz
-- needs contact: id text, customer_id text, started_at timestamptz
-- needs contact: ended_at timestamptz, channel text, direction text
-- needs contact: queue text, reason text, agent_id text, is_resolved boolean
-- needs contact: is_escalated boolean, csat integer, notes text
-- needs contact: deleted_at timestamptz
-- needs invoice: id text, customer_id text, currency text, amount numeric, issued_at timestamptz, due_at timestamptz
-- needs invoice: paid_at timestamptz, deleted_at timestamptz

-- index subscription (customer_id)
-- index contact (customer_id)
-- index invoice (customer_id)

-- known_customers --
-- Which customers there are, and their currency: what all other views are joined to, for it reads one table only.
CREATE OR REPLACE VIEW known_customers AS
SELECT c.id::text                                                          AS customer_id,
       coalesce(upper(nullif(btrim(c.currency), '')), (SELECT currency FROM desk.company))::char(3) AS currency
FROM {own}.customer AS c
WHERE c.deleted_at IS NULL;

-- customers --
-- One row per customer.
CREATE OR REPLACE VIEW customers AS
SELECT c.id::text                                                          AS customer_id,
       coalesce(nullif(btrim(c.name), ''), c.id::text)::text               AS name,
       desk.e164(c.phone, {phone_prefix})                                  AS phone,
       nullif(btrim(c.email), '')::text                                    AS email,
       (c.created_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date                       AS joined_on,
       c.segment::text                                                     AS segment,
       c.region::text                                                      AS region,
       c.language::text                                                    AS language,
       coalesce(upper(nullif(btrim(c.currency), '')), (SELECT currency FROM desk.company))::char(3) AS currency,
       coalesce(c.is_vulnerable, false)                                    AS is_vulnerable,
       coalesce(c.do_not_offer, false)                                     AS is_do_not_offer,
       jsonb_build_object()                                                AS attributes
FROM {own}.customer AS c
WHERE c.deleted_at IS NULL;

-- subscriptions --
-- One row per subscription.
CREATE OR REPLACE VIEW subscriptions AS
SELECT s.id::text                                                          AS subscription_id,
       s.customer_id::text                                                 AS customer_id,
       coalesce(s.product, 'subscription')::text                           AS product,
       coalesce(s.plan, 'standard')::text                                  AS plan,
       (s.started_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date                       AS started_on,
       CASE WHEN s.term_ends_at >= s.started_at
            THEN (s.term_ends_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date END       AS term_ends_on,
       CASE WHEN s.ended_at IS NOT NULL
            THEN (greatest(s.ended_at, s.started_at)
                  AT TIME ZONE (SELECT time_zone FROM desk.company))::date END AS ended_on,
       CASE WHEN s.ended_at IS NULL THEN NULL
            WHEN s.end_reason IN ('involuntary', 'move') THEN s.end_reason ELSE 'voluntary' END::text AS end_reason,
       s.monthly_price::numeric(14, 2)                                     AS monthly_price,
       NULL::numeric(14, 2)                                                AS monthly_margin
FROM {own}.subscription AS s
JOIN known_customers AS c ON c.customer_id = s.customer_id::text
WHERE s.deleted_at IS NULL AND s.started_at IS NOT NULL AND s.monthly_price IS NOT NULL;

-- contacts --
-- One row per contact.
CREATE OR REPLACE VIEW contacts AS
SELECT t.id::text                                                          AS contact_id,
       c.customer_id::text                                                 AS customer_id,
       t.started_at,
       CASE WHEN t.ended_at >= t.started_at THEN t.ended_at END            AS ended_at,
       coalesce(t.channel, 'phone')::text                                  AS channel,
       CASE WHEN lower(t.direction) LIKE 'out%' THEN 'out' ELSE 'in' END::text AS direction,
       t.queue::text                                                       AS queue,
       t.reason::text                                                      AS reason,
       t.agent_id::text                                                    AS agent_id,
       t.is_resolved                                                       AS is_resolved,
       coalesce(t.is_escalated, false)                                     AS is_escalated,
       CASE WHEN t.csat BETWEEN 1 AND 5 THEN t.csat END::smallint          AS csat,
       t.notes::text                                                       AS notes
FROM {own}.contact AS t
LEFT JOIN known_customers AS c ON c.customer_id = t.customer_id::text
WHERE t.deleted_at IS NULL AND t.started_at IS NOT NULL;

-- invoices --
-- One row per invoice in the customer's currency.
CREATE OR REPLACE VIEW invoices AS
SELECT i.id::text                                                          AS invoice_id,
       c.customer_id::text                                                 AS customer_id,
       (i.issued_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date                        AS issued_on,
       (greatest(i.due_at, i.issued_at) AT TIME ZONE (SELECT time_zone FROM desk.company))::date AS due_on,
       (i.paid_at AT TIME ZONE (SELECT time_zone FROM desk.company))::date                          AS paid_on,
       i.amount::numeric(14, 2)                                            AS amount
FROM {own}.invoice AS i
JOIN known_customers AS c ON c.customer_id = i.customer_id::text
    AND c.currency = coalesce(upper(nullif(btrim(i.currency), '')), c.currency)
WHERE i.deleted_at IS NULL AND i.issued_at IS NOT NULL AND i.amount IS NOT NULL;

-- own_left_out --
-- What is billed to a known customer and not read, and why: kept apart, never added up.
CREATE OR REPLACE VIEW own_left_out AS
SELECT i.id::text AS id, 'invoice'::text AS what, c.customer_id::text AS customer_id,
       format('is in %s, the customer in %s', upper(i.currency), c.currency)::text AS why
FROM {own}.invoice AS i
JOIN known_customers AS c ON c.customer_id = i.customer_id::text AND c.currency <> upper(nullif(btrim(i.currency), ''))
WHERE i.deleted_at IS NULL;
