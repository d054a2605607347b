-- Stripe as Fivetran writes it to Postgres: columns of dbt_stripe_source's macros, subscriptions in history mode as in
-- dbt_stripe's seeds. Rows made up: pounds, yen and Kuwaiti dinars; a bill in dollars for somebody who pays in pounds.
CREATE SCHEMA stripe;
CREATE TABLE stripe.customer (
    id text PRIMARY KEY, _fivetran_synced timestamptz, account_balance bigint, address_city text, address_country text,
    address_line_1 text, address_line_2 text, address_postal_code text, address_state text, balance bigint,
    bank_account_id text, created timestamptz, currency text, default_card_id text, delinquent boolean, description text,
    email text, invoice_prefix text, is_deleted boolean, livemode boolean, metadata text, name text, phone text,
    shipping_address_city text, shipping_address_country text, shipping_name text, shipping_phone text, source_id text,
    tax_exempt text);
INSERT INTO stripe.customer (id, name, description, email, phone, currency, created, address_state, address_country,
                             metadata, is_deleted, livemode) VALUES
    ('cus_1', 'Ada Marsh', NULL, 'Ada@Example.com', '+44 20 7946 0018', 'gbp', '2022-06-30 23:30:00+00', NULL, 'GB',
     '{"account_id": "001A"}', false, true),
    ('cus_2', NULL, 'Ben Kato', 'ben@example.com', '03-1234-5678', 'jpy', '2023-01-15 10:00:00+00', NULL, 'JP',
     '{"account_id": "001B"}', false, true),
    ('cus_3', 'Deleted', NULL, NULL, NULL, 'gbp', '2023-01-15 10:00:00+00', NULL, NULL, '{}', true, true),
    ('cus_4', 'Test mode', NULL, NULL, NULL, 'gbp', '2023-01-15 10:00:00+00', NULL, NULL, '', false, false),
    ('cus_5', 'Cem Aziz', NULL, NULL, NULL, 'kwd', '2024-01-15 10:00:00+00', 'Hawalli', 'KW', NULL, false, true);
CREATE TABLE stripe.subscription_history (
    id text, _fivetran_start timestamptz, _fivetran_end timestamptz, _fivetran_active boolean, _fivetran_synced timestamptz,
    application_fee_percent double precision, billing text, billing_cycle_anchor timestamptz, cancel_at timestamptz,
    cancel_at_period_end boolean, canceled_at timestamptz, cancellation_details_reason text, created timestamptz,
    current_period_end timestamptz, current_period_start timestamptz, customer_id text, days_until_due integer,
    default_source_id text, ended_at timestamptz, livemode boolean, metadata text, quantity integer, start_date timestamptz,
    status text, tax_percent double precision, trial_end timestamptz, trial_start timestamptz,
    PRIMARY KEY (id, _fivetran_start));
INSERT INTO stripe.subscription_history (id, _fivetran_start, _fivetran_active, customer_id, status, start_date, created,
                                         ended_at, canceled_at, cancellation_details_reason, livemode) VALUES
    ('sub_1', '2022-07-01', false, 'cus_1', 'trialing', '2022-06-30 23:30:00+00', '2022-06-30 23:30:00+00', NULL, NULL, NULL, true),
    ('sub_1', '2022-08-01', true, 'cus_1', 'active', '2022-06-30 23:30:00+00', '2022-06-30 23:30:00+00', NULL, NULL, NULL, true),
    ('sub_2', '2023-02-01', true, 'cus_2', 'canceled', '2023-01-15 10:00:00+00', '2023-01-15 10:00:00+00',
     '2024-03-31 15:30:00+00', '2024-03-01 00:00:00+00', 'payment_failed', true),
    ('sub_3', '2023-02-01', true, 'cus_1', 'incomplete_expired', '2023-01-15 10:00:00+00', '2023-01-15 10:00:00+00', NULL, NULL, NULL, true),
    ('sub_4', '2023-02-01', true, 'cus_4', 'active', '2023-01-15 10:00:00+00', '2023-01-15 10:00:00+00', NULL, NULL, NULL, false),
    ('sub_5', '2024-02-01', true, 'cus_5', 'active', '2024-01-15 10:00:00+00', '2024-01-15 10:00:00+00', NULL, NULL, NULL, true),
    ('sub_6', '2024-02-01', true, 'cus_1', 'active', '2024-01-15 10:00:00+00', '2024-01-15 10:00:00+00', NULL, NULL, NULL, true);
CREATE TABLE stripe.subscription_item (
    id text PRIMARY KEY, _fivetran_synced timestamptz, created timestamptz, current_period_end timestamptz,
    current_period_start timestamptz, metadata text, plan_id text, quantity integer, subscription_id text);
INSERT INTO stripe.subscription_item (id, subscription_id, plan_id, quantity, current_period_end) VALUES
    ('si_1', 'sub_1', 'price_fibre', 1, '2024-08-01 00:00:00+00'), ('si_2', 'sub_1', 'price_box', 2, '2024-08-01 00:00:00+00'),
    ('si_3', 'sub_2', 'price_yen', 1, '2024-03-31 15:30:00+00'), ('si_5', 'sub_5', 'price_dinar', 1, '2024-08-15 00:00:00+00'),
    ('si_6', 'sub_6', 'price_dollar', 1, '2024-08-15 00:00:00+00');
