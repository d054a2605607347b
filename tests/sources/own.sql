-- A company's own plain tables, as sql/sources/own.sql reads them. Rows made up; tests put foreign tables in their place too.
CREATE SCHEMA own;
CREATE TABLE own.customer (
    id bigint PRIMARY KEY, name text, phone text, email text, created_at timestamptz, segment text, region text, language text,
    currency text, is_vulnerable boolean, do_not_offer boolean, deleted_at timestamptz);
INSERT INTO own.customer VALUES
    (1, 'Ada Marsh', '020 7946 0018', 'ada@example.com', '2022-06-30 23:30:00+00', 'home', 'north', 'en', 'gbp', true, false, NULL),
    (2, ' ', NULL, '', '2023-01-15 10:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 'Deleted', NULL, NULL, '2023-01-15 10:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, '2024-01-01');
CREATE TABLE own.subscription (
    id bigint PRIMARY KEY, customer_id bigint, product text, plan text, started_at timestamptz, term_ends_at timestamptz,
    ended_at timestamptz, end_reason text, monthly_price numeric, deleted_at timestamptz);
INSERT INTO own.subscription VALUES
    (10, 1, 'Broadband', 'Fibre', '2022-06-30 23:30:00+00', '2024-06-30 23:30:00+00', NULL, NULL, 41.005, NULL),
    (11, 2, NULL, NULL, '2023-01-15 10:00:00+00', NULL, '2024-03-31 23:30:00+00', 'too dear', 20, NULL),
    (12, 3, 'Broadband', 'Fibre', '2023-01-15 10:00:00+00', NULL, NULL, NULL, 20, NULL),
    (13, 1, 'Broadband', 'Fibre', '2023-01-15 10:00:00+00', NULL, NULL, NULL, 20, '2024-01-01');
CREATE TABLE own.contact (
    id bigint PRIMARY KEY, customer_id bigint, started_at timestamptz, ended_at timestamptz, channel text, direction text,
    queue text, reason text, agent_id text, is_resolved boolean, is_escalated boolean, csat integer, notes text,
    deleted_at timestamptz);
INSERT INTO own.contact VALUES
    (20, 1, '2024-06-01 09:00:00+00', '2024-06-01 09:10:00+00', 'phone', 'Inbound', 'care', 'fault', 'S1', true, false, 4, 'ok', NULL),
    (21, 3, '2024-06-02 09:00:00+00', NULL, NULL, 'OUTBOUND', NULL, NULL, NULL, NULL, NULL, 9, NULL, NULL),
    (22, 1, '2024-06-03 09:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-06-04');
CREATE TABLE own.invoice (
    id bigint PRIMARY KEY, customer_id bigint, currency text, amount numeric, issued_at timestamptz, due_at timestamptz,
    paid_at timestamptz, deleted_at timestamptz);
INSERT INTO own.invoice VALUES
    (30, 1, 'GBP', 41, '2024-05-31 23:30:00+00', '2024-06-14 23:30:00+00', NULL, NULL),
    (31, 1, 'EUR', 50, '2024-05-31 23:30:00+00', '2024-06-14 23:30:00+00', NULL, NULL),
    (32, 1, NULL, 42, '2024-06-30 23:30:00+00', NULL, '2024-07-02 09:00:00+00', NULL);
