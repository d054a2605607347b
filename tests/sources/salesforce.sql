-- Salesforce as Fivetran writes it to Postgres: columns of dbt_salesforce_source's macros and seeds, Case and Contract of
-- Salesforce's Object Reference. Rows made up. One account each: kept, in yen, in the recycle bin, gone.
CREATE SCHEMA salesforce;
CREATE TABLE salesforce.account (
    id text PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, account_number text, account_source text,
    annual_revenue double precision, billing_city text, billing_country text, billing_country_code text,
    billing_postal_code text, billing_state text, billing_state_code text, billing_street text, currency_iso_code text,
    created_date timestamptz, description text, fax text, industry text, is_deleted boolean, last_activity_date date,
    last_referenced_date timestamptz, last_viewed_date timestamptz, master_record_id text, name text,
    number_of_employees integer, owner_id text, ownership text, parent_id text, phone text, rating text,
    record_type_id text, shipping_city text, shipping_country text, shipping_postal_code text, shipping_state text,
    shipping_street text, type text, website text,
    seats_c double precision, tier_c text, is_vulnerable_c boolean, payload_c text);
INSERT INTO salesforce.account (id, name, phone, type, billing_state, billing_country, currency_iso_code, created_date,
                                is_deleted, _fivetran_deleted, seats_c, tier_c, is_vulnerable_c) VALUES
    ('001A', 'Ada Marsh', '020 7946 0018', 'Household', 'London', 'United Kingdom', NULL, '2022-06-30 23:30:00+00',
     false, false, 3, 'gold', true),
    ('001B', 'Ben Kato', NULL, 'Business', NULL, 'Japan', 'JPY', '2023-01-15 10:00:00+00', false, false, NULL, NULL, NULL),
    ('001C', 'In the bin', '+447700900999', NULL, NULL, NULL, NULL, '2022-01-01 00:00:00+00', true, false, NULL, NULL, NULL),
    ('001D', 'Gone', '+447700900998', NULL, NULL, NULL, NULL, '2022-01-01 00:00:00+00', false, true, NULL, NULL, NULL);
CREATE TABLE salesforce.contact (
    id text PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, account_id text, created_date timestamptz,
    department text, description text, email text, first_name text, home_phone text, individual_id text, is_deleted boolean,
    last_activity_date date, last_modified_by_id text, last_modified_date timestamptz, last_name text,
    last_referenced_date timestamptz, last_viewed_date timestamptz, lead_source text, mailing_city text,
    mailing_country text, mailing_postal_code text, mailing_state text, mailing_street text, master_record_id text,
    mobile_phone text, name text, owner_id text, phone text, reports_to_id text, title text);
INSERT INTO salesforce.contact (id, account_id, email, mobile_phone, phone, created_date, is_deleted, _fivetran_deleted) VALUES
    ('003A', '001A', 'ada@example.com', NULL, NULL, '2022-07-01 00:00:00+00', false, false),
    ('003B', '001B', 'ben@example.com', '+81 (0)3-1234-5678 ext. 9', '0', '2023-01-15 10:00:00+00', false, false),
    ('003C', '001B', 'bin@example.com', '+81312345670', NULL, '2023-01-14 10:00:00+00', true, false);
CREATE TABLE salesforce."case" (
    id text PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, account_id text, asset_id text,
    case_number text, closed_date timestamptz, contact_email text, contact_id text, contact_phone text, created_by_id text,
    created_date timestamptz, description text, is_closed boolean, is_deleted boolean, is_escalated boolean,
    last_modified_date timestamptz, master_record_id text, origin text, owner_id text, parent_id text, priority text,
    reason text, status text, subject text, supplied_email text, supplied_name text, supplied_phone text,
    system_modstamp timestamptz, type text);
INSERT INTO salesforce."case" (id, account_id, created_date, closed_date, is_closed, is_escalated, origin, reason, type,
                               subject, description, owner_id, is_deleted, _fivetran_deleted) VALUES
    ('500A', '001A', '2024-06-01 09:00:00+00', '2024-06-01 09:20:00+00', true, false, 'Phone', 'Breakdown', 'Problem',
     'No line', 'Down since Monday', '005X', false, false),
    ('500B', '001A', '2024-06-10 09:00:00+00', '2024-06-20 09:00:00+00', true, true, 'Email', 'Breakdown', 'Problem',
     'Again', NULL, '005X', false, false),
    ('500C', '001C', '2024-06-11 09:00:00+00', NULL, false, false, 'Web', NULL, NULL, 'Of the bin', NULL, '005X', false, false),
    ('500D', '001A', '2024-06-12 09:00:00+00', NULL, false, false, 'Web', NULL, NULL, 'Deleted', NULL, '005X', true, false);
CREATE TABLE salesforce.contract (
    id text PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, account_id text, activated_date timestamptz,
    billing_country text, company_signed_date date, contract_number text, contract_term integer, created_date timestamptz,
    customer_signed_date date, description text, end_date date, is_deleted boolean, owner_id text, start_date date,
    status text, status_code text, system_modstamp timestamptz);
INSERT INTO salesforce.contract (id, account_id, start_date, end_date, contract_term, status, is_deleted, _fivetran_deleted) VALUES
    ('800A', '001A', '2023-08-01', '2025-07-31', 24, 'Activated', false, false),
    ('800B', '001B', '2023-02-01', '2024-01-31', 12, 'Expired', false, false),
    ('800C', '001B', '2024-02-01', NULL, 12, 'Draft', false, false),
    ('800D', '001A', '2023-08-01', NULL, 12, 'Activated', true, false);
CREATE TABLE salesforce.opportunity (
    id text PRIMARY KEY, _fivetran_synced timestamptz, _fivetran_deleted boolean, account_id text, amount double precision,
    campaign_id text, close_date date, contract_id text, created_date timestamptz, description text,
    expected_revenue double precision, fiscal text, fiscal_quarter integer, fiscal_year integer, forecast_category text,
    forecast_category_name text, has_open_activity boolean, has_opportunity_line_item boolean, has_overdue_task boolean,
    is_closed boolean, is_deleted boolean, is_won boolean, last_activity_date date, lead_source text, name text,
    next_step text, owner_id text, probability double precision, record_type_id text, stage_name text, type text);
INSERT INTO salesforce.opportunity (id, account_id, contract_id, amount, is_won, type, is_deleted, _fivetran_deleted) VALUES
    ('006A', '001A', '800A', 960, true, 'Fibre', false, false),
    ('006B', '001A', '800A', 24.24, true, 'Fibre', false, false),
    ('006C', '001A', '800A', 5000, false, 'Fibre', false, false),
    ('006D', '001A', '800A', 7000, true, 'Fibre', true, false),
    ('006E', '001B', '800B', 120000, true, 'Line', false, false);
CREATE TABLE salesforce."user" (
    id text PRIMARY KEY, _fivetran_deleted boolean, _fivetran_synced timestamptz, account_id text, alias text, email text,
    first_name text, is_active boolean, last_name text, manager_id text, name text, profile_id text, title text,
    user_role_id text, user_type text, username text);
INSERT INTO salesforce."user" (id, name) VALUES ('005X', 'Ann Agent');
