-- Salesforce
-- Customers are accounts, contacts are cases, subscriptions are contracts with what was won for them.
--
-- Layout: objects as Fivetran's Salesforce connector writes them to Postgres, one table an object, names in snake
-- case, custom fields under their own name with `_c` at the end (other tools: `__c`; both are read). Columns and types
-- of account, contact and opportunity: github.com/fivetran/dbt_salesforce_source, macros/get_*_columns.sql and
-- integration_tests/seeds. Case and Contract: Salesforce's own Object Reference, in the same writing. Types in
-- Postgres: fivetran.com/docs/warehouses/ postgresql (an instant is `timestamp with time zone`).
--
-- {salesforce}     the schema the tables stand in
-- {phone_prefix}   put before numbers in national format, e.g. +44; '' leaves those out: nobody is found by them
--
-- Deleted: `is_deleted` is the recycle bin, `_fivetran_deleted` a row that is gone from Salesforce. Neither is read.

-- needs account: id text, name text, phone text, type text
-- needs account: billing_state text, billing_country text, currency_iso_code text
-- needs account: created_date timestamptz, is_deleted boolean, _fivetran_deleted boolean
-- needs contact: id text, account_id text, email text, phone text, mobile_phone text, created_date timestamptz
-- needs contact: is_deleted boolean, _fivetran_deleted boolean
-- needs case: id text, account_id text, created_date timestamptz
-- needs case: closed_date timestamptz, is_closed boolean, is_escalated boolean
-- needs case: origin text, reason text, type text, subject text, description text, owner_id text
-- needs case: is_deleted boolean, _fivetran_deleted boolean
-- needs contract: id text, account_id text, start_date date, end_date date, contract_term integer, status text
-- needs contract: is_deleted boolean, _fivetran_deleted boolean
-- needs opportunity: account_id text, contract_id text, amount numeric, is_won boolean, type text
-- needs opportunity: is_deleted boolean, _fivetran_deleted boolean

-- index contact (account_id)
-- index case (account_id)
-- index contract (account_id)
-- index opportunity (contract_id)

-- known_customers --
-- Which customers there are, and their currency: what all other views are joined to, for it reads one table only.
CREATE OR REPLACE VIEW known_customers AS
SELECT a.id::text                                                          AS customer_id,
       coalesce(upper(nullif(btrim(a.currency_iso_code), '')), (SELECT currency FROM desk.company))::char(3) AS currency
FROM {salesforce}.account AS a
WHERE a.is_deleted IS NOT TRUE AND a._fivetran_deleted IS NOT TRUE;

-- customers --
-- One row per account. The key all other sources are joined by is the account's id.
CREATE OR REPLACE VIEW customers AS
SELECT a.id::text                                                          AS customer_id,
       coalesce(nullif(btrim(a.name), ''), a.id)::text                     AS name,
       desk.e164(coalesce(a.phone, p.mobile_phone, p.phone), {phone_prefix}) AS phone,
       p.email::text                                                       AS email,
       (a.created_date AT TIME ZONE (SELECT time_zone FROM desk.company))::date                     AS joined_on,
       a.type::text                                                        AS segment,
       coalesce(nullif(a.billing_state, ''), a.billing_country)::text      AS region,
       NULL::text                                                          AS language,
       coalesce(upper(nullif(btrim(a.currency_iso_code), '')),
                (SELECT currency FROM desk.company))::char(3)              AS currency,
       -- custom fields, where there are any of that name
       coalesce((to_jsonb(a) ->> 'is_vulnerable_c')::boolean, false)       AS is_vulnerable,
       coalesce((to_jsonb(a) ->> 'do_not_offer_c')::boolean, false)        AS is_do_not_offer,
       (SELECT coalesce(jsonb_object_agg(e.key, e.value), jsonb_build_object())
        FROM jsonb_each(to_jsonb(a)) AS e
        WHERE e.key LIKE '%\_c' AND e.key NOT IN ('is_vulnerable_c', 'do_not_offer_c')
          AND jsonb_typeof(e.value) IN ('string', 'number', 'boolean'))    AS attributes
