-- Recurly as Fivetran writes it to Postgres: every table a history, columns of dbt_recurly_source's macros. Rows made up.
CREATE SCHEMA recurly;
CREATE TABLE recurly.account_history (
    id text, updated_at timestamptz, _fivetran_synced timestamptz, created_at timestamptz, deleted_at timestamptz, code text,
    bill_to text, state text, username text, first_name text, last_name text, email text, cc_emails text, company text,
    vat_number text, tax_exempt boolean, account_country text, PRIMARY KEY (id, updated_at));
INSERT INTO recurly.account_history (id, updated_at, created_at, deleted_at, code, state, first_name, last_name, email, company,
                                     account_country) VALUES
    ('ra1', '2023-01-01', '2022-06-30 23:30:00+00', NULL, '001A', 'active', 'Ada', 'Byron', 'ada@example.com', '', 'GB'),
    ('ra1', '2024-01-01', '2022-06-30 23:30:00+00', NULL, '001A', 'active', 'Ada', 'Marsh', 'ada@example.com', '', 'GB'),
    ('ra2', '2024-04-01', '2023-01-15 10:00:00+00', '2024-04-01', '001B', 'inactive', NULL, NULL, 'ben@example.com', 'Kato KK', 'JP');
CREATE TABLE recurly.billing_info_history (
    id text, updated_at timestamptz, _fivetran_synced timestamptz, account_id text, billing_city text, billing_country text,
    billing_phone text, billing_postal_code text, billing_region text, billing_street_1 text, company text,
    created_at timestamptz, first_name text, last_name text, valid boolean, PRIMARY KEY (id, updated_at));
INSERT INTO recurly.billing_info_history (id, updated_at, account_id, billing_phone) VALUES
    ('rb1', '2023-01-01', 'ra1', '020 7946 0000'), ('rb1', '2024-01-01', 'ra1', '020 7946 0018');
CREATE TABLE recurly.subscription_history (
    id text, updated_at timestamptz, _fivetran_synced timestamptz, created_at timestamptz, activated_at timestamptz,
    canceled_at timestamptz, converted_at timestamptz, expires_at timestamptz, account_id text, plan_id text, object text,
    uuid text, state text, current_period_started_at timestamptz, current_period_ends_at timestamptz,
    current_term_started_at timestamptz, current_term_ends_at timestamptz, trial_started_at timestamptz,
    trial_ends_at timestamptz, remaining_billing_cycles integer, total_billing_cycles integer,
    renewal_billing_cycles integer, auto_renew boolean, paused_at timestamptz, remaining_pause_cycles integer,
    currency text, unit_amount double precision, quantity integer, add_ons_total double precision,
    subtotal double precision, collection_method text, expiration_reason text, started_with_gift boolean,
    PRIMARY KEY (id, updated_at));
INSERT INTO recurly.subscription_history (id, updated_at, account_id, plan_id, state, currency, subtotal, activated_at, created_at,
                                          expires_at, current_term_started_at, current_term_ends_at, expiration_reason) VALUES
    ('rs1', '2023-01-01', 'ra1', 'rp1', 'active', 'GBP', 38.00, '2022-06-30 23:30:00+00', '2022-06-30 23:30:00+00', NULL, '2022-07-01', '2022-08-01', NULL),
    ('rs1', '2024-01-01', 'ra1', 'rp2', 'active', 'GBP', 492.00, '2022-06-30 23:30:00+00', '2022-06-30 23:30:00+00', NULL, '2023-07-31 23:30:00+00', '2024-07-31 23:30:00+00', NULL),
    ('rs2', '2024-03-31', 'ra2', 'rp1', 'expired', 'JPY', 4200, '2023-01-15 10:00:00+00', '2023-01-15 10:00:00+00', '2024-03-31 15:30:00+00', '2024-03-01', '2024-04-01', 'nonpayment'),
    ('rs3', '2024-03-31', 'ra1', 'rp1', 'future', 'GBP', 10, NULL, '2024-03-31', NULL, NULL, NULL, NULL);