CREATE TABLE stripe.price (
    id text PRIMARY KEY, _fivetran_synced timestamptz, active boolean, billing_scheme text, created timestamptz,
    currency text, invoice_item_id text, is_deleted boolean, livemode boolean, lookup_key text, metadata text, nickname text,
    product_id text, recurring_aggregate_usage text, recurring_interval text, recurring_interval_count integer,
    recurring_usage_type text, tiers_mode text, type text, unit_amount bigint, unit_amount_decimal text);
INSERT INTO stripe.price (id, product_id, nickname, currency, unit_amount, recurring_interval, recurring_interval_count) VALUES
    ('price_fibre', 'prod_1', 'Fibre 500', 'gbp', 36000, 'year', 1), ('price_box', 'prod_2', NULL, 'gbp', 550, 'month', 1),
    ('price_yen', 'prod_1', 'Fibre 500', 'jpy', 4200, 'month', 1), ('price_dinar', 'prod_1', 'Fibre 500', 'kwd', 15360, 'month', 3),
    ('price_dollar', 'prod_1', 'Fibre 500', 'usd', 4000, 'month', 1);
CREATE TABLE stripe.product (
    id text PRIMARY KEY, _fivetran_synced timestamptz, active boolean, created timestamptz, description text,
    is_deleted boolean, livemode boolean, metadata text, name text, type text, unit_label text, updated timestamptz, url text);
INSERT INTO stripe.product (id, name) VALUES ('prod_1', 'Broadband'), ('prod_2', 'Box');
CREATE TABLE stripe.invoice (
    id text PRIMARY KEY, _fivetran_synced timestamptz, amount_due bigint, amount_paid bigint, amount_remaining bigint,
    attempt_count integer, attempted boolean, auto_advance boolean, billing_reason text, charge_id text, created timestamptz,
    currency text, customer_id text, description text, due_date timestamptz, ending_balance bigint, finalized_at timestamptz,
    is_deleted boolean, livemode boolean, next_payment_attempt timestamptz, number text, paid boolean,
    period_end timestamptz, period_start timestamptz, receipt_number text, starting_balance bigint, status text,
    status_transitions_finalized_at timestamptz, status_transitions_marked_uncollectible_at timestamptz,
    status_transitions_paid_at timestamptz, status_transitions_voided_at timestamptz, subtotal bigint, tax bigint,
    total bigint);
INSERT INTO stripe.invoice (id, customer_id, currency, status, total, created, due_date, status_transitions_finalized_at,
                            status_transitions_paid_at, is_deleted, livemode) VALUES
    ('in_1', 'cus_1', 'gbp', 'paid', 4100, '2024-05-31 22:00:00+00', '2024-06-14 22:00:00+00', '2024-05-31 23:30:00+00',
     '2024-06-20 12:00:00+00', false, true),
    ('in_2', 'cus_2', 'jpy', 'paid', 4200, '2024-02-01 00:00:00+00', NULL, '2024-02-01 00:00:00+00', '2024-02-01 01:00:00+00', false, true),
    ('in_3', 'cus_1', 'usd', 'open', 9900, '2024-06-01 00:00:00+00', NULL, '2024-06-01 00:00:00+00', NULL, false, true),
    ('in_4', 'cus_1', 'gbp', 'draft', 4100, '2024-06-01 00:00:00+00', NULL, NULL, NULL, false, true),
    ('in_5', 'cus_5', 'kwd', 'open', 5120, '2024-06-01 00:00:00+00', '2024-06-15 00:00:00+00', '2024-06-01 00:00:00+00', NULL, false, true),
    ('in_6', 'cus_1', 'gbp', 'void', 4100, '2024-06-01 00:00:00+00', NULL, '2024-06-01 00:00:00+00', NULL, false, true),
    ('in_7', 'cus_1', 'gbp', 'open', 5300, '2024-06-30 22:00:00+00', '2024-07-10 22:00:00+00', '2024-06-30 23:30:00+00', NULL, false, true),
    ('in_8', 'cus_1', 'gbp', 'paid', 100, '2024-06-01 00:00:00+00', NULL, '2024-06-01 00:00:00+00', NULL, true, true);
CREATE TABLE stripe.credit_note (
    id text PRIMARY KEY, _fivetran_synced timestamptz, amount bigint, created timestamptz, currency text,
    customer_balance_transaction text, discount_amount bigint, invoice_id text, livemode boolean, memo text, metadata text,
    number text, pdf text, reason text, refund_id text, status text, subtotal bigint, total bigint, type text,
    voided_at timestamptz);
INSERT INTO stripe.credit_note (id, invoice_id, currency, amount, reason, status, created) VALUES
    ('cn_1', 'in_1', 'gbp', 1250, 'product_unsatisfactory', 'issued', '2024-06-21 10:00:00+00'),
    ('cn_2', 'in_1', 'gbp', 4100, 'duplicate', 'issued', '2024-06-21 10:00:00+00'),
    ('cn_3', 'in_1', 'gbp', 700, NULL, 'void', '2024-06-21 10:00:00+00');
CREATE TABLE stripe.charge (
    id text PRIMARY KEY, _fivetran_synced timestamptz, amount bigint, amount_refunded bigint, created timestamptz,
    currency text, customer_id text, invoice_id text, livemode boolean, paid boolean, refunded boolean, status text);