FROM {salesforce}.account AS a
-- Of an account's people the first whose number is known; a person account has one by itself.
LEFT JOIN LATERAL (
    SELECT c.email, c.phone, c.mobile_phone
    FROM {salesforce}.contact AS c
    WHERE c.account_id = a.id AND c.is_deleted IS NOT TRUE AND c._fivetran_deleted IS NOT TRUE
    ORDER BY coalesce(c.mobile_phone, c.phone) IS NULL, c.created_date, c.id
    LIMIT 1
) AS p ON true
WHERE a.is_deleted IS NOT TRUE AND a._fivetran_deleted IS NOT TRUE;

-- subscriptions --
-- One row per contract that was ever active. Salesforce knows no invoices: billing, where mapped, knows prices better.
CREATE OR REPLACE VIEW subscriptions AS
SELECT c.id::text                                                          AS subscription_id,
       c.account_id::text                                                  AS customer_id,
       coalesce(o.product, 'contract')::text                               AS product,
       coalesce(c.contract_term || ' months', 'open-ended')::text          AS plan,
       c.start_date                                                        AS started_on,
       CASE WHEN c.end_date >= c.start_date THEN c.end_date END            AS term_ends_on,
       -- A contract past its end is over; without a status of your own that is all there is to know.
       CASE WHEN c.status IN ('Expired', 'Terminated', 'Cancelled')
            THEN greatest(c.end_date, c.start_date) END                    AS ended_on,
       CASE WHEN c.status IN ('Expired', 'Terminated', 'Cancelled') AND c.end_date IS NOT NULL
            THEN 'voluntary' END::text                                     AS end_reason,
       (coalesce(o.amount, 0) / greatest(c.contract_term, 1))::numeric(14, 2) AS monthly_price,
       NULL::numeric(14, 2)                                                AS monthly_margin
FROM {salesforce}.contract AS c
LEFT JOIN LATERAL (
    SELECT sum(o.amount::numeric) AS amount, min(o.type) AS product
    FROM {salesforce}.opportunity AS o
    WHERE o.contract_id = c.id AND o.account_id = c.account_id AND o.is_won
      AND o.is_deleted IS NOT TRUE AND o._fivetran_deleted IS NOT TRUE
) AS o ON true
WHERE c.is_deleted IS NOT TRUE AND c._fivetran_deleted IS NOT TRUE
  AND c.start_date IS NOT NULL AND c.status NOT IN ('Draft', 'In Approval Process')
  AND (c.status NOT IN ('Expired', 'Terminated', 'Cancelled') OR c.end_date IS NOT NULL);

-- contacts --
-- One row per case. A case that stays open for days was not resolved when they called: its later end is not read.
CREATE OR REPLACE VIEW contacts AS
SELECT c.id::text                                                          AS contact_id,
       a.id::text                                                          AS customer_id,
       c.created_date                                                      AS started_at,
       CASE WHEN c.closed_date BETWEEN c.created_date AND c.created_date + interval '1 day'
            THEN c.closed_date END                                         AS ended_at,
       CASE lower(c.origin) WHEN 'phone' THEN 'phone' WHEN 'email' THEN 'email' WHEN 'chat' THEN 'chat'
                            WHEN 'web' THEN 'web' ELSE coalesce(lower(c.origin), 'phone') END::text AS channel,
       'in'::text                                                          AS direction,
       c.type::text                                                        AS queue,
       c.reason::text                                                      AS reason,
       c.owner_id::text                                                    AS agent_id,
       coalesce(c.is_closed AND c.closed_date <= c.created_date + interval '1 day', false) AS is_resolved,
       -- Salesforce says that, not when: a case escalated a week later counts from its first day.
       coalesce(c.is_escalated, false)                                     AS is_escalated,
       NULL::smallint                                                      AS csat,
       concat_ws(E'\n', c.subject, c.description)::text                    AS notes
FROM {salesforce}."case" AS c
LEFT JOIN {salesforce}.account AS a
    ON a.id = c.account_id AND a.is_deleted IS NOT TRUE AND a._fivetran_deleted IS NOT TRUE
WHERE c.is_deleted IS NOT TRUE AND c._fivetran_deleted IS NOT TRUE AND c.created_date IS NOT NULL;