CREATE TABLE recurly.plan_history (
    id text, updated_at timestamptz, _fivetran_synced timestamptz, created_at timestamptz, deleted_at timestamptz, code text,
    state text, name text, description text, interval_unit text, interval_length integer, trial_unit text,
    trial_length integer, total_billing_cycles integer, auto_renew boolean, tax_code text, tax_exempt boolean,
    PRIMARY KEY (id, updated_at));
INSERT INTO recurly.plan_history (id, updated_at, code, name, interval_unit, interval_length) VALUES
    ('rp1', '2022-01-01', 'fibre', 'Fibre', 'months', 1), ('rp2', '2022-01-01', 'fibre-year', 'Old name', 'months', 12),
    ('rp2', '2023-01-01', 'fibre-year', 'Fibre, a year', 'months', 12);
CREATE TABLE recurly.invoice_history (
    id text, updated_at timestamptz, _fivetran_synced timestamptz, created_at timestamptz, due_at timestamptz,
    closed_at timestamptz, account_id text, previous_invoice_id text, type text, origin text, state text, number text,
    collection_method text, po_number text, net_terms text, currency text, balance double precision, paid double precision,
    total double precision, subtotal double precision, refundable_amount double precision, discount double precision,
    tax double precision, tax_type text, tax_region text, tax_rate double precision, PRIMARY KEY (id, updated_at));
INSERT INTO recurly.invoice_history (id, updated_at, account_id, type, state, currency, total, created_at, due_at, closed_at) VALUES
    ('ri1', '2024-05-31', 'ra1', 'charge', 'pending', 'GBP', 41.10, '2024-05-31 23:30:00+00', '2024-06-14 23:30:00+00', NULL),
    ('ri1', '2024-06-20', 'ra1', 'charge', 'paid', 'GBP', 41.10, '2024-05-31 23:30:00+00', '2024-06-14 23:30:00+00', '2024-06-20 12:00:00+00'),
    ('ri2', '2024-06-01', 'ra1', 'charge', 'voided', 'GBP', 41.10, '2024-06-01', '2024-06-15', NULL),
    ('ri3', '2024-06-01', 'ra1', 'charge', 'pending', 'USD', 50, '2024-06-01', '2024-06-15', NULL),
    ('ri4', '2024-06-01', 'ra1', 'credit', 'closed', 'GBP', -5, '2024-06-01', '2024-06-01', '2024-06-01'),
    ('ri5', '2024-02-01', 'ra2', 'charge', 'paid', 'JPY', 4200, '2024-02-01', '2024-02-01', '2024-02-01');
CREATE TABLE recurly.line_item_history (
    id text, updated_at timestamptz, _fivetran_synced timestamptz, created_at timestamptz, account_id text, plan_id text,
    add_on_id text, invoice_id text, previous_line_item_id text, original_line_item_invoice_id text, subscription_id text,
    uuid text, type text, state text, plan_code text, add_on_code text, invoice_number text, origin text, product_code text,
    currency text, amount double precision, description text, quantity integer, unit_amount double precision,
    subtotal double precision, discount double precision, tax double precision, taxable boolean, tax_exempt boolean,
    tax_code text, tax_type text, tax_region text, tax_rate double precision, proration_rate double precision,
    refund boolean, refunded_quantity integer, credit_applied double precision, start_date timestamptz,
    end_date timestamptz, PRIMARY KEY (id, updated_at));
INSERT INTO recurly.line_item_history (id, updated_at, account_id, type, origin, state, currency, amount, created_at) VALUES
    ('rl1', '2024-06-01', 'ra1', 'credit', 'credit', 'invoiced', 'GBP', -5, '2024-06-01 10:00:00+00'),
    ('rl2', '2024-06-01', 'ra1', 'credit', 'carryforward', 'invoiced', 'GBP', -7, '2024-06-01 10:00:00+00'),
    ('rl3', '2024-06-01', 'ra1', 'charge', 'plan', 'invoiced', 'GBP', 41.10, '2024-06-01 10:00:00+00');
